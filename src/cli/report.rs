//! What was typed behind `repro-audit report`.

use std::path::PathBuf;

use clap::Args;

use super::{Comparison, Output};

/// `repro-audit report`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  repro-audit report .repro-audit
  repro-audit report .repro-audit --output html=audit.html --output junit=audit.xml
  repro-audit report monday/.repro-audit tuesday/.repro-audit")]
pub struct Report {
    /// Folders of recorded audits; `.repro-audit` stands for the latest one in it
    #[arg(required = true, value_name = "RECORD")]
    pub records: Vec<PathBuf>,
    /// How values are compared.
    #[command(flatten)]
    pub comparison: Comparison,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
}
