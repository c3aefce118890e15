//! Where the reference parts only sometimes: how often.

use super::memory::Held;
use super::{Phase, Question, Search, Step};

/// This many sightings tell a rate well enough.
const SIGHTINGS: usize = 4;

/// At most this share of the budget goes into watching.
const SHARE: usize = 4;

/// Runs asked for at a time.
const BATCH: usize = 3;

impl Search {
    /// Asks for more reference repeats until the rate is known well enough to plan by.
    pub(super) fn watch(&mut self) -> Step {
        let Some(rate) = self.rate else { return Step::Go(Phase::Climb) };
        let most = self.config.max_runs / SHARE;
        let left = most.saturating_sub(rate.usual + rate.other);
        if rate.other >= SIGHTINGS || left == 0 {
            return Step::Go(Phase::Climb);
        }
        let why = format!("{} of {} runs differ: how often does it?", rate.other, rate.usual + rate.other);
        Step::Ask(Question { held: Held::new(), probe: None, repeats: left.min(BATCH), full_length: true, why })
    }

    /// More reference repeats agreed with the usual outcome.
    pub(super) fn watched_agreeing(&mut self, runs: usize) {
        if let Some(rate) = &mut self.rate {
            rate.usual += runs;
        }
    }
}
