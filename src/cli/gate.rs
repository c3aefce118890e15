//! What was typed behind `repro-audit gate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Output, RunOptions, Typed};

/// `repro-audit gate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = GATE_EXAMPLES)]
pub struct Gate {
    /// What was typed, as opposed to what is so by default. Ahead of all others, since clap gives each value away once.
    #[command(flatten)]
    pub typed: Typed,
    /// Take what a failing gate left pending; where nothing is pending, run the job and accept what comes of it
    #[arg(long, conflicts_with = "pending")]
    pub accept: bool,
    /// Show what `--accept` would change, and run nothing
    #[arg(long)]
    pub pending: bool,
    /// The accepted record, for version control
    #[arg(long, value_name = "FILE", default_value = "repro-audit.baseline.toml")]
    pub baseline: PathBuf,
    /// What makes the gate fail [default: as accepted, or repeatable]
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<GatePolicy>,
    /// Only these jobs of repro-audit.toml or of the baseline (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub job: Vec<String>,
    /// The options of `run`; those not typed are taken from repro-audit.toml or as accepted.
    #[command(flatten)]
    pub options: RunOptions,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
    /// The job's command, where neither repro-audit.toml nor the baseline names it
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

const GATE_EXAMPLES: &str = "\
Examples:
  repro-audit gate --accept -- python train.py --seed 1
  repro-audit gate
  repro-audit gate --pending
  repro-audit gate --accept --policy golden --times 2 -- python train.py
  repro-audit gate --format github --output junit=gate.xml

Exit codes: 0 as accepted, 1 determinism regressed (or values moved, under golden and envelope), 2 the tool failed or
was misused, 3 nothing was tested, or not enough to say.";

/// What makes a gate fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GatePolicy {
    /// Runs of one treatment that part
    Repeatable,
    /// Also a varied setting that changes the result
    Invariant,
    /// Also values other than the accepted ones, in the same environment
    Golden,
    /// Values outside a band learned from the accepted runs, for jobs that cannot be exact
    Envelope,
    /// Runs that part earlier than accepted, for jobs that are known to part
    Known,
}
