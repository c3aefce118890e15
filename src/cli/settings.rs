//! What was typed behind `repro-audit settings`.

use clap::Args;

use super::Output;

/// `repro-audit settings`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  repro-audit settings
  repro-audit settings num_workers")]
pub struct Settings {
    /// Show this one only, in full
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
}
