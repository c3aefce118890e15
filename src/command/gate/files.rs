//! The baseline and its pending successor on disk: whole or not at all, and never touched where they cannot be read.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::gate::Baseline;

/// Reads a baseline; `None` where there is none.
///
/// # Errors
/// Where the file is there and cannot be read, or is no whole baseline of a known version.
pub fn read(path: &Path) -> Result<Option<Baseline>> {
    let bytes = match fs::read(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(Error::file("read", path))?,
    };
    let malformed = |what| Error::Malformed { path: path.to_owned(), what };
    let text =
        String::from_utf8(bytes).map_err(|_| malformed("it is no text; the file was left as it is".to_owned()))?;
    Baseline::parse(&text).map(Some).map_err(malformed)
}

/// Makes sure that a baseline could be written, before a run is spent on it.
///
/// # Errors
/// Where its folder is not there.
pub fn check_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(Error::Misuse(format!("there is no folder {} for the baseline", folder.display())))
        }
        _ => Ok(()),
    }
}

/// Writes a baseline, by way of another name.
///
/// # Errors
/// Where it cannot be written; an earlier file is then as it was.
pub fn write(path: &Path, baseline: &Baseline) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let other = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let whole = File::create(&other).and_then(|mut file| {
        file.write_all(baseline.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&other, path)
    });
    whole.map_err(|why| {
        let _ = fs::remove_file(&other);
        Error::file("write", path)(why)
    })
}

/// Where what a failing gate saw waits for review: `repro-audit.baseline.pending.toml`.
pub fn pending(baseline: &Path) -> PathBuf {
    baseline.with_extension("pending.toml")
}

/// Removes a pending record that is settled.
///
/// # Errors
/// Where it is there and cannot be removed.
pub fn settle(baseline: &Path) -> Result<()> {
    let path = pending(baseline);
    match fs::remove_file(&path) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(Error::file("remove", &path)(why)),
        _ => Ok(()),
    }
}
