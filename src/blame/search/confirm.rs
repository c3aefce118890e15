//! The proof on both sides: the final set agrees often enough, and without any one member the runs part.

use super::memory::Held;
use super::{Ending, Kept, Phase, Question, Search, Step, less};

/// How often a search may begin again after a set that agreed by luck.
const RESTARTS: u32 = 2;

impl Search {
    /// Asks what the proof still lacks, or ends.
    pub(super) fn confirm(&mut self, kept: Kept) -> Step {
        if kept.held.is_empty() || self.memory.parts(&kept.held) {
            return self.begin_again();
        }
        if let Some(step) = self.try_without_the_doubtful(&kept) {
            return step;
        }
        let lacking = self.final_repeats().saturating_sub(self.memory.agreed_at_full_length(&kept.held));
        if lacking > 0 {
            let why = format!("confirming with {} held", self.names(&kept.held));
            return Step::Ask(Question { repeats: lacking, ..self.proving(kept.held, why) });
        }
        for &member in &kept.needed {
            if let Some(step) = self.see_it_part(&kept, member) {
                return step;
            }
        }
        let seen = |&member: &usize| self.memory.seen_parting(&less(&kept.held, &[member]));
        let settled = kept.doubtful.is_empty() && kept.needed.iter().all(seen);
        Step::Go(Phase::End(Ending::Found { kept, settled, shortfall: None }))
    }

    /// With a member that could not be judged, tries once whether the needed ones alone are enough.
    fn try_without_the_doubtful(&self, kept: &Kept) -> Option<Step> {
        if kept.doubtful.is_empty() || kept.needed.is_empty() {
            return None;
        }
        if self.agrees(&kept.needed) {
            let alone = Kept { held: kept.needed.clone(), needed: kept.needed.clone(), doubtful: Held::new() };
            return Some(Step::Go(Phase::Prune(alone)));
        }
        let open = !self.memory.parts(&kept.needed) && self.memory.why_unresolved(&kept.needed).is_none();
        open.then(|| Step::Ask(self.question(kept.needed.clone(), format!("is {} enough?", self.names(&kept.needed)))))
    }

    /// The runs must be seen to part with exactly this member released; the reference repeats show it for a single one.
    fn see_it_part(&mut self, kept: &Kept, member: usize) -> Option<Step> {
        let rest = less(&kept.held, &[member]);
        if self.memory.seen_parting(&rest) || self.memory.why_unresolved(&rest).is_some() {
            return None;
        }
        if self.agrees(&rest) {
            return Some(Step::Go(self.not_needed(rest)));
        }
        let why = format!("do the runs part again without {}?", self.candidates[member].id);
        Some(Step::Ask(self.releasing(&kept.held, rest, why)))
    }

    /// Less is enough: what single runs hinted at was no parting, so nothing that they hinted at is believed any more.
    fn not_needed(&mut self, held: Held) -> Phase {
        self.trusting = false;
        self.memory.drop_hints();
        Phase::Prune(Kept { held, ..Kept::default() })
    }

    /// A set that had agreed parts after all, by luck or because shortened runs had not come to it. From now on runs are
    /// longer and repeated more often: sets that agreed have more to show, or are forgotten where that would not help.
    fn begin_again(&mut self) -> Step {
        if self.restarts >= RESTARTS {
            return Step::Go(Phase::End(Ending::Contradicted));
        }
        self.restarts += 1;
        if self.rate.is_none() || self.config.shorten {
            self.memory.forget_agreements();
        }
        self.config.shorten = false;
        self.demand = self.exploring_repeats();
        let again = "a set that had agreed parts after all: beginning again with more and longer runs";
        self.history.push(again.to_owned());
        Step::Go(Phase::Climb)
    }
}
