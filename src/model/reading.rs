//! What the parser saw in one log or file.

use super::Series;

/// What a metric means for a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The loss that the optimizer minimises, at the step's own value.
    TrainingLoss,
    /// A running mean, window median or summary of the training loss.
    SmoothedLoss,
    /// A loss on held-out data.
    ValidationLoss,
    /// Any other result: accuracy, gradient norm, perplexity, reward.
    Other,
    /// A schedule that follows from the step alone: learning rate, momentum, loss scale.
    Schedule,
    /// Times, throughput, memory, dates, process ids: never compared.
    Noise,
}

/// A reading that was considered: its format, how well it fitted and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Id of the log format.
    pub format: String,
    /// 0 (does not fit) to 1 (certain).
    pub score: f64,
    /// One line: what spoke for or against it.
    pub why: String,
}

/// Everything the parser saw in one log or file.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Id of the log format that was chosen; empty where none fitted.
    pub format: String,
    /// Text encoding (`utf-8`, `utf-16le`, …), or `binary`.
    pub encoding: String,
    /// All metrics that are compared, in order of first appearance; noise is not among them.
    pub series: Vec<Series>,
    /// Index into `series` of the primary metric: the training loss, or what was asked for.
    pub primary: Option<usize>,
    /// Names of recognised noise fields.
    pub noise: Vec<String>,
    /// What was skipped or doubtful, each with a count where one makes sense.
    pub warnings: Vec<String>,
    /// What was not looked at although it may hold results: that all else agrees is then no agreement.
    pub left_out: Option<String>,
    /// The chosen reading first, then the losing ones, best first.
    pub candidates: Vec<Candidate>,
}

impl Reading {
    /// A reading in which nothing was found, for the stated reason.
    pub fn nothing(encoding: &str, warning: impl Into<String>) -> Self {
        Self {
            format: String::new(),
            encoding: encoding.to_owned(),
            series: Vec::new(),
            primary: None,
            noise: Vec::new(),
            warnings: vec![warning.into()],
            left_out: None,
            candidates: Vec::new(),
        }
    }

    /// Whether it holds anything that could be compared first.
    pub fn shows_result(&self) -> bool {
        self.primary().is_some_and(|series| !series.points.is_empty())
    }

    /// The primary series, where there is one.
    pub fn primary(&self) -> Option<&Series> {
        self.primary.and_then(|index| self.series.get(index))
    }
}
