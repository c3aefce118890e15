//! Letting go of what is not needed, by halves, from a set that agrees.

use super::memory::Held;
use super::{Kept, Phase, Question, Search, Step, less};

/// With this many causes found, groups are no longer worth releasing together where causes are also dense.
const MANY: usize = 3;

impl Search {
    /// One step of the pruning: convicts, lets go, or asks.
    ///
    /// The open members are released from the front. The shortest front whose release parts ends in a needed member; the
    /// fronts shorter than it were released, and the runs agreed.
    pub(super) fn prune(&mut self, mut kept: Kept) -> Step {
        let open = kept.open();
        let Some(&first) = open.first() else { return self.confirm(kept) };
        match self.shortest_parting_front(&kept, &open) {
            Some(1) => {
                kept.needed.insert(first);
                Step::Go(Phase::Prune(kept))
            }
            front => {
                let sizes = self.sizes(&kept, &open, front);
                self.release(kept, &open, &sizes)
            }
        }
    }

    /// Length of the shortest front of the open members whose release is known to part.
    fn shortest_parting_front(&self, kept: &Kept, open: &[usize]) -> Option<usize> {
        (1..=open.len()).find(|&length| self.memory.parts(&less(&kept.held, &open[..length])))
    }

    /// How many to release, the best number first. All at once where nothing says that one is needed; half where one is.
    fn sizes(&self, kept: &Kept, open: &[usize], parting: Option<usize>) -> Vec<usize> {
        let best = match parting {
            _ if self.should_scan(kept) => 1,
            Some(front) => front / 2,
            None => open.len(),
        };
        let most = parting.map_or(open.len(), |front| front - 1);
        let mut sizes: Vec<usize> = (1..=most).collect();
        // Where the best number cannot be judged, smaller groups are tried next.
        sizes.sort_by_key(|&size| (size > best, size.abs_diff(best)));
        sizes
    }

    fn should_scan(&self, kept: &Kept) -> bool {
        let known = kept.needed.len() + self.playing().len().saturating_sub(kept.held.len());
        kept.needed.len() >= MANY && kept.needed.len() * 3 > known
    }

    /// Whether the runs still agree with less held. Where the job parts whenever a cause is live, one run that equals
    /// those with more held is enough; one that differs is repeated, since a setting may change the result and be no cause.
    pub(super) fn releasing(&self, held: &Held, rest: Held, why: String) -> Question {
        let question = self.question(rest, why);
        if self.rate.is_some() {
            return question;
        }
        let against = (!self.memory.only_changed(&question.held)).then(|| held.clone());
        Question { repeats: 1, against, ..question }
    }

    fn release(&mut self, mut kept: Kept, open: &[usize], sizes: &[usize]) -> Step {
        for &size in sizes {
            let rest = less(&kept.held, &open[..size]);
            if self.agrees(&rest) {
                kept.held = rest;
                return Step::Go(Phase::Prune(kept));
            }
            if self.memory.why_unresolved(&rest).is_none() {
                let released = open[..size].iter().copied().collect();
                let why = match self.memory.only_changed(&rest) {
                    false => format!("is {} needed? Holding {} without it", self.names(&released), self.names(&rest)),
                    true => {
                        format!("do the runs part again without {}, or is it another result?", self.names(&released))
                    }
                };
                return Step::Ask(self.releasing(&kept.held, rest, why));
            }
        }
        // Nothing can be said of releasing it, so it stays held and is not blamed.
        kept.doubtful.extend(open.first());
        Step::Go(Phase::Prune(kept))
    }
}
