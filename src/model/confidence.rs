//! What N agreeing runs prove.

/// The chance that N repeats agree although the job parts at a given rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Missed {
    /// Share of runs that show the minority outcome.
    pub rate: f64,
    /// Probability that N runs all agree by luck: (1-rate)^N + rate^N.
    pub probability: f64,
}

/// What the repeats prove.
#[derive(Clone, Debug, PartialEq)]
pub struct Confidence {
    /// How many repeats were compared.
    pub repeats: usize,
    /// One sentence.
    pub statement: String,
    /// For a few rates, the chance of having missed them.
    pub missed: Vec<Missed>,
}
