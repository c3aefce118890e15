//! What was typed behind `repro-audit run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Comparison, Output, Typed};

/// `repro-audit run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct Run {
    /// What was typed, as opposed to what is so by default. Ahead of all others, since clap gives each value away once.
    #[command(flatten)]
    pub typed: Typed,
    /// Runs per treatment [default: 3]
    #[arg(long, short = 'n', value_name = "N", conflicts_with_all = ["confidence", "detect"])]
    pub times: Option<u32>,
    /// With --detect, instead of --times: how sure to be, such as 0.95
    #[arg(long, value_name = "P", requires = "detect")]
    pub confidence: Option<f64>,
    /// With --confidence: the share of runs that part which must not go unseen, such as 0.1
    #[arg(long, value_name = "RATE", requires = "confidence")]
    pub detect: Option<f64>,
    /// Hold a setting at a level in every run
    #[arg(long, value_name = "ID=LEVEL")]
    pub set: Vec<String>,
    /// Run at each of these levels; the first one is the reference's
    #[arg(long, value_name = "ID=L1,L2,...")]
    pub vary: Vec<String>,
    /// Which combinations of varied levels to run
    #[arg(long, value_name = "DESIGN", default_value = "one-at-a-time")]
    pub design: Design,
    /// With {checkpoints} in the command, a folder that each run has for itself: also compare what replicates saved there
    /// under names that match, such as '*.safetensors' or '**/*.pt'
    #[arg(long, value_name = "PATTERN", conflicts_with = "steps")]
    pub checkpoints: Option<String>,
    /// With {metrics} in the command, a folder that each run has for itself: compare what the metric files show that the job
    /// writes there (CSV, JSON lines, TensorBoard and others), and not what it prints
    #[arg(long)]
    pub metric_files: bool,
    /// What makes the audit fail: runs that do not repeat, or also a varied setting that changes the result
    #[arg(long, value_name = "POLICY", default_value = "repeatable")]
    pub policy: Policy,

    /// Runs at the same time [default: as many as do not disturb each other]
    #[arg(long, short = 'j', value_name = "N", help_heading = "Execution")]
    pub jobs: Option<usize>,
    /// Longest time of one run: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", help_heading = "Execution")]
    pub timeout: Option<String>,
    /// Stop each run after N steps
    #[arg(long, value_name = "N", help_heading = "Execution")]
    pub steps: Option<u64>,
    /// Do not stop runs early once they are known to part
    #[arg(long, help_heading = "Execution")]
    pub full_length: bool,
    /// How far runs go on after they parted
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Execution")]
    pub max_steps_after: usize,
    /// Set an environment variable for every run
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Execution")]
    pub env: Vec<String>,
    /// Give each run a terminal, as a shell would (progress bars then behave as they do for you)
    #[arg(long, help_heading = "Execution")]
    pub pty: bool,
    /// Keep the audit in this folder
    #[arg(long, value_name = "DIR", default_value = ".repro-audit", help_heading = "Execution")]
    pub record: PathBuf,
    /// Take up an interrupted audit without repeating its finished runs
    #[arg(long = "continue", value_name = "RECORD", help_heading = "Execution")]
    pub continue_: Option<PathBuf>,
    /// Where runs are carried out: on this machine, or as jobs of a Slurm cluster
    #[arg(long, value_name = "EXECUTOR", default_value = "local", value_parser = executors(), help_heading = "Execution")]
    pub executor: String,
    /// With --executor slurm: one more argument for sbatch, such as --slurm-arg=--partition=gpu (may be given several times)
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, help_heading = "Execution")]
    pub slurm_arg: Vec<String>,
    /// With --executor slurm: submit the runs, and do not wait for them
    #[arg(long, help_heading = "Execution")]
    pub detach: bool,
    /// Wait for the runs of an audit that was detached or whose submitter died, and finish it
    #[arg(long, value_name = "RECORD", conflicts_with = "continue_", help_heading = "Execution")]
    pub attach: Option<PathBuf>,
    /// Print the treatments with their exact commands and environments, and run nothing
    #[arg(long, help_heading = "Execution")]
    pub dry_run: bool,

    /// Do not search for the cause
    #[arg(long, help_heading = "Blame")]
    pub no_blame: bool,
    /// Never enter the job's process: settings then reach it by its command and environment only
    #[arg(long, help_heading = "Blame")]
    pub no_shim: bool,
    /// How much recorded runs record
    #[arg(long, value_name = "LEVEL", help_heading = "Blame")]
    pub level: Option<RecordLevel>,
    /// Prove that recording does not change the job: one run with the shim against one without, bit for bit
    #[arg(long, help_heading = "Blame")]
    pub check_observer: bool,
    /// Most runs in all, the search for the cause included [default: 60, or 160 where the job parts only sometimes]
    #[arg(long, value_name = "N", help_heading = "Blame")]
    pub max_runs: Option<usize>,

    /// Which job of repro-audit.toml is meant
    #[arg(long, value_name = "NAME", help_heading = "Execution", conflicts_with = "continue_")]
    pub job: Option<String>,

    /// How values are compared.
    #[command(flatten)]
    pub comparison: Comparison,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
    /// The job's command, as you would type it; `{NAME}` is replaced by the level of a setting that is set or varied;
    /// left out, repro-audit.toml names it
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

const RUN_EXAMPLES: &str = "\
Examples:
  repro-audit run --times 3 -- python train.py
  repro-audit run --vary num_workers=0,4 -- python train.py --num-workers {num_workers}
  repro-audit run --vary hashseed=0,1 --vary threads=1,2 --design full -- python train.py
  repro-audit run --confidence 0.95 --detect 0.1 -- ./train --seed 1
  repro-audit run --checkpoints '*.pt' -- python train.py --out {checkpoints}
  repro-audit run --metric-files -- python train.py --logdir {metrics}
  repro-audit run --dry-run --vary arg.lr=0.1,0.01 -- python train.py --lr {lr}
  repro-audit run --job cnn    # a job of repro-audit.toml, which may hold any of these options";

/// Which combinations of varied levels to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Design {
    /// The reference, and each other level of each setting alone
    OneAtATime,
    /// Every combination
    Full,
}

/// What makes an audit fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// Runs of one treatment that part
    Repeatable,
    /// Also a varied setting that changes the result
    Invariant,
}

/// How much recorded runs record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecordLevel {
    /// Nothing: settings are applied and read back only
    Off,
    /// Generators, batches and losses
    Light,
    /// Also parameters, gradients and the optimizer's state
    Full,
}

fn executors() -> clap::builder::PossibleValuesParser {
    let selectable = crate::execute::EXECUTORS.iter().filter(|executor| executor.selectable);
    selectable.map(|executor| executor.id).collect::<Vec<_>>().into()
}
