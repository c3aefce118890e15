//! Jobs that write their metrics to files: each run has a folder of its own for them, `metrics` below its own.

use std::fs;
use std::path::{Path, PathBuf};

use super::words::METRICS;
use crate::error::{Error, Result};
use crate::model::{Reading, Trial};
use crate::parse;

/// The folder below a run's own.
const FOLDER: &str = "metrics";

/// Fails where the runs would not know the folders for their metric files.
///
/// # Errors
/// The message says what to type instead.
pub fn check(command: &[String]) -> Result<()> {
    if command.iter().any(|word| word.contains(METRICS)) {
        return Ok(());
    }
    Err(Error::Misuse(format!(
        "--metric-files compares what each run writes in a folder of its own: write {METRICS} in the command where it takes \
         that folder"
    )))
}

/// Gives each trial the path of its own folder for metric files.
///
/// # Errors
/// Where the folder that the audit is started in is gone.
pub fn fill(trials: &mut [Trial]) -> Result<()> {
    for trial in trials {
        let folder = own(&trial.launch.record)?.display().to_string();
        trial.launch.command.iter_mut().for_each(|word| *word = word.replace(METRICS, &folder));
    }
    Ok(())
}

/// Makes the folder for metric files of a run that is about to start.
///
/// # Errors
/// Where it cannot be made.
pub fn make(trial: &Trial) -> Result<()> {
    let folder = own(&trial.launch.record)?;
    fs::create_dir_all(&folder).map_err(Error::file("create", &folder))
}

fn own(run: &Path) -> Result<PathBuf> {
    std::path::absolute(run).map(|run| run.join(FOLDER)).map_err(Error::file("find", run))
}

/// The folder for metric files of a run whose standard output is in `log`.
pub fn of(log: &Path) -> PathBuf {
    log.with_file_name(FOLDER)
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
