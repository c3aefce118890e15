//! What a run showed, read as one. Bars and loggers write to standard error by default, and a job that prints its accuracy shows
//! its losses there; others write them to files alone.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use super::{metric_files, ranks};
use crate::error::Result;
use crate::model::{Reading, Role, Series, Stream};
use crate::parse;

/// Reads what a run showed: the metric files in its folder for those, where it has one; what its ranks kept apart; else what it
/// wrote to its console.
///
/// # Errors
/// Where the log cannot be read.
pub fn read(log: &Path, options: &parse::Options) -> Result<Reading> {
    if let Some(reading) = metric_files::read(log, options)? {
        return Ok(reading);
    }
    if let Some(reading) = ranks::read(log, options)? {
        return Ok(reading);
    }
    let mut reading = both(log, options)?;
    ranks::warn_of_console(&mut reading);
    Ok(reading)
}

/// Reads what was written to standard output, which `log` holds, and to standard error: all of both where the second shows a
/// loss, and else the second only where nothing else shows any result.
///
/// # Errors
/// Where the log cannot be read; standard error need not be there.
pub fn both(log: &Path, options: &parse::Options) -> Result<Reading> {
    let mut output = parse::read_path(log, options)?;
    let path = of_errors(log);
    if !path.exists() {
        return Ok(output);
    }
    let mut errors = match parse::read_path(&path, options) {
        Ok(errors) => errors,
        Err(error) => {
            output.warnings.push(format!("standard error was not compared: {error}"));
            return Ok(output);
        }
    };
    errors.series.iter_mut().for_each(|series| series.stream = Some(Stream::Error));
    Ok(match (output.shows_result(), errors.shows_result()) {
        (true, true) if errors.primary().is_some_and(|series| is_loss(series.role)) => joined(output, errors),
        (false, true) => errors,
        _ => output,
    })
}

/// The log that holds a series of a run whose standard output is in `log`: its rank's own where there is one.
pub fn log_of(log: &Path, series: &Series) -> Option<PathBuf> {
    let log = ranks::log_of(log, &series.metric);
    Some(if series.stream? == Stream::Error { of_errors(&log) } else { log })
}

/// Whether a metric is a loss of any kind.
pub fn is_loss(role: Role) -> bool {
    matches!(role, Role::TrainingLoss | Role::SmoothedLoss | Role::ValidationLoss)
}

/// Whether a file is the standard output of a run in a record that wrote elsewhere too.
pub fn has_more(log: &Path) -> bool {
    let is_run = log.ends_with("stdout.log") && log.with_file_name("run.json").is_file();
    let errors = || of_errors(log).metadata().is_ok_and(|file| file.len() > 0);
    is_run && (metric_files::of(log).is_dir() || errors())
}

fn of_errors(log: &Path) -> PathBuf {
    log.with_file_name("stderr.log")
}

/// All series of both. What standard error shows under a name that standard output has as well is told apart by its name.
fn joined(output: Reading, errors: Reading) -> Reading {
    let first = output.series.len();
    let mut whole = output;
    // The better one to compare first: the training loss, seen at all its steps and not only where a bar was drawn, more often.
    let worth =
        |series: Option<&Series>| series.map(|series| (series.role, series.sampled, Reverse(series.points.len())));
    if worth(errors.primary()) < worth(whole.primary()) {
        whole.primary = errors.primary.map(|index| first + index);
    }
    for mut series in errors.series {
        if whole.series[..first].iter().any(|known| known.metric == series.metric) {
            series.metric = format!("{} [stderr]", series.metric);
        }
        whole.series.push(series);
    }
    whole.noise.extend(errors.noise.into_iter().filter(|name| !whole.noise.contains(name)).collect::<Vec<_>>());
    whole.left_out = whole.left_out.or(errors.left_out);
    whole.warnings.extend(errors.warnings.into_iter().map(|warning| format!("standard error: {warning}")));
    whole
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::parse::Options;

    fn read_both(output: &str, errors: &str) -> Reading {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("stdout.log");
        fs::write(&log, output).unwrap();
        fs::write(of_errors(&log), errors).unwrap();
        both(&log, &Options::default()).unwrap()
    }

    fn shown(reading: &Reading) -> Vec<(&str, Stream, usize)> {
        reading
            .series
            .iter()
            .map(|series| (series.metric.as_str(), series.stream.unwrap(), series.points.len()))
            .collect()
    }

    const BAR: &str = "\r 1/3 [00:00, 2it/s, loss=0.5]\r 2/3 [00:00, 2it/s, loss=0.4]\r 3/3 [00:01, 2it/s, loss=0.3]\n";
    const ACCURACY: &str = "epoch 0 val_acc 0.5\nepoch 1 val_acc 0.6\n";

    #[test]
    fn a_loss_on_standard_error_is_compared_first_where_standard_output_shows_none() {
        let reading = read_both(ACCURACY, BAR);
        assert_eq!(shown(&reading), [("val_acc", Stream::Output, 2), ("loss", Stream::Error, 3)]);
        assert_eq!(reading.primary().unwrap().metric, "loss");
        assert_eq!(log_of(Path::new("r1/stdout.log"), reading.primary().unwrap()).unwrap(), Path::new("r1/stderr.log"));
    }

    #[test]
    fn the_same_name_on_both_is_two_metrics_and_each_step_counts_more_than_drawings() {
        let reading = read_both("step 1 loss 0.5\nstep 2 loss 0.4\n", BAR);
        assert_eq!(shown(&reading), [("loss", Stream::Output, 2), ("loss [stderr]", Stream::Error, 3)]);
        assert_eq!(reading.primary().unwrap().stream == Some(Stream::Output), reading.series[1].sampled);
    }

    #[test]
    fn standard_error_without_a_loss_counts_only_where_nothing_else_is_there() {
        assert_eq!(shown(&read_both(ACCURACY, "checked: accuracy 0.1\nchecked: accuracy 0.2\n")).len(), 1);
        assert_eq!(shown(&read_both("starting\n", ACCURACY)), [("val_acc", Stream::Error, 2)]);
        assert_eq!(shown(&read_both("starting\n", "")), []);
    }
}
