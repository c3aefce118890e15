//! What was typed behind `repro-audit exec-trial`.

use std::path::PathBuf;

use clap::Args;

/// `repro-audit exec-trial`.
#[derive(Clone, Debug, Args)]
pub struct ExecTrial {
    /// The folder of the submission, inside the audit's
    #[arg(value_name = "RECORD")]
    pub record: PathBuf,
}
