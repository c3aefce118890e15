//! Everything an audit found: what every report format draws.

use super::{
    Blame, CheckpointDifference, Confidence, Divergence, Effect, Environment, Resolution, Run, Series, Tolerance,
    TreatmentResult, Verdict,
};

/// One line of a log near the divergence, for the raw window; untrusted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine {
    /// Its number, counted from 1.
    pub number: u64,
    /// Its text, cut to a sane length, otherwise as the job wrote it.
    pub text: String,
}

/// What one run or file contributed to a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Id of the run, or path of the file.
    pub run: String,
    /// The points shown in the table, around the divergence (or the first and last ones where there is none).
    pub window: Series,
    /// Raw log lines around the divergence.
    pub raw: Vec<RawLine>,
}

/// The whole course of one run, for plots and data files.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Id of the run, or path of the file.
    pub run: String,
    /// Points of the primary metric, thinned where there are very many; first and last point always there.
    pub series: Series,
}

/// Everything an audit found.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// `run`, `diff`, `gate` or `resume`.
    pub command: String,
    /// The answer.
    pub verdict: Verdict,
    /// The answer in one line.
    pub reason: String,
    /// What counted as equal.
    pub tolerance: Tolerance,
    /// The metric that was compared first.
    pub metric: Option<String>,
    /// The smallest difference that could have been seen.
    pub resolution: Option<Resolution>,
    /// The earliest divergence of the reference treatment.
    pub divergence: Option<Divergence>,
    /// Metrics other than the primary one that part, each at its own first difference.
    pub also_diverged: Vec<Divergence>,
    /// How each checkpoint compares with the first one; empty where no checkpoints were compared.
    pub checkpoints: Vec<CheckpointDifference>,
    /// A straight, an interrupted and a resumed run on one time line, as lines of text; empty for other audits.
    pub picture: Vec<String>,
    /// The runs, in the order they were planned.
    pub runs: Vec<Run>,
    /// The treatments, reference first.
    pub treatments: Vec<TreatmentResult>,
    /// What each varied setting does.
    pub effects: Vec<Effect>,
    /// Why, where that was asked and found.
    pub blame: Option<Blame>,
    /// What the repeats prove.
    pub confidence: Option<Confidence>,
    /// What was not checked, one line each.
    pub not_checked: Vec<String>,
    /// What a reader should know of the files and runs, one line each.
    pub warnings: Vec<String>,
    /// What to try next, one command or sentence each.
    pub next: Vec<String>,
    /// For the table: each compared run of the treatment that parts (else of the reference), reference first.
    pub comparisons: Vec<Comparison>,
    /// The whole course of every run, all treatments; empty where it was not kept.
    pub curves: Vec<Curve>,
    /// The environment of each run or record that had its own, by its name; empty where all ran in `environment`.
    pub environments: Vec<(String, Environment)>,
    /// The environment of the runs, where it was probed.
    pub environment: Option<Environment>,
    /// The audit's folder, where there is one.
    pub record: Option<std::path::PathBuf>,
}

impl Audit {
    /// An audit in which nothing was found yet: unresolved, for no reason so far.
    pub fn blank(command: &str) -> Self {
        Self {
            command: command.to_owned(),
            verdict: Verdict::Unresolved,
            reason: String::new(),
            tolerance: Tolerance::Exact,
            metric: None,
            resolution: None,
            divergence: None,
            also_diverged: Vec::new(),
            checkpoints: Vec::new(),
            picture: Vec::new(),
            runs: Vec::new(),
            treatments: Vec::new(),
            effects: Vec::new(),
            blame: None,
            confidence: None,
            not_checked: Vec::new(),
            warnings: Vec::new(),
            next: Vec::new(),
            comparisons: Vec::new(),
            curves: Vec::new(),
            environments: Vec::new(),
            environment: None,
            record: None,
        }
    }
}
