//! Jobs that write their metrics to files: each run has a folder of its own for them, `metrics` below its own.

use std::path::{Path, PathBuf};

use super::own_folder::OwnFolder;
use crate::error::{Error, Result};
use crate::model::Reading;
use crate::parse;

/// The folder for them.
pub const OWN: OwnFolder = OwnFolder { placeholder: "{metrics}", name: "metrics" };

/// Fails where the runs would not know the folders for their metric files.
///
/// # Errors
/// The message says what to type instead.
pub fn check(command: &[String]) -> Result<()> {
    if OWN.is_in(command) {
        return Ok(());
    }
    Err(Error::Misuse(format!(
        "--metric-files compares what each run writes in a folder of its own: write {} in the command where it takes that \
         folder",
        OWN.placeholder
    )))
}

/// The folder for metric files of a run whose standard output is in `log`.
pub fn of(log: &Path) -> PathBuf {
    log.with_file_name(OWN.name)
}

/// Reads what the metric files of a run show; `None` where it has no folder for any.
///
/// # Errors
/// Where they cannot be read.
pub fn read(log: &Path, options: &parse::Options) -> Result<Option<Reading>> {
    let folder = of(log);
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut reading = parse::read_path(&folder, options)?;
    reading.series.iter_mut().for_each(|series| series.stream = None);
    Ok(Some(reading))
}
