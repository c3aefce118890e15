//! `.npz`: a zip of NumPy arrays, stored or deflated; and one array by itself.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::archive::{Archive, Entry};
use super::{malformed, npy};
use crate::error::{Error, Result};
use crate::model::{Checkpoint, Place};

/// Whether an archive holds arrays and nothing else.
pub fn is_one(archive: &Archive) -> bool {
    !archive.entries.is_empty() && archive.entries.iter().all(|entry| entry.name.ends_with(".npy"))
}

/// Reads the headers of all arrays.
pub fn read(path: &Path, archive: &Archive) -> Result<Checkpoint> {
    let mut checkpoint = Checkpoint { format: "npz", files: vec![path.to_owned()], ..Checkpoint::default() };
    for entry in &archive.entries {
        let name = entry.name.trim_end_matches(".npy");
        let head = archive.beginning(entry, npy::LONGEST_HEADER)?;
        let array = npy::header(&head).and_then(|header| {
            let available = entry.length.saturating_sub(header.length);
            npy::tensor(name, &header, place(entry, header.length), available)
        });
        match array {
            Ok(tensor) => checkpoint.tensors.push(tensor),
            Err(why) => checkpoint.not_understood.push(format!("{name}: {why}")),
        }
    }
    Ok(checkpoint)
}

/// Where the elements behind a header lie.
fn place(entry: &Entry, header: u64) -> Place {
    match entry.deflated {
        false => Place::File { file: 0, at: entry.at + header },
        true => Place::Deflated { file: 0, at: entry.at, packed: entry.packed, skip: header },
    }
}

/// Reads a single array.
pub fn read_single(path: &Path, file: &File) -> Result<Checkpoint> {
    let size = file.metadata().map_err(Error::file("read", path))?.len();
    let mut head = vec![0; npy::LONGEST_HEADER.min(usize::try_from(size).unwrap_or(usize::MAX))];
    file.read_exact_at(&mut head, 0).map_err(Error::file("read", path))?;
    let mut checkpoint = Checkpoint { format: "npy", files: vec![path.to_owned()], ..Checkpoint::default() };
    let header = npy::header(&head).map_err(|what| malformed(path, what))?;
    let place = Place::File { file: 0, at: header.length };
    let tensor = npy::tensor("array", &header, place, size.saturating_sub(header.length));
    checkpoint.tensors.push(tensor.map_err(|what| malformed(path, what))?);
    Ok(checkpoint)
}
