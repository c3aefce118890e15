//! Looking for a set that agrees: what the record shows, what it points to, then everything.

use super::super::nominate::Strength;
use super::memory::Held;
use super::{Ending, Kept, Phase, Question, Search, Step, less};
use crate::model::{Level, Setting, SettingId};

/// So many of the settings that fit are tried one at a time before all of them are held together.
const ALONE: usize = 2;

/// Settings that are known to stop some jobs, the likeliest first: looked at first when a job fails with several held.
const RISKY: [&str; 6] = ["deterministic_algorithms", "entropy", "clock", "race", "uninitialised", "compile"];

impl Search {
    /// The next rung that is not known to part; the first that agrees is pruned.
    pub(super) fn climb(&mut self) -> Step {
        if self.playing().is_empty() {
            let ending = if self.candidates.is_empty() { Ending::NothingToHold } else { Ending::Outside };
            return Step::Go(Phase::End(ending));
        }
        for rung in self.rungs() {
            if self.agrees(&rung) {
                return Step::Go(Phase::Prune(Kept { held: rung, ..Kept::default() }));
            }
            if self.memory.parts(&rung) {
                continue;
            }
            if let Some(reason) = self.memory.why_unresolved(&rung) {
                let reason = reason.to_owned();
                return self.find_what_fails(&rung, reason);
            }
            let why = self.why_climb(&rung);
            // A single setting is the final set if it agrees, so the proof is asked for at once.
            return Step::Ask(if rung.len() == 1 { self.proving(rung, why) } else { self.question(rung, why) });
        }
        Step::Go(Phase::Probe)
    }

    /// The sets to try, in this order; the last holds everything.
    fn rungs(&self) -> Vec<Held> {
        let playing = self.playing();
        let at_least = |least: Strength| -> Held {
            playing.iter().copied().filter(|&m| self.candidates[m].strength >= Some(least)).collect()
        };
        let strong = at_least(Strength::Strong);
        // The best of the fair ones are the last to let go of.
        let fair = playing.iter().rev().copied().filter(|&m| self.candidates[m].strength == Some(Strength::Fair));
        let with_one = fair.take(ALONE).map(|one| strong.iter().copied().chain([one]).collect());
        let mut rungs: Vec<Held> = vec![strong.clone()];
        rungs.extend(with_one);
        rungs.extend([at_least(Strength::Fair), at_least(Strength::Weak), playing.clone()]);
        rungs.retain(|rung| !rung.is_empty());
        rungs.dedup();
        rungs
    }

    /// The job fails with this set held: leaves one member out at a time until it runs, and gives that member up.
    fn find_what_fails(&mut self, rung: &Held, reason: String) -> Step {
        let mut members: Vec<usize> = rung.iter().copied().collect();
        members.sort_by_key(|&member| {
            let id = self.candidates[member].id.as_str();
            (RISKY.iter().position(|risky| *risky == id).unwrap_or(RISKY.len()), member)
        });
        for &member in &members {
            let rest = less(rung, &[member]);
            if self.memory.is_resolved(&rest) {
                self.give_up(member, reason);
                return Step::Go(Phase::Climb);
            }
            if self.memory.why_unresolved(&rest).is_none() {
                let why =
                    format!("the job fails with {} held; is it {}?", self.names(rung), self.candidates[member].id);
                return Step::Ask(self.question(rest, why));
            }
        }
        self.give_up(members[0], reason);
        Step::Go(Phase::Climb)
    }

    /// A question on the way.
    pub(super) fn question(&self, held: Held, why: String) -> Question {
        let full_length = !self.config.shorten;
        let repeats = self.exploring_repeats().saturating_sub(self.memory.agreed(&held)).max(1);
        Question { held, probe: None, repeats, full_length, against: None, why }
    }

    /// A question of whose answer the proof is made.
    pub(super) fn proving(&self, held: Held, why: String) -> Question {
        Question { held, probe: None, repeats: self.final_repeats(), full_length: true, against: None, why }
    }

    fn why_climb(&self, rung: &Held) -> String {
        let reasons: Vec<&str> = rung.iter().filter_map(|&m| self.candidates[m].why.as_deref()).collect();
        match reasons.as_slice() {
            [] => format!("does anything that can be held make the runs agree? Holding {}", self.names(rung)),
            [reason] => format!("{reason}: holding {}", self.names(rung)),
            _ => format!("the record points to {}: holding them together", self.names(rung)),
        }
    }

    /// Everything held did not help: asks what only tells where to look, one probe after another, then ends.
    pub(super) fn probe(&mut self) -> Step {
        let open = |setting: &&Setting| {
            let id = &setting.id;
            self.probe_level(id).is_some()
                && !self.probed.contains(id)
                && (id.as_str() != "num_workers" || self.may_have_workers())
        };
        let Some(id) = self.config.settings.iter().find(open).map(|setting| setting.id.clone()) else {
            return Step::Go(Phase::End(Ending::Outside));
        };
        self.probed.push(id.clone());
        let level = self.probe_level(&id).map(|(_, level)| format!("={level}")).unwrap_or_default();
        let why = format!("nothing that can be held makes the runs agree; do they with {id}{level} as well?");
        Step::Ask(Question { probe: Some(id), ..self.proving(self.playing(), why) })
    }

    /// The level at which a probe is tried, where the job can be given it and does not have it already.
    pub(super) fn probe_level(&self, probe: &SettingId) -> Option<(SettingId, Level)> {
        let setting = self.config.settings.iter().find(|setting| setting.id == *probe)?;
        let level = setting.probe.clone()?;
        (self.config.reference.get(probe) != Some(&level)).then(|| (setting.id.clone(), level))
    }

    fn may_have_workers(&self) -> bool {
        let Some(evidence) = &self.config.evidence else { return true };
        evidence.loaders.iter().any(|loader| loader.workers > 0)
    }
}
