//! What was typed behind `repro-audit inspect`.

use std::path::PathBuf;

use clap::Args;

use super::Output;

/// `repro-audit inspect`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  repro-audit inspect train.log
  repro-audit inspect --format json runs/1/metrics.csv
  repro-audit inspect --pattern 'mse (?P<value>\\S+) after (?P<step>\\d+)' train.log")]
pub struct Inspect {
    /// Logs, metric files or run folders; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Take this metric for the primary one
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Read values by this regular expression, with named groups `value` and, where there are any, `step`, `epoch`, `metric`
    #[arg(long, value_name = "REGEX")]
    pub pattern: Option<String>,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
}
