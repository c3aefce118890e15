//! How a checkpoint differs from the reference, tensor by tensor and entry by entry.

use super::checkpoint::Dtype;

/// What of the training a tensor or an entry belongs to, as its path tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Parameters and buffers.
    Weights,
    /// Averaged weights.
    Average,
    /// The optimizer's state.
    Optimizer,
    /// The learning-rate scheduler.
    Scheduler,
    /// State of a random number generator.
    Generator,
    /// The gradient scaler of mixed precision.
    Scaler,
    /// Position of the loader or sampler.
    Loader,
    /// Epochs and steps done.
    Counter,
    /// Anything else.
    Other,
}

impl Part {
    /// The words used in every report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Average => "averaged weights",
            Self::Optimizer => "optimizer state",
            Self::Scheduler => "scheduler",
            Self::Generator => "generator state",
            Self::Scaler => "gradient scaler",
            Self::Loader => "loader position",
            Self::Counter => "counter",
            Self::Other => "other state",
        }
    }
}

/// How one tensor or entry compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Match {
    /// The same bits (or within the tolerance that was asked for).
    Equal,
    /// Other values.
    Value,
    /// NaN on one side, a number on the other.
    Nan,
    /// Another type of element.
    Dtype,
    /// Another shape.
    Shape,
    /// The same content under another name.
    Renamed,
    /// Only the reference has it.
    Missing,
    /// The reference lacks it.
    Extra,
    /// It could not be read for comparison; the sentence says why.
    Unread,
}

impl Match {
    /// The word used in every report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Value => "value",
            Self::Nan => "nan",
            Self::Dtype => "dtype",
            Self::Shape => "shape",
            Self::Renamed => "renamed",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Unread => "unread",
        }
    }
}

/// One element of two tensors that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct ElementPair {
    /// Its index along each dimension.
    pub index: Vec<u64>,
    /// The reference's value, as text of its own precision.
    pub reference: String,
    /// The other's.
    pub other: String,
    /// Both as numbers.
    pub values: (f64, f64),
}

/// How far apart the elements of two tensors are; the unit of a distance is the ulp of the tensor's own type, for
/// integers the number 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ElementSpread {
    /// Elements compared.
    pub elements: u64,
    /// Those whose bits differ (of different types: whose values differ).
    pub differing: u64,
    /// Those that also lie beyond the tolerance.
    pub beyond: u64,
    /// The first one that counts, in the order of the indices.
    pub first: Option<ElementPair>,
    /// Largest distance in ulps, where the types are the same and neither is NaN.
    pub max_ulps: Option<u64>,
    /// Bounds of the median distance in ulps, over the differing elements; equal where it is known exactly.
    pub median_ulps: Option<(u64, u64)>,
    /// How many differing elements lie at a distance from `low` to twice that, less one; 0 stands for signs of zero.
    pub histogram: Vec<(u64, u64)>,
    /// Largest absolute difference of finite values.
    pub max_absolute: Option<f64>,
    /// Largest difference relative to the larger magnitude, of finite values.
    pub max_relative: Option<f64>,
    /// Differing elements that are NaN in the reference, and in the other.
    pub nan: (u64, u64),
    /// Differing elements that are zeros of different sign.
    pub signs_of_zero: u64,
}

/// How one tensor compares.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorMatch {
    /// Its name in the reference, else in the other.
    pub name: String,
    /// Its name in the other, where that is not the same.
    pub other_name: Option<String>,
    /// What it belongs to.
    pub part: Part,
    /// How it compares.
    pub kind: Match,
    /// The types of the reference and of the other.
    pub dtypes: (Option<Dtype>, Option<Dtype>),
    /// The shapes of the reference and of the other.
    pub shapes: (Option<Vec<u64>>, Option<Vec<u64>>),
    /// How far apart the elements are, where they were compared.
    pub spread: ElementSpread,
    /// What it means, in one sentence; empty for equal ones.
    pub sentence: String,
}

/// How one entry that is no tensor compares; only those that differ are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StateMatch {
    /// Its path.
    pub path: String,
    /// What it belongs to.
    pub part: Part,
    /// How it compares.
    pub kind: Match,
    /// What the reference has there.
    pub reference: Option<String>,
    /// What the other has.
    pub other: Option<String>,
    /// Both as numbers, where they are.
    pub values: (Option<f64>, Option<f64>),
}

/// How one checkpoint compares with the reference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckpointDifference {
    /// Path of the reference.
    pub reference: String,
    /// Path of the other.
    pub other: String,
    /// The formats of both.
    pub formats: (String, String),
    /// Every tensor, in the order of the reference; those that it lacks last.
    pub tensors: Vec<TensorMatch>,
    /// Entries of other state that were compared.
    pub state_compared: usize,
    /// Those that differ.
    pub state: Vec<StateMatch>,
    /// What was not understood in either, one line each.
    pub not_understood: Vec<String>,
}
