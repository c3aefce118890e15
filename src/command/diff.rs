//! `repro-audit diff`: compares recorded logs, metric files or run folders; checkpoints in [`super::checkpoint`].

use std::path::{Path, PathBuf};

use crate::cli;
use crate::compare::{self, End, Member};
use crate::error::{Error, Result};
use crate::model::{Audit, Reading, Tolerance, Verdict};
use crate::parse::Options;
use crate::{exit, parse};

use super::checkpoint;
use super::findings::{self, Compared};
use super::lockstep;
use super::output::Output;
use super::outputs;
use super::request::reading_options;
use super::words;

/// Compares files; the first is the reference.
pub fn diff(typed: &cli::Diff) -> Result<u8> {
    let output = Output::new(&typed.output)?;
    let tolerance = words::tolerance(typed.comparison.tolerance.as_deref())?;
    let metric = typed.comparison.metric.as_deref();
    if let Some(checkpoints) = checkpoint::read_all(&typed.files)? {
        return checkpoint::diff(&typed.files, &checkpoints, tolerance, &output);
    }
    let options = reading_options(metric, typed.comparison.pattern.as_deref())?;
    if typed.files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
        return Err(Error::Misuse("standard input, `-`, can be read once only".to_owned()));
    }
    let logs: Vec<PathBuf> = typed.files.iter().map(|file| log_of(file)).collect();
    let names: Vec<String> = typed.files.iter().map(|file| file.display().to_string()).collect();
    let (readings, mut audit) = compared(&logs, &names, &options, tolerance, metric)?;
    if audit.verdict == Verdict::Agreed
        && metric.is_none()
        && options.pattern.is_none()
        && !readings.iter().any(shows_loss)
    {
        let seen = audit.metric.as_deref().unwrap_or("another result");
        audit.reason = format!(
            "no loss was found; what else the logs show agrees, and --metric {} accepts it",
            words::shell(seen)
        );
        audit.verdict = Verdict::Unresolved;
    }
    if audit.verdict == Verdict::Unresolved {
        audit.next.push(format!("repro-audit inspect {}   # what the parser sees", names.join(" ")));
    }
    output.audit(&audit)?;
    Ok(exit::code(audit.verdict))
}

/// What the logs show, and the audit of their comparison: two files as they are read, anything else from memory.
fn compared(
    logs: &[PathBuf],
    names: &[String],
    options: &Options,
    tolerance: Tolerance,
    metric: Option<&str>,
) -> Result<(Vec<Reading>, Audit)> {
    let files: Vec<Option<PathBuf>> = logs.iter().map(|log| file_of(log)).collect();
    if let ([Some(left), Some(right)], [name, other]) = (files.as_slice(), names)
        && let Some(seen) = lockstep::diff([left, right], [name, other], options, tolerance, metric)?
    {
        return Ok((seen.readings, seen.audit));
    }
    let readings = logs.iter().map(|log| read(log, options)).collect::<Result<Vec<_>>>()?;
    let audit = from_memory(&readings, logs, names, tolerance, metric);
    Ok((readings, audit))
}

/// The single file that holds the metrics of a log, where there is one.
fn file_of(log: &Path) -> Option<PathBuf> {
    match log.is_dir() {
        true => parse::only_events(log),
        false => (!outputs::has_more(log)).then(|| log.to_owned()),
    }
}

/// The audit of logs that are in memory.
pub(super) fn from_memory(
    readings: &[Reading],
    logs: &[PathBuf],
    names: &[String],
    tolerance: Tolerance,
    metric: Option<&str>,
) -> Audit {
    let only = metric.map(|asked| findings::as_spelled(asked, readings));
    let members: Vec<Member<'_>> =
        names.iter().zip(readings).map(|(name, reading)| Member { name, reading, end: End::Complete }).collect();
    let compared: Vec<Compared<'_>> =
        members.iter().zip(logs).map(|(m, log)| Compared { name: m.name, reading: m.reading, log }).collect();
    let group = compare::group(&members, tolerance, only.as_deref());
    let mut audit = Audit { tolerance, ..Audit::blank("diff") };
    findings::conclude(&mut audit, &group, &compared);
    audit.curves = findings::curves(&compared);
    audit
}

/// Whether a log shows a loss: agreement of anything else says too little of the training to be called so unasked.
fn shows_loss(reading: &Reading) -> bool {
    reading.series.iter().any(|series| outputs::is_loss(series.role) && !series.points.is_empty())
}

/// The log of a run's folder in a record; any other path stays as it is.
pub fn log_of(path: &Path) -> PathBuf {
    let log = path.join("stdout.log");
    if path.join("run.json").is_file() && log.is_file() { log } else { path.to_owned() }
}

/// Reads a log or metric file; of a run in a record, all that the run showed.
///
/// # Errors
/// Where it cannot be read.
pub fn read(log: &Path, options: &Options) -> Result<Reading> {
    if outputs::has_more(log) { outputs::read(log, options) } else { parse::read_path(log, options) }
}
