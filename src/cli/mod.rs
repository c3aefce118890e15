//! What was typed, nothing more: clap definitions, a file for each subcommand. `command/` finds out what it means.

mod comparison;
mod diff;
mod env;
mod exec_trial;
mod gate;
mod inspect;
mod options;
mod output;
mod probe;
mod report;
mod resume;
mod run;
mod settings;

use clap::{Parser, Subcommand};

pub use comparison::Comparison;
pub use diff::Diff;
pub use env::Env;
pub use exec_trial::ExecTrial;
pub use gate::{Gate, GatePolicy};
pub use inspect::Inspect;
pub use options::{RunOptions, Typed, project_options};
pub use output::{Color, Output};
pub use probe::Probe;
pub use report::Report;
pub use resume::{Resume, Signal};
pub use run::{Design, Policy, RecordLevel, Run};
pub use settings::Settings;

/// Finds the first step at which runs of a training job part, and the setting to blame.
#[derive(Debug, Parser)]
#[command(name = "repro-audit", version, about, long_about = None, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  repro-audit run --times 3 -- python train.py --seed 1
  repro-audit run --vary num_workers=0,4 -- python train.py --num-workers {num_workers}
  repro-audit gate --accept -- python train.py --seed 1
  repro-audit diff monday.log tuesday.log
  repro-audit inspect train.log

Exit codes: 0 agreed, 1 diverged, 2 the tool failed or was misused, 3 unresolved (nothing to compare, a \
crash, a setting that did not take effect).";

/// The subcommands. Only the definitions of the one that was typed are built: those of all of them take longer than
/// the rest of a start.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Run a job several times, compare, and search for the cause where it does not repeat
    Run(Box<Run>),
    /// Run what was accepted again, and fail where it no longer repeats
    Gate(Box<Gate>),
    /// Compare recorded logs, metric files, run folders or checkpoints; the first one is the reference
    Diff(Diff),
    /// Hold a resumed run against a straight one, and name what the checkpoint forgot
    Resume(Box<Resume>),
    /// Show what the parser sees in a file: format, metrics, steps, digits, noise
    Inspect(Inspect),
    /// Render a recorded audit again, in any format
    Report(Report),
    /// List what can be set and varied, and how each setting reaches a job
    Settings(Settings),
    /// Show this environment, or only what differs between two recorded ones
    Env(Env),
    /// Call libtorch's operations again and again, and show which do not repeat on this machine (needs a build with the
    /// `torch` feature)
    Probe(Probe),
    /// Carry out one run on a node of a cluster; started by the jobs that an audit submits
    #[command(hide = true)]
    ExecTrial(ExecTrial),
    /// Print a completion script for a shell
    #[command(after_help = "Examples:
  repro-audit completions bash > ~/.local/share/bash-completion/completions/repro-audit
  repro-audit completions zsh > ~/.zfunc/_repro-audit")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Examples:
  repro-audit man | man -l -")]
    Man,
}
