//! What was typed behind `repro-audit env`.

use std::path::PathBuf;

use clap::Args;

use super::Output;

/// `repro-audit env`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  repro-audit env
  repro-audit env --format json > here.json
  repro-audit env monday/.repro-audit tuesday/.repro-audit")]
pub struct Env {
    /// Recorded audits or runs whose environments are compared
    #[arg(value_name = "RECORD", num_args = 0..=2)]
    pub records: Vec<PathBuf>,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
}
