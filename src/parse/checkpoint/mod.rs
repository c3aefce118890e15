//! A checkpoint's file to its description: which tensors, where their bytes lie, and what else there is.
//!
//! Input: a path, of a file or, for a distributed one, of a folder. Output: a [`Checkpoint`]. Only headers and the small state are read here; nothing in a file is run or
//! extracted. To add a format: one file here, and its line in [`read`].

mod archive;
mod distributed;
mod globals;
mod literal;
mod npy;
mod npz;
mod pickle;
mod safetensors;
mod sharded;
mod torch_zip;
mod tree;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::Checkpoint;

/// The beginning of a file that PyTorch before 1.6 wrote: a pickled magic number.
const OLD_TORCH: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Reads the description of a checkpoint; `None` where the file's content is something else.
///
/// # Errors
/// Where it is a checkpoint and is damaged, or cannot be read.
pub fn read(path: &Path) -> Result<Option<Checkpoint>> {
    if path.is_dir() {
        return distributed::read(path);
    }
    if !path.is_file() {
        return Ok(None);
    }
    let file = File::open(path).map_err(Error::file("read", path))?;
    let mut head = [0; 16];
    let length = file.read_at(&mut head, 0).map_err(Error::file("read", path))?;
    let head = &head[..length];
    if head.starts_with(OLD_TORCH) {
        let what = "a checkpoint of PyTorch before 1.6; load it and save it again with torch.save, then compare";
        return Err(malformed(path, what));
    }
    if sharded::is_index(path, head) {
        return sharded::read(path);
    }
    if safetensors::begins(path, head) {
        return safetensors::read(path, &file).map(Some);
    }
    if npy::begins(head) {
        return npz::read_single(path, &file).map(Some);
    }
    if !head.starts_with(b"PK\x03\x04") {
        return Ok(None);
    }
    let archive = archive::Archive::open(path, file)?;
    if let Some(folder) = torch_zip::folder(&archive) {
        return torch_zip::read(path, &archive, &folder, "").map(Some);
    }
    if npz::is_one(&archive) { npz::read(path, &archive).map(Some) } else { Ok(None) }
}

/// A file that is not what it should be.
fn malformed(path: &Path, what: impl Into<String>) -> Error {
    Error::Malformed { path: path.to_owned(), what: what.into() }
}
