//! What a search asks, and what it is answered.

use std::collections::BTreeMap;

use crate::model::{Blame, Level, Position, SettingId};

/// What the search wants next.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Run the job under this treatment, up to `repeats` times.
    Run {
        /// The levels, the reference's included.
        treatment: BTreeMap<SettingId, Level>,
        /// How many repeats, beyond any made earlier under the same treatment.
        repeats: usize,
        /// Whether every run must go to its end; otherwise it may be stopped shortly after the step at which the reference
        /// parts.
        full_length: bool,
        /// Whether to make all of them; otherwise they stop as soon as two of the treatment part.
        all: bool,
        /// The levels of earlier runs, which agreed and with which these are compared too. A run that equals them shows as
        /// much as two that equal one another.
        against: Option<BTreeMap<SettingId, Level>>,
        /// Why, in one line.
        why: String,
    },
    /// The answer.
    Done(Box<Blame>),
}

/// What the runs that were asked for showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What they showed.
    pub seen: Seen,
    /// How many runs were made, stopped ones included.
    pub runs: usize,
    /// Points of the primary metric in those runs.
    pub steps: u64,
}

/// What repeats under one treatment showed.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// All runs made agree, with earlier ones under the same treatment and with those they were compared against too.
    Agreed,
    /// As far as there are several they agree with one another, and not with those they were compared against.
    Changed,
    /// Two of them part.
    Parted {
        /// Where.
        onset: Option<Position>,
        /// Sizes of the groups of identical runs, earlier ones under the same treatment included.
        groups: Vec<usize>,
    },
    /// They agree in a way that says nothing, such as every loss being NaN where the reference's was a number.
    Degenerate(String),
    /// Nothing could be said.
    Unresolved {
        /// Why.
        reason: String,
        /// The settings that did not take effect, where that was the reason; empty where the job failed.
        not_applied: Vec<SettingId>,
    },
}
