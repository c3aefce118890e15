//! The first aligned difference between runs.

use super::{Position, Token};

/// How two series part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Both have the point, with different values.
    Value,
    /// A point of the reference that the other run lacks.
    Missing,
    /// A point that the reference lacks.
    Extra,
    /// Equal as far as both go, and one goes further.
    Length,
    /// One is NaN where the other is a number.
    Nan,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Value, Self::Missing, Self::Extra, Self::Length, Self::Nan];

    /// The word used in every report and record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Length => "length",
            Self::Nan => "nan",
        }
    }
}

/// Where inside a training step two runs part, in execution order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Before training: library versions, flags, arguments.
    Environment,
    /// State of a random number generator.
    Rng,
    /// The batch as it left the loader.
    Batch,
    /// Parameters before the step.
    Parameters,
    /// The loss.
    Loss,
    /// The gradients.
    Gradients,
    /// The optimizer's state or the parameters after the step.
    Optimizer,
    /// The output of a job without an optimizer.
    Output,
}

impl Stage {
    /// All of them, in the order in which a step goes through them.
    pub const ALL: [Self; 8] = [
        Self::Environment,
        Self::Rng,
        Self::Batch,
        Self::Parameters,
        Self::Loss,
        Self::Gradients,
        Self::Optimizer,
        Self::Output,
    ];

    /// The word used in every report and record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Rng => "rng",
            Self::Batch => "batch",
            Self::Parameters => "parameters",
            Self::Loss => "loss",
            Self::Gradients => "gradients",
            Self::Optimizer => "optimizer",
            Self::Output => "output",
        }
    }
}

/// What one run had at the divergent position.
#[derive(Clone, Debug, PartialEq)]
pub struct RunValue {
    /// Id of the run, or path of the recorded log.
    pub run: String,
    /// The value as printed; `None` where the run lacks the point.
    pub text: Option<Token>,
    /// The value; `None` where the run lacks the point.
    pub value: Option<f64>,
    /// Line of the log that showed it.
    pub line: Option<u64>,
}

/// The first aligned difference beyond tolerance (its step is the onset).
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// Where, in the log's own words.
    pub position: Position,
    /// Index of the point in the reference series, counted from 0.
    pub index: usize,
    /// The metric that parts.
    pub metric: String,
    /// The rank whose metric it is, where there are several.
    pub rank: Option<u32>,
    /// How it parts.
    pub kind: Kind,
    /// The stage of the step, where a flight record tells.
    pub stage: Option<Stage>,
    /// What each run had there, the reference first.
    pub values: Vec<RunValue>,
    /// Largest distance between two of the values; `None` where one is missing or not finite.
    pub absolute: Option<f64>,
    /// `absolute` over the larger magnitude.
    pub relative: Option<f64>,
    /// Distance in representable steps of the precision the values came from.
    pub ulps: Option<u64>,
}
