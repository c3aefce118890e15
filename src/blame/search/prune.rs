//! Letting go of what is not needed, by halves, from a set that agrees.

use super::{Kept, Phase, Search, Step, less};

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

    fn release(&mut self, mut kept: Kept, open: &[usize], sizes: &[usize]) -> Step {
        for &size in sizes {
            let rest = less(&kept.held, &open[..size]);
            if self.memory.agreed(&rest) > 0 {
                kept.held = rest;
                return Step::Go(Phase::Prune(kept));
            }
            if self.memory.why_unresolved(&rest).is_none() {
                let released = open[..size].iter().copied().collect();
                let why = format!("is {} needed? Holding {} without it", self.names(&released), self.names(&rest));
                return Step::Ask(self.question(rest, why));
            }
        }
        // Nothing can be said of releasing it, so it stays held and is not blamed.
        kept.doubtful.extend(open.first());
        Step::Go(Phase::Prune(kept))
    }
}
