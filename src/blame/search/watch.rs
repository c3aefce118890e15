//! Where the reference parts only sometimes, or that is not known yet: how often.

use super::super::luck::Rate;
use super::memory::Held;
use super::{Phase, Question, Search, Step};

/// This many sightings tell a rate well enough.
const SIGHTINGS: usize = 4;

/// At most this share of the budget goes into watching.
const SHARE: usize = 4;

/// Fewer reference runs than this cannot show that some of them agree.
const FEWEST: usize = 3;

/// Runs asked for at a time.
const BATCH: usize = 3;

impl Search {
    /// Asks for more reference repeats until the rate is known well enough to plan by.
    pub(super) fn watch(&mut self) -> Step {
        if self.reference_runs() < FEWEST {
            let why = "two runs that part do not show whether they always do".to_owned();
            return Step::Ask(self.watching(FEWEST - self.reference_runs(), why));
        }
        let Some(rate) = self.rate else { return Step::Go(Phase::Climb) };
        let most = self.budget() / SHARE;
        let left = most.saturating_sub(rate.usual + rate.other);
        if rate.other >= SIGHTINGS || left == 0 {
            return Step::Go(Phase::Climb);
        }
        let why = format!("{} of {} runs differ: how often does it?", rate.other, rate.usual + rate.other);
        Step::Ask(self.watching(left.min(BATCH), why))
    }

    fn watching(&self, repeats: usize, why: String) -> Question {
        Question { held: Held::new(), probe: None, repeats, full_length: true, against: None, why }
    }

    fn reference_runs(&self) -> usize {
        self.config.control.groups.iter().sum()
    }

    /// More reference repeats, seen together with the earlier ones.
    pub(super) fn watched(&mut self, groups: &[usize]) {
        self.config.control.groups = groups.to_vec();
        self.rate = Rate::of_groups(groups).or(self.rate);
        if self.reference_runs() < FEWEST {
            self.phase = Phase::Climb;
        }
    }

    /// More reference repeats agreed with the usual outcome.
    pub(super) fn watched_agreeing(&mut self, runs: usize) {
        if let Some(rate) = &mut self.rate {
            rate.usual += runs;
        } else {
            self.phase = Phase::Climb;
        }
    }
}
