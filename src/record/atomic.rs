//! Files that are there whole or not at all.

use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file that only the user may read, by way of another name.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, bytes, 0o600)
}

/// The same, for a file that may be executed.
pub fn write_executable(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, bytes, 0o700)
}

fn write_with(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let other = beside(path);
    let whole = File::options().write(true).create_new(true).mode(mode).open(&other).and_then(|mut file| {
        file.write_all(bytes)?;
        // Else a machine that loses power may leave an empty file under the new name.
        file.sync_all()?;
        fs::rename(&other, path)
    });
    whole.map_err(|why| {
        let _ = fs::remove_file(&other);
        Error::file("write", path)(why)
    })
}

/// Makes a folder that only the user may enter, with those above it.
pub fn folder(path: &Path) -> Result<()> {
    builder().recursive(true).create(path).map_err(Error::file("create", path))
}

/// Makes a folder that must not be there yet.
pub fn new_folder(path: &Path) -> io::Result<()> {
    builder().create(path)
}

/// Makes a link that points to `target`, in place of an earlier one; a text file where links cannot be made.
pub fn link(path: &Path, target: &str) -> Result<()> {
    let other = beside(path);
    let _ = fs::remove_file(&other);
    match std::os::unix::fs::symlink(target, &other) {
        Ok(()) => fs::rename(&other, path).map_err(Error::file("write", path)),
        Err(_) => write(path, format!("{target}\n").as_bytes()),
    }
}

fn builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// The name under which `path` is written at first; two writers never share it, wherever they are.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{:016x}", random()))
}

/// A number that nobody else has.
pub fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}
