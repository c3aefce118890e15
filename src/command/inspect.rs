//! `repro-audit inspect`: what the parser sees in a file.

use crate::cli;
use crate::error::Result;
use crate::model::Verdict;
use crate::{exit, report};

use super::output::Output;
use super::request::reading_options;

/// Shows what the parser sees in each file; unresolved where a file holds nothing that could be compared, or not
/// the metric that was asked for.
pub fn inspect(typed: &cli::Inspect) -> Result<u8> {
    let output = Output::new(&typed.output)?;
    let options = reading_options(typed.metric.as_deref(), typed.pattern.as_deref())?;
    let readings = typed
        .files
        .iter()
        .map(|file| super::diff::read(&super::diff::log_of(file), &options))
        .collect::<Result<Vec<_>>>()?;
    let named = typed.files.iter().map(std::path::PathBuf::as_path).zip(&readings);
    output.listing(&report::inspect(named))?;
    let all_seen = readings.iter().all(|reading| match typed.metric {
        Some(_) => reading.primary().is_some(),
        None => reading.series.iter().any(|series| !series.points.is_empty()),
    });
    Ok(exit::code(if all_seen { Verdict::Agreed } else { Verdict::Unresolved }))
}
