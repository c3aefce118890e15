//! What was typed behind `repro-audit diff`.

use std::path::PathBuf;

use clap::Args;

use super::{Comparison, Output};

/// `repro-audit diff`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  repro-audit diff a.log b.log
  repro-audit diff --metric val_loss runs/1/metrics.csv runs/2/metrics.csv
  repro-audit diff --tolerance rel=1e-6 a.jsonl b.jsonl c.jsonl
  repro-audit diff straight.pt resumed.pt")]
pub struct Diff {
    /// Logs, metric files, run folders or checkpoints (.safetensors, .pt, .npz); `-` is standard input
    #[arg(required = true, num_args = 2.., value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How values are compared.
    #[command(flatten)]
    pub comparison: Comparison,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
}
