//! What was typed behind `repro-audit resume`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Comparison, Output};

/// `repro-audit resume`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  repro-audit resume --straight 'python train.py' --first 'python train.py --stop-after 2 --ckpt c.pt' \\
      --resumed 'python train.py --resume c.pt'
  repro-audit resume --interrupt step=100 --signal KILL --resume-args='--resume' -- python train.py --out {checkpoints}

{checkpoints} stands for a folder that every resumed run finds as the interrupted one left it.")]
pub struct Resume {
    /// The uninterrupted run, one quoted command line
    #[arg(long, value_name = "CMD", requires = "resumed", conflicts_with = "interrupt")]
    pub straight: Option<String>,
    /// The run that leaves the checkpoint; left out, the straight run leaves it
    #[arg(long, value_name = "CMD", requires = "straight")]
    pub first: Option<String>,
    /// The run that starts from the checkpoint
    #[arg(long, value_name = "CMD", requires = "straight")]
    pub resumed: Option<String>,
    /// Instead: end the job itself after so many steps, checkpoints or epochs: step=K, checkpoint=N, epoch=E
    #[arg(long, value_name = "WHEN")]
    pub interrupt: Option<String>,
    /// End the job at several points, one after the other, until one shows a difference: in mid-training, at the end of an
    /// epoch, between a backward pass and its step, right after a checkpoint
    #[arg(long, conflicts_with_all = ["straight", "interrupt"])]
    pub sweep: bool,
    /// How the job is ended
    #[arg(long, value_name = "SIGNAL", default_value = "KILL", ignore_case = true)]
    pub signal: Signal,
    /// What the command takes in addition when it resumes
    #[arg(long, value_name = "ARGS", conflicts_with = "straight", allow_hyphen_values = true)]
    pub resume_args: Option<String>,
    /// Longest time of one run: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", help_heading = "Execution")]
    pub timeout: Option<String>,
    /// Set an environment variable for every run
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Execution")]
    pub env: Vec<String>,
    /// Keep the audit in this folder
    #[arg(long, value_name = "DIR", default_value = ".repro-audit", help_heading = "Execution")]
    pub record: PathBuf,
    /// Do not search for what the checkpoint forgot
    #[arg(long, help_heading = "Blame")]
    pub no_blame: bool,
    /// How values are compared.
    #[command(flatten)]
    pub comparison: Comparison,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
    /// The job's command, as you would type it, with --interrupt
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// How a job is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Signal {
    /// Asked to end, as a scheduler does
    Term,
    /// Ended at once
    Kill,
    /// As by Ctrl-C
    Int,
}
