//! The adaptive search: what was seen so far to the next treatment to try, or to the answer.
//!
//! Input: the reference repeats that parted, the settings that can be held, and the flight record's evidence where there
//! is one. Output: one [`Ask`] after another. The search is pure and deterministic: the same answers give the same
//! questions, so an interrupted audit goes on by answering again from its record.
//!
//! It climbs until a held set makes the runs agree: what the record shows, then what it points to, then everything.
//! From there it lets go, the blunt settings and the unlikely ones first, by halves, until every setting still held is
//! needed. Last, it confirms on both sides. One fact carries the whole proof: where a set `H` agrees and `H` without one
//! member parts, that member is needed in every smaller set as well.

mod ask;
mod climb;
mod confirm;
mod finish;
mod memory;
mod prune;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::{Candidate, candidates, is_altering};
use super::luck::Rate;
use super::nominate::nominate;
use crate::model::{Evidence, Level, Position, Setting, SettingId};
pub use ask::{Answer, Ask, Seen};
use memory::{Held, Memory};

/// What a search starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Repeats that must agree, N.
    pub repeats: usize,
    /// The search asks for no run beyond this many, those made before it included; `None` for [`Config::MAX_RUNS`], or
    /// [`Config::MAX_RUNS_SOMETIMES`] where the job parts only sometimes.
    pub max_runs: Option<usize>,
    /// With which confidence repeats acquit where the job parts only sometimes: 0.95.
    pub confidence: f64,
    /// The settings that can reach this job, to be held or to be probed.
    pub settings: Vec<Setting>,
    /// The levels of the reference treatment; every treatment asked for starts from them.
    pub reference: BTreeMap<SettingId, Level>,
    /// What the reference repeats showed.
    pub control: Control,
    /// What the flight records show, where there are any.
    pub evidence: Option<Evidence>,
    /// Whether questions on the way may be asked of shortened runs; worth it where the reference parts early in long runs.
    /// The proof is made at full length all the same, which costs a few runs more and far fewer steps.
    pub shorten: bool,
    /// The job's command line, for the commands that are suggested.
    pub command: String,
}

impl Config {
    /// The budget where nobody gave one: enough for several causes at once without a record.
    pub const MAX_RUNS: usize = 60;
    /// The budget where nobody gave one and the job parts only sometimes: enough for one cause that shows in one run of
    /// four and that the record does not show.
    pub const MAX_RUNS_SOMETIMES: usize = 160;
    /// The confidence where nobody asked for one.
    pub const CONFIDENCE: f64 = 0.95;
}

/// What the reference repeats showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Control {
    /// Sizes of the groups of identical runs: `[1, 1, 1]` where no two agree, `[2, 1]` where one of three differs. Every
    /// run of the reference that can be compared counts, recorded ones too.
    pub groups: Vec<usize>,
    /// Where they part first.
    pub onset: Option<Position>,
    /// Runs made before the search, recorded ones included.
    pub runs: usize,
    /// Points of the primary metric in those runs.
    pub steps: u64,
}

/// How much more risk of luck a question on the way may take than the proof.
const EXPLORING: f64 = 3.0;

/// A question that was asked and awaits its answer.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    held: Held,
    probe: Option<SettingId>,
    repeats: usize,
    full_length: bool,
    against: Option<Held>,
    why: String,
}

/// Where the search stands.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    /// The reference parts only sometimes; watching it some more tells how often.
    Watch,
    /// Looking for a set that agrees.
    Climb,
    /// A set agrees; letting go of what is not needed.
    Prune(Kept),
    /// Nothing that can be held cures it; a probe may still tell where to look.
    Probe,
    /// Over.
    End(Ending),
}

/// A held set that agrees, and what is known of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    /// Everything still held.
    held: Held,
    /// Members that were released and found needed.
    needed: Held,
    /// Members whose release could not be judged.
    doubtful: Held,
}

impl Kept {
    /// Members of which nothing is known yet, first those to let go of first.
    fn open(&self) -> Vec<usize> {
        self.held.iter().copied().filter(|m| !self.needed.contains(m) && !self.doubtful.contains(m)).collect()
    }
}

/// How a search ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    /// A set was found; `settled` where it is minimal and confirmed on both sides.
    Found { kept: Kept, settled: bool, shortfall: Option<usize> },
    /// Everything that can be held was held, and the runs still part.
    Outside,
    /// As before, but this probe, held too, makes them agree.
    Probed(SettingId),
    /// The budget ended before any set was found to agree.
    Exhausted,
    /// Sets that had agreed parted again, time after time.
    Contradicted,
    /// There is nothing to hold.
    NothingToHold,
}

/// What a phase decided.
enum Step {
    Ask(Question),
    Go(Phase),
}

/// The search for the causes of a job that does not repeat.
#[derive(Clone, Debug)]
pub struct Search {
    config: Config,
    candidates: Vec<Candidate>,
    dropped: BTreeMap<usize, String>,
    memory: Memory,
    phase: Phase,
    pending: Option<Question>,
    /// Probes that were asked.
    probed: Vec<SettingId>,
    rate: Option<Rate>,
    /// Whether one run that differs from those with more held is taken for a parting until the proof.
    trusting: bool,
    /// Runs that must agree under a set before anything is built on it.
    demand: usize,
    restarts: u32,
    runs: usize,
    steps: u64,
    history: Vec<String>,
}

impl Search {
    /// Starts from reference repeats that parted.
    pub fn new(config: Config) -> Self {
        let nominations = config.evidence.as_ref().map(nominate).unwrap_or_default();
        let mut candidates = candidates(&config.settings, &nominations);
        candidates.retain(|candidate| !already_held(&config.reference, candidate));
        let mut memory = Memory::default();
        memory.parted(Held::new());
        Self {
            rate: Rate::of_groups(&config.control.groups),
            runs: config.control.runs,
            steps: config.control.steps,
            candidates,
            dropped: BTreeMap::new(),
            memory,
            phase: Phase::Watch,
            pending: None,
            probed: Vec::new(),
            trusting: true,
            demand: 1,
            restarts: 0,
            history: Vec::new(),
            config,
        }
    }

    /// The next treatment to try, or the answer. Asking twice without an answer in between asks the same.
    pub fn next_ask(&mut self) -> Ask {
        loop {
            if let Some(question) = &self.pending {
                return self.ask(question);
            }
            let step = match &self.phase {
                Phase::Watch => self.watch(),
                Phase::Climb => self.climb(),
                Phase::Prune(kept) => self.prune(kept.clone()),
                Phase::Probe => self.probe(),
                Phase::End(ending) => return Ask::Done(Box::new(self.finish(ending))),
            };
            match step {
                Step::Go(phase) => self.phase = phase,
                Step::Ask(question) => self.pose(question),
            }
        }
    }

    /// Takes the answer to what was last asked; without a question open, it is ignored.
    pub fn seen(&mut self, answer: Answer) {
        let Some(question) = self.pending.take() else { return };
        self.runs += answer.runs;
        self.steps += answer.steps;
        self.note(&question, &answer);
        match answer.seen {
            Seen::Degenerate(_) | Seen::Unresolved { .. } if question.held.is_empty() && question.probe.is_none() => {
                self.phase = Phase::Climb;
            }
            Seen::Agreed => self.on_agreed(&question, answer.runs),
            Seen::Changed => self.on_changed(&question, answer.runs),
            Seen::Parted { groups, .. } => self.on_parted(&question, &groups),
            Seen::Degenerate(reason) => self.on_degenerate(&question, reason),
            Seen::Unresolved { reason, not_applied } => self.on_unresolved(&question, &reason, &not_applied),
        }
    }

    /// How many runs were made, those before the search included.
    pub fn runs_used(&self) -> usize {
        self.runs
    }

    /// Candidates that were given up, with the reason: what was not checked.
    pub fn not_checked(&self) -> Vec<String> {
        self.dropped.iter().map(|(&member, reason)| format!("{}: {reason}", self.candidates[member].id)).collect()
    }

    fn ask(&self, question: &Question) -> Ask {
        let mut treatment = self.levels(&question.held);
        if let Some((id, level)) = question.probe.as_ref().and_then(|probe| self.probe_level(probe)) {
            treatment.insert(id, level);
        }
        let Question { repeats, full_length, .. } = *question;
        let against = question.against.as_ref().map(|held| self.levels(held));
        Ask::Run { treatment, repeats, full_length, all: question.held.is_empty(), against, why: question.why.clone() }
    }

    /// The levels of the treatment that holds these.
    fn levels(&self, held: &Held) -> BTreeMap<SettingId, Level> {
        let mut levels = self.config.reference.clone();
        levels.extend(held.iter().map(|&m| (self.candidates[m].id.clone(), self.candidates[m].hold.clone())));
        levels
    }

    /// The most runs that may be made in all, those before the search included.
    pub fn budget(&self) -> usize {
        let usual = if self.rate.is_some() { Config::MAX_RUNS_SOMETIMES } else { Config::MAX_RUNS };
        self.config.max_runs.unwrap_or(usual)
    }

    /// Poses a question, shortened to what the budget still allows; where that is not even a pair, the search ends.
    fn pose(&mut self, mut question: Question) {
        let left = self.budget().saturating_sub(self.runs);
        let made = self.memory.made(&question.held) > 0 && question.probe.is_none();
        let least = if made || question.against.is_some() { 1 } else { 2 };
        if left < least {
            self.phase = Phase::End(self.exhausted());
            return;
        }
        question.repeats = question.repeats.clamp(least, left);
        self.pending = Some(question);
    }

    fn exhausted(&self) -> Ending {
        match &self.phase {
            Phase::Prune(kept) => {
                let shortfall = self.final_repeats().saturating_sub(self.memory.agreed_at_full_length(&kept.held));
                Ending::Found { kept: kept.clone(), settled: false, shortfall: (shortfall > 0).then_some(shortfall) }
            }
            Phase::Watch | Phase::Climb | Phase::Probe | Phase::End(_) => Ending::Exhausted,
        }
    }

    fn on_agreed(&mut self, question: &Question, runs: usize) {
        match &question.probe {
            Some(probe) => self.phase = Phase::End(Ending::Probed(probe.clone())),
            None if question.held.is_empty() => self.watched_agreeing(runs),
            None => self.acquitted(question, runs),
        }
    }

    /// Runs under this set agree, with the one that was made before where there is one.
    fn acquitted(&mut self, question: &Question, runs: usize) {
        let earlier = usize::from(self.memory.only_changed(&question.held));
        self.memory.add_agreed(question.held.clone(), runs + earlier, question.full_length);
    }

    /// One run that differs from those it was compared against does not show whether it repeats; several that agree do.
    fn on_changed(&mut self, question: &Question, runs: usize) {
        if runs + self.memory.made(&question.held) > 1 {
            self.acquitted(question, runs);
        } else {
            let hint = self.trusting && !self.released(question).any(|m| is_altering(&self.candidates[m].id));
            self.memory.changed(question.held.clone(), hint);
        }
    }

    /// What the runs compared against hold and these do not.
    fn released<'q>(&self, question: &'q Question) -> impl Iterator<Item = usize> + use<'q> {
        question.against.iter().flatten().copied().filter(|member| !question.held.contains(member))
    }

    fn on_parted(&mut self, question: &Question, groups: &[usize]) {
        if question.probe.is_some() {
            return;
        }
        if question.held.is_empty() {
            self.watched(groups);
        } else if let Some(seen) = Rate::of_groups(groups) {
            self.rate = Some(self.rate.map_or(seen, |known| known.and(seen)));
        }
        self.memory.parted(question.held.clone());
    }

    /// Deterministic algorithms fill fresh memory with NaN: runs that then agree on NaN prove nothing about memory.
    fn on_degenerate(&mut self, question: &Question, reason: String) {
        let filler = question.held.iter().find(|&&m| self.candidates[m].id.as_str() == "deterministic_algorithms");
        match filler {
            Some(&member) => self.give_up(member, reason),
            None => self.on_unresolved(question, &reason, &[]),
        }
    }

    fn on_unresolved(&mut self, question: &Question, reason: &str, not_applied: &[SettingId]) {
        if question.probe.is_some() {
            return;
        }
        let named: Vec<usize> =
            question.held.iter().copied().filter(|&m| not_applied.contains(&self.candidates[m].id)).collect();
        if named.is_empty() {
            self.memory.unresolved(question.held.clone(), reason);
        }
        for member in named {
            self.give_up(member, reason.to_owned());
        }
    }

    /// Holds this candidate no more; what was learnt from sets that include it is forgotten, since it never took effect
    /// in them or took more effect than it should.
    fn give_up(&mut self, member: usize, reason: String) {
        self.dropped.insert(member, reason);
        self.memory.forget(member);
        self.memory.drop_hints();
        if let Phase::Prune(kept) = &self.phase
            && kept.held.contains(&member)
        {
            self.phase = Phase::Climb;
        }
    }

    /// The candidates still in play.
    fn playing(&self) -> Held {
        (0..self.candidates.len()).filter(|member| !self.dropped.contains_key(member)).collect()
    }

    /// The risk of agreement by luck that is taken.
    fn risk(&self) -> f64 {
        (1.0 - self.config.confidence) * 0.1_f64.powi(i32::try_from(self.restarts).unwrap_or(0))
    }

    /// Repeats for one question on the way. Where no two reference runs agree, two agreeing ones acquit; where the job
    /// parts only sometimes, more are needed. More risk is taken than for the proof, since the final set is repeated as
    /// often as the proof needs.
    fn exploring_repeats(&self) -> usize {
        self.rate.map_or(2, |rate| rate.repeats_for(self.risk() * EXPLORING))
    }

    /// Whether enough runs agree under this set to go on from it.
    fn agrees(&self, held: &Held) -> bool {
        self.memory.agreed(held) >= if self.rate.is_some() { self.demand } else { 1 }
    }

    /// Repeats behind the final set: N, or more where the job parts only sometimes. Each set that was ever asked about had
    /// its chance of agreeing by luck, those that then parted too, so all of them share the risk (Bonferroni).
    fn final_repeats(&self) -> usize {
        let chances = self.memory.judged_sets().max(1) as f64;
        let least = self.config.repeats.max(2);
        match self.rate {
            Some(rate) => rate.repeats_for(self.risk() / chances).max(least),
            // Without a record the proof rests on agreement alone: one repeat more where few partings were seen.
            None if self.config.evidence.is_none() => self.always().repeats_for(self.risk()).clamp(least, least + 1),
            None => least,
        }
    }

    /// The rate of a job that parted whenever it was looked at.
    fn always(&self) -> Rate {
        let reference: usize = self.config.control.groups.iter().sum();
        Rate { usual: 1, other: reference.saturating_sub(2) + self.memory.parting_sets() }
    }

    fn names(&self, held: &Held) -> String {
        let names: Vec<&str> = held.iter().map(|&member| self.candidates[member].id.as_str()).collect();
        match names.as_slice() {
            [] => "nothing".to_owned(),
            names if names.len() > 4 && held.len() == self.playing().len() => {
                format!("all {} settings that can be held", names.len())
            }
            names => names.join(", "),
        }
    }

    fn note(&mut self, question: &Question, answer: &Answer) {
        let held = self.names(&question.held);
        let held = if question.held.is_empty() { "the reference again".to_owned() } else { format!("held {held}") };
        let and = question.probe.as_ref().map(|probe| format!(" and {probe}")).unwrap_or_default();
        let said = match &answer.seen {
            Seen::Agreed if question.against.is_some() => "agrees with the runs with more held".to_owned(),
            Seen::Agreed => format!("{} runs agree", answer.runs),
            Seen::Changed => "differs from the runs with more held".to_owned(),
            Seen::Parted { onset, .. } => format!("parts{}", at(onset.as_ref())),
            Seen::Degenerate(reason) => format!("says nothing: {reason}"),
            Seen::Unresolved { reason, .. } => format!("unresolved: {reason}"),
        };
        self.history.push(format!("{held}{and}: {said}"));
    }
}

/// " at step 12", where the log shows a step.
fn at(onset: Option<&Position>) -> String {
    onset.and_then(|position| position.step).map(|step| format!(" at step {step}")).unwrap_or_default()
}

/// Whether the reference itself holds what the candidate would hold.
fn already_held(reference: &BTreeMap<SettingId, Level>, candidate: &Candidate) -> bool {
    let loose = ["off", "warn", "as-is", "random"];
    match reference.get(&candidate.id) {
        Some(level) if candidate.id.as_str() == "threads" => *level == candidate.hold,
        Some(level) => !loose.contains(&level.as_str()),
        None => false,
    }
}

/// All members of `held` but those of `without`.
fn less(held: &Held, without: &[usize]) -> Held {
    let without: BTreeSet<usize> = without.iter().copied().collect();
    held.difference(&without).copied().collect()
}
