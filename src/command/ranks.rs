//! What the ranks of one run showed, read as one: the metrics of rank 0 by their names, those of others with their rank.

use std::fs;
use std::path::{Path, PathBuf};

use super::outputs;
use crate::error::Result;
use crate::model::{Reading, name_of_rank, rank_in_name};
use crate::{execute, parse};

/// Reads what the ranks of a run wrote to files of their own; `None` where they left none with a result.
pub fn read(log: &Path, options: &parse::Options) -> Result<Option<Reading>> {
    let mut whole: Option<Reading> = None;
    for (rank, path) in logs(log) {
        let mut reading = outputs::both(&path, options)?;
        if !reading.shows_result() {
            continue;
        }
        for series in &mut reading.series {
            series.metric = name_of_rank(&series.metric, rank);
        }
        for warning in &mut reading.warnings {
            *warning = format!("rank {rank}: {warning}");
        }
        match &mut whole {
            None => whole = Some(reading),
            Some(whole) => {
                whole.series.extend(reading.series);
                whole.warnings.extend(reading.warnings);
                whole.left_out = whole.left_out.take().or(reading.left_out);
            }
        }
    }
    Ok(whole)
}

/// Says so where several ranks were read from one console.
pub fn warn_of_console(reading: &mut Reading) {
    if reading.series.iter().any(|series| rank_in_name(&series.metric).1 > 0) {
        let warning = "several ranks wrote to one console, where lines of theirs may be damaged or lost; outputs kept \
                       apart (torchrun --redirects 3, srun --output=rank-%t.log) are safe";
        reading.warnings.push(warning.to_owned());
    }
}

/// The log that shows a metric: its rank's own where there is one.
pub fn log_of(log: &Path, metric: &str) -> PathBuf {
    logs(log).remove(&rank_in_name(metric).1).unwrap_or_else(|| log.to_owned())
}

fn logs(log: &Path) -> std::collections::BTreeMap<u32, PathBuf> {
    // The log of a run on a cluster is a link into the attempt that counts.
    let real = fs::canonicalize(log).unwrap_or_else(|_| log.to_owned());
    real.parent().map(execute::rank_logs).unwrap_or_default()
}
