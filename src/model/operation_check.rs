//! What repeated calls of one library operation with equal inputs gave.

/// Which half of an operation was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pass {
    /// The operation itself.
    Forward,
    /// Its gradients.
    Backward,
}

impl Pass {
    /// The word used in every report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
        }
    }
}

/// How far the results of repeated calls lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResultSpread {
    /// How many calls were compared.
    pub calls: u32,
    /// How many of their results differ in their bits; 1 where they all agree, 0 where there were none.
    pub distinct: u32,
    /// The first call, counted from 1, whose result was not that of the first.
    pub first: Option<u32>,
    /// The widest distance of any one element over all calls, in ULPs of its type; `None` for whole numbers and where
    /// only some calls gave NaN.
    pub ulps: Option<u64>,
    /// The widest distance of any one element, over the largest magnitude in its tensor.
    pub relative: Option<f64>,
}

impl ResultSpread {
    /// Whether the calls agree; `None` where there were not two to compare.
    pub fn repeats(&self) -> Option<bool> {
        (self.calls >= 2).then_some(self.distinct == 1)
    }
}

/// What an operation does with deterministic algorithms on.
#[derive(Clone, Debug, PartialEq)]
pub enum UnderDeterminism {
    /// It gives results, which spread so far.
    Answers {
        /// How far they lie apart.
        spread: ResultSpread,
        /// Median time of a call, forward and backward, over that with them off; `None` where neither can be measured.
        price: Option<f64>,
    },
    /// It refuses to run, with the library's own sentence.
    Refuses(String),
    /// It was not asked, with the reason.
    NotAsked(String),
}

/// What repeated calls of one operation with equal inputs gave, in one place and under one set of conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationCheck {
    /// The operation in words: `index_put accumulate`.
    pub operation: String,
    /// The names by which the library calls it: `index_put`, `_index_put_impl`.
    pub names: Vec<String>,
    /// Forward or backward.
    pub pass: Pass,
    /// Where it ran: `cpu`, `cuda:0`.
    pub device: String,
    /// Threads within an operation; 0 where it ran on a card.
    pub threads: u32,
    /// A switch of the library that was held at other than its default: `cudnn.benchmark=on`.
    pub switch: Option<String>,
    /// The type of the elements: `float32`.
    pub dtype: String,
    /// `small` or `large`, with the shape of the first input.
    pub size: String,
    /// With deterministic algorithms off.
    pub spread: ResultSpread,
    /// Whether the first result is that of one thread; `None` where that is not known.
    pub as_one_thread: Option<bool>,
    /// With deterministic algorithms on.
    pub deterministic: UnderDeterminism,
}

/// What a probe of a library's operations gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationProbe {
    /// The library's version: `libtorch 2.13.0`.
    pub library: String,
    /// One per operation, half and set of conditions.
    pub checks: Vec<OperationCheck>,
    /// What was not called, each with the reason.
    pub skipped: Vec<(String, String)>,
}

impl OperationProbe {
    /// Checks in which at least two results were compared.
    pub fn compared(&self) -> impl Iterator<Item = &OperationCheck> {
        self.checks.iter().filter(|check| check.spread.repeats().is_some())
    }

    /// Checks whose results part with deterministic algorithms off.
    pub fn parting(&self) -> impl Iterator<Item = &OperationCheck> {
        self.checks.iter().filter(|check| check.spread.repeats() == Some(false))
    }
}
