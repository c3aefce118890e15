//! A row of the table of metrics.

use super::names::{self, Meaning, Split};
use crate::model::Source;

/// One row of the table of metrics, filled as a log is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The name as the log spells it.
    pub name: String,
    /// What the name means.
    pub(crate) meaning: Meaning,
    /// The data it was taken on.
    pub(crate) split: Split,
    /// Whether it is a mean shown beside the step's own value.
    pub(crate) smoothed: bool,
    /// Whether it was seen in timed redraws with gaps that are not regular.
    pub sampled: bool,
    /// Whether the steps of its points are those of a bar that the clock draws, so that only their order tells them apart.
    pub by_order: bool,
    /// Whether its points are printed digits or exact bits.
    pub source: Source,
    /// The user's own pattern finds it: it is what is to be compared, whatever it is called.
    pub(crate) asked: bool,
    /// How many points were handed on.
    pub points: u64,
    /// Points whose value has a fraction.
    pub(crate) fractions: u64,
    /// Points that have a step.
    pub(crate) placed: u64,
}

impl Metric {
    /// Whether the metric can turn out to be worth comparing.
    pub fn may_count(&self) -> bool {
        !matches!(self.meaning, Meaning::Config | Meaning::Noise)
    }

    /// A metric whose meaning follows from its name.
    pub(crate) fn named(name: &str) -> Self {
        let tokens = names::tokens(name);
        Self {
            name: name.to_owned(),
            meaning: names::meaning(name),
            split: names::split(&tokens),
            smoothed: false,
            sampled: false,
            by_order: false,
            source: Source::Printed,
            asked: false,
            points: 0,
            fractions: 0,
            placed: 0,
        }
    }
}
