//! What was typed, nothing more: clap definitions. `command/` finds out what it means.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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

Exit codes: 0 agreed, 1 diverged, 2 the tool failed or was misused, 3 unresolved (nothing to compare, a crash,
a setting that did not take effect).";

/// The subcommands.
#[derive(Debug, Subcommand)]
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

/// How the answer is written.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Form of the report on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = formats())]
    pub format: String,
    /// Also write the report to FILE, in FORMAT where it is named (may be given several times)
    #[arg(long, value_name = "[FORMAT=]FILE")]
    pub output: Vec<String>,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Nothing on standard error but errors
    #[arg(long, short)]
    pub quiet: bool,
}

fn formats() -> clap::builder::PossibleValuesParser {
    crate::report::FORMATS.iter().map(|format| format.id()).collect::<Vec<_>>().into()
}

fn executors() -> clap::builder::PossibleValuesParser {
    let selectable = crate::execute::EXECUTORS.iter().filter(|executor| executor.selectable);
    selectable.map(|executor| executor.id).collect::<Vec<_>>().into()
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What is compared.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Comparison")]
pub struct Comparison {
    /// Compare this metric alone, instead of the training loss and all others
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Read values by this regular expression, with named groups `value` and, where there are any, `step`, `epoch`, `metric`
    #[arg(long, value_name = "REGEX")]
    pub pattern: Option<String>,
    /// What counts as equal: exact, ulps=N, rel=X or abs=X
    #[arg(long, value_name = "RULE", default_value = "exact")]
    pub tolerance: String,
}

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
  repro-audit run --dry-run --vary arg.lr=0.1,0.01 -- python train.py --lr {lr}
  repro-audit run --job cnn    # a job of repro-audit.toml, which may hold any of these options";

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

/// Options of `run` that were typed for another subcommand: name without dashes, and the values (none for a flag).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions(pub Vec<(String, Vec<String>)>);

/// Options of `run` that mean nothing to a gate, or something of its own.
const NOT_OF_A_GATE: &[&str] =
    &["policy", "continue_", "attach", "detach", "dry_run", "job", "format", "output", "color", "quiet"];
/// Options of `run` that mean nothing in a file.
const NOT_OF_A_FILE: &[&str] = &["policy", "continue_", "attach", "detach", "dry_run", "job"];

/// The definitions of the options of `run`, but for some.
fn definitions(but: &[&str]) -> Vec<clap::Arg> {
    let run = <Run as Args>::augment_args(clap::Command::new("run"));
    let wanted = |arg: &&clap::Arg| arg.get_long().is_some() && !but.contains(&arg.get_id().as_str());
    run.get_arguments().filter(wanted).cloned().collect()
}

/// The options that repro-audit.toml may hold besides `command` and `policy`: those of `run`, without their dashes.
pub fn project_options() -> Vec<String> {
    definitions(NOT_OF_A_FILE).iter().filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
}

/// Which of these options were typed, with their values.
fn typed(options: &[clap::Arg], matches: &clap::ArgMatches) -> Vec<(String, Vec<String>)> {
    let typed = |arg: &clap::Arg| {
        let id = arg.get_id().as_str();
        matches.try_contains_id(id).ok()?;
        let source = matches.value_source(id)?;
        let values = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
        let values = if arg.get_action().takes_values() { values.collect() } else { Vec::new() };
        let name = arg.get_long()?.to_owned();
        (source == clap::parser::ValueSource::CommandLine).then_some((name, values))
    };
    options.iter().filter_map(typed).collect()
}

/// The options of `run` that were typed, name without dashes and the values (none for a flag): these win over a file's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed(pub Vec<(String, Vec<String>)>);

impl clap::FromArgMatches for Typed {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(typed(&definitions(&["continue_", "attach", "job"]), matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Typed {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}

impl RunOptions {
    /// The definitions, from the one list that `run` has.
    fn definitions() -> Vec<clap::Arg> {
        definitions(NOT_OF_A_GATE)
    }
}

impl clap::FromArgMatches for RunOptions {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(typed(&Self::definitions(), matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for RunOptions {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.args(Self::definitions())
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

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

/// `repro-audit exec-trial`.
#[derive(Clone, Debug, Args)]
pub struct ExecTrial {
    /// The folder of the submission, inside the audit's
    #[arg(value_name = "RECORD")]
    pub record: PathBuf,
}

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

/// `repro-audit probe`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  repro-audit probe
  repro-audit probe --device cpu --threads 1,2 --only index --only scatter
  repro-audit probe --device cuda --output html=operations.html

Exit codes: 0 every operation called repeats, 1 some do not, 2 the tool failed or was misused, 3 nothing was compared.")]
pub struct Probe {
    /// Where to call them: cpu, cuda (every card), cuda:N
    #[arg(long, value_name = "DEVICES", value_delimiter = ',', default_values = ["cpu", "cuda"], value_parser = device)]
    pub device: Vec<String>,
    /// Threads within an operation, on the CPU [default: 1 and one per core, at least 2]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Vec<u32>,
    /// Calls of each operation with equal inputs
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..))]
    pub times: u32,
    /// Only operations with this in their name (may be given several times)
    #[arg(long, value_name = "TEXT")]
    pub only: Vec<String>,
    /// Types of the elements
    #[arg(long, value_name = "TYPES", value_delimiter = ',', default_values = ["float32", "float64", "bfloat16"],
        value_parser = ["float16", "bfloat16", "float32", "float64"])]
    pub dtype: Vec<String>,
    /// Sizes: small stays within one thread's share of work, large does not
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_values = ["small", "large"],
        value_parser = ["small", "large"])]
    pub size: Vec<String>,
    /// Do not keep the answer for later audits on this machine
    #[arg(long)]
    pub no_cache: bool,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
}

fn device(text: &str) -> Result<String, String> {
    let card = text.strip_prefix("cuda:").is_some_and(|index| index.parse::<usize>().is_ok());
    let known = card || ["cpu", "cuda"].contains(&text);
    known.then(|| text.to_owned()).ok_or_else(|| "a device is cpu, cuda or cuda:N".to_owned())
}
