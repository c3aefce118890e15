//! What the search found, graded and put into words.

use super::super::confidence::probability;
use super::super::locate::location;
use super::super::name::{Named, name};
use super::super::nominate::Strength;
use super::super::remedy::{by_holding, remedy};
use super::super::summary::{summary, summary_of_holding};
use super::memory::Held;
use super::{EXPLORING, Ending, Kept, Search, at, less};
use crate::model::{Blame, Cause, GlobalGenerator, Grade, Seeding, SettingId, SourceLine};

impl Search {
    pub(super) fn finish(&self, ending: &Ending) -> Blame {
        let (causes, pins) = match ending {
            Ending::Found { kept, settled, shortfall } => (self.found(kept, *settled, *shortfall), kept.held.clone()),
            Ending::Outside => (vec![self.unknown()], Held::new()),
            Ending::Probed(probe) => (self.where_to_look(probe), Held::new()),
            Ending::Exhausted => (self.out_of_budget(), Held::new()),
            Ending::Contradicted => (vec![self.contradicted()], Held::new()),
            Ending::NothingToHold => (vec![self.unknown()], Held::new()),
        };
        let pins = pins.iter().map(|&m| (self.candidates[m].id.clone(), self.candidates[m].hold.clone())).collect();
        Blame { causes, pins, runs_used: self.runs, steps_used: self.steps, history: self.history.clone() }
    }

    fn found(&self, kept: &Kept, settled: bool, shortfall: Option<usize>) -> Vec<Cause> {
        let grade = if settled { Grade::Proved } else { Grade::Likely };
        let mut members: Vec<usize> = kept.needed.iter().copied().collect();
        members.sort_by_key(|&member| std::cmp::Reverse(self.candidates[member].strength));
        let mut causes = Vec::new();
        for member in members {
            add(&mut causes, self.convicted(kept, member, grade, shortfall));
        }
        let unsettled: Held = kept.held.difference(&kept.needed).copied().collect();
        for &member in unsettled.iter().filter(|&&m| self.candidates[m].strength >= Some(Strength::Fair)) {
            add(&mut causes, self.merely_held(member));
        }
        if causes.is_empty() {
            causes.push(self.among(&unsettled));
        }
        causes.sort_by_key(|cause| cause.grade);
        causes
    }

    fn convicted(&self, kept: &Kept, member: usize, grade: Grade, shortfall: Option<usize>) -> Cause {
        let named = self.name(member);
        let grade = if named.inferred.is_some() { grade.max(Grade::Likely) } else { grade };
        // What parted at full length may have parted for a cause that the runs which agree were too short to show.
        let short = self.config.shorten && self.memory.agreed_at_full_length(&kept.held) < 2;
        let weak = short || self.only_hinted(kept, member) || self.may_be_luck(kept) || self.was_idle(member);
        let grade = if weak { Grade::Suspected } else { grade };
        let mut evidence = vec![self.held_agrees(kept), self.released_parts(kept, member)];
        evidence.extend(self.luck(kept));
        evidence.extend(named.inferred.iter().cloned());
        evidence.extend(self.candidates[member].why.clone());
        evidence.extend(self.first_difference());
        evidence.extend(self.not_the_only_one(&named));
        evidence.extend(shortfall.map(|more| self.would_settle(kept, more)));
        self.cause_of(member, named.id, grade, evidence)
    }

    /// Where a wide setting was needed though one that cures what the record named was tried alone: there is more to cure.
    fn not_the_only_one(&self, named: &Named) -> Option<String> {
        let own = self.playing().into_iter().find(|&member| self.candidates[member].id.as_str() == named.id)?;
        let parted = named.inferred.is_some() && self.memory.seen_parting(&Held::from([own]));
        parted.then(|| format!("with {} alone held they still part: it is not the only one", named.id))
    }

    /// A member that stayed held without being shown to be needed.
    fn merely_held(&self, member: usize) -> Cause {
        let id = &self.candidates[member].id;
        let mut evidence =
            vec![format!("the runs agree with {id} held among others; whether it is needed was not settled")];
        evidence.extend(self.candidates[member].why.clone());
        self.cause_of(member, self.name(member).id, Grade::Suspected, evidence)
    }

    /// The budget ended with a set that agrees, before any member was shown to be needed.
    fn among(&self, held: &Held) -> Cause {
        let mut unknown = self.cause("unknown".to_owned(), Grade::Suspected, self.control_seen().into_iter().collect());
        unknown.summary = format!("the cause is among: {}", self.names(held));
        unknown
            .evidence
            .push("with all of them held the runs agree; the search ended before it could tell which".to_owned());
        unknown.evidence.extend(self.what_more_would_show(self.memory.agreed(held)));
        unknown
    }

    fn held_agrees(&self, kept: &Kept) -> String {
        let (agreed, full) = (self.memory.agreed(&kept.held), self.memory.agreed_at_full_length(&kept.held));
        let names = self.names(&kept.held);
        match full {
            1 => format!("with {names} held, a run to the end agrees with those in which more was held"),
            0 => format!("with {names} held, {agreed} of {agreed} runs agree, though they were not run to the end"),
            _ => format!("with {names} held, {full} of {full} runs agree at full length"),
        }
    }

    /// Whether the agreement of the held set is too likely to be luck for anything to be called likely.
    fn may_be_luck(&self, kept: &Kept) -> bool {
        let most = (1.0 - self.config.confidence) * EXPLORING;
        self.rate.is_some_and(|rate| rate.agree_by_luck(self.memory.agreed(&kept.held)) > most)
    }

    /// Whether this seeds a generator that nothing was seen to use, in a job whose runs agree most of the time: then rates that
    /// drift while the search goes on explain the agreement as well.
    fn was_idle(&self, member: usize) -> bool {
        let candidate = &self.candidates[member];
        let recorded = self.config.evidence.is_some();
        let seen = candidate.strength > Some(Strength::Weak);
        recorded && !seen && self.rate.is_some() && candidate.id.as_str().starts_with("seed.")
    }

    /// Whether nothing but single runs speaks for this member.
    fn only_hinted(&self, kept: &Kept, member: usize) -> bool {
        self.memory.has_hints() && !self.memory.seen_parting(&less(&kept.held, &[member]))
    }

    fn released_parts(&self, kept: &Kept, member: usize) -> String {
        let id = &self.candidates[member].id;
        if self.only_hinted(kept, member) {
            return format!("one run without {id} differs from those with it; whether that repeats was not settled");
        }
        if kept.held.len() == 1 {
            return format!(
                "without it they part{}, as the reference repeats show",
                at(self.config.control.onset.as_ref())
            );
        }
        format!("with only {id} released again, they part")
    }

    /// How likely it is that the agreement is luck, where the job parts only sometimes.
    fn luck(&self, kept: &Kept) -> Option<String> {
        let rate = self.rate?;
        let agreed = self.memory.agreed(&kept.held);
        Some(format!(
            "the job parts only sometimes ({} of {} runs); {agreed} runs agree by luck with probability {}",
            rate.other,
            rate.usual + rate.other,
            probability(rate.agree_by_luck(agreed))
        ))
    }

    fn first_difference(&self) -> Option<String> {
        let first = self.config.evidence.as_ref()?.first.as_ref()?;
        let step = first.step.map(|step| format!(" of step {step}")).unwrap_or_default();
        Some(format!("first to differ in the record: {} ({}){step}", first.item, first.stage.word()))
    }

    /// The command that would turn `likely` into an answer.
    fn would_settle(&self, kept: &Kept, more: usize) -> String {
        let times = self.memory.agreed_at_full_length(&kept.held) + more;
        let sets: String = kept
            .held
            .iter()
            .map(|&m| format!("--set {}={} ", self.candidates[m].id, self.candidates[m].hold))
            .collect();
        let command = if self.config.command.is_empty() { "CMD" } else { &self.config.command };
        format!("not enough runs for proof; this would settle it: repro-audit run --times {times} {sets}-- {command}")
    }

    fn unknown(&self) -> Cause {
        let held = self.names(&self.playing());
        let mut evidence = vec![match self.playing().is_empty() {
            true => "no setting that could hold a source of variation still reaches this job".to_owned(),
            false => format!("with {held} held, the runs still part"),
        }];
        evidence.extend(self.control_seen());
        evidence.extend(self.first_difference());
        let reseeded = self.seeded_from_outside();
        let seeds = reseeded.iter().filter_map(|generator| generator.seeds.as_ref());
        evidence.extend(seeds.map(|seeds| format!("a seed comes from outside and differs from run to run: {seeds}")));
        let by_address = self.ordered_by_address();
        evidence.extend(by_address.iter().map(|line| {
            format!(
                "{}:{} walks a set or asks for a hash: with hashseed held, what is left there are objects that lie by their \
                 addresses",
                line.file.display(),
                line.line
            )
        }));
        evidence.extend(self.not_checked().into_iter().map(|dropped| format!("not held: {dropped}")));
        evidence.extend(self.config.evidence.iter().flat_map(|evidence| evidence.notes.clone()));
        let unknown = self.cause("unknown".to_owned(), Grade::Suspected, evidence);
        match reseeded.as_slice() {
            [] => Cause { location: by_address, ..unknown },
            [first, ..] => Cause {
                summary: "a seed is given to the job from outside, another one in each run".to_owned(),
                remedy: "give the seed where the job is started, a constant one: an option, a variable, a file"
                    .to_owned(),
                location: first.location.clone(),
                ..unknown
            },
        }
    }

    /// Where the job walks a set, although string hashes were held and that did not help.
    fn ordered_by_address(&self) -> Option<SourceLine> {
        let held = self.playing().iter().any(|&member| self.candidates[member].id.as_str() == "hashseed");
        self.config.evidence.as_ref().filter(|_| held).and_then(|evidence| location("hashseed", evidence))
    }

    /// Global generators that get another seed in each run, although nothing that was held could have made it.
    fn seeded_from_outside(&self) -> Vec<&GlobalGenerator> {
        let generators = self.config.evidence.iter().flat_map(|evidence| &evidence.generators);
        generators.filter(|generator| generator.differs && generator.seeding == Seeding::Clock).collect()
    }

    fn contradicted(&self) -> Cause {
        let seen = "sets of settings under which some runs agreed parted when they were repeated";
        let mut unknown = self.cause("unknown".to_owned(), Grade::Suspected, vec![seen.to_owned()]);
        unknown.summary = "the job parts too seldom for its cause to be told with this many repeats".to_owned();
        unknown.evidence.extend(self.control_seen());
        unknown.evidence.extend(self.what_more_would_show(self.exploring_repeats()));
        unknown
    }

    /// Where the job parts only sometimes: what that leaves open after so many agreeing runs, and what would settle it.
    fn what_more_would_show(&self, agreeing: usize) -> Option<String> {
        let rate = self.rate?;
        Some(format!(
            "the job parts only sometimes ({} of {} runs): {agreeing} runs of it all agree by luck with probability {}; \
             to go on searching: --max-runs {}",
            rate.other,
            rate.usual + rate.other,
            probability(rate.agree_by_luck(agreeing)),
            self.budget() * 2
        ))
    }

    fn control_seen(&self) -> Option<String> {
        let control = &self.config.control;
        let runs: usize = control.groups.iter().sum();
        (runs > 1).then(|| {
            format!("{runs} reference repeats gave {} different outcomes{}", control.groups.len(), parting(self))
        })
    }

    /// What a probe told, with which the runs agree.
    fn where_to_look(&self, probe: &SettingId) -> Vec<Cause> {
        match probe.as_str() {
            "num_workers" => self.behind_the_workers(),
            "aslr" => vec![self.by_address()],
            other => vec![self.only_with(other)],
        }
    }

    fn only_with(&self, probe: &str) -> Cause {
        let mut unknown = self.unknown();
        unknown.summary = format!("nothing that can be held makes the runs agree, but {probe} does");
        unknown.evidence.insert(0, format!("with {probe} set as well, the runs agree"));
        unknown
    }

    /// Objects lie elsewhere in each process, and so does what is ordered by where they lie.
    fn by_address(&self) -> Cause {
        let mut unknown = self.only_with("aslr=off");
        unknown.summary =
            "the result follows the addresses of objects: an order by id() or of a set of objects, or memory read before it is written"
                .to_owned();
        unknown.remedy =
            "sorted(items, key=lambda item: item.name)  # or a list or a dict in place of the set".to_owned();
        unknown.location =
            self.config.evidence.as_ref().and_then(|evidence| location("hashseed", evidence)).or(unknown.location);
        unknown
    }

    /// Without loader workers the runs agree: the cause is in the workers, and only the record can tell which.
    fn behind_the_workers(&self) -> Vec<Cause> {
        let seen = "with num_workers=0 the runs agree, so the cause is in the loader's workers".to_owned();
        let unordered = self.points_to("race");
        let made = self.points_to("seed.worker");
        let grade = |pointed: bool, other: bool| if pointed && !other { Grade::Likely } else { Grade::Suspected };
        let mut causes = vec![
            self.cause("seed.worker".to_owned(), grade(made, unordered), vec![seen.clone()]),
            self.cause("race".to_owned(), grade(unordered, made), vec![seen]),
        ];
        causes.sort_by_key(|cause| cause.grade);
        causes
    }

    fn points_to(&self, setting: &str) -> bool {
        let evidence = self.config.evidence.iter();
        evidence.flat_map(super::nominate).any(|n| n.setting == setting && n.strength == Strength::Strong)
    }

    /// What can be said where somebody ended the search: what the record shows is suspected; the history tells what was tried.
    pub fn interrupted(&self) -> Blame {
        let causes = self.suspects("the search was interrupted");
        let ended = "the search was interrupted".to_owned();
        let history = self.history.iter().cloned().chain([ended]).collect();
        Blame { causes, history, runs_used: self.runs, steps_used: self.steps, ..Blame::default() }
    }

    /// What the record points to and was not tested to the end, because of `ending`.
    fn suspects(&self, ending: &str) -> Vec<Cause> {
        let mut causes = Vec::new();
        for member in self.playing().into_iter().rev() {
            let candidate = &self.candidates[member];
            if candidate.strength >= Some(Strength::Fair) {
                let why = candidate.why.clone().unwrap_or_default();
                let evidence = vec![why, format!("not tested to the end: {ending}")];
                add(&mut causes, self.cause_of(member, self.name(member).id, Grade::Suspected, evidence));
            }
        }
        causes
    }

    /// No set was found to agree before the budget ended: what the record shows is suspected, nothing more.
    fn out_of_budget(&self) -> Vec<Cause> {
        let mut causes = self.suspects(&format!("{} runs were allowed", self.budget()));
        for cause in &mut causes {
            cause.evidence.extend(self.what_more_would_show(self.config.repeats));
        }
        if causes.is_empty() {
            let mut unknown = self.unknown();
            unknown.summary = format!("no cause was found within {} runs", self.budget());
            unknown.evidence[0] =
                format!("the search ended before it could tell; allow more with --max-runs {}", self.budget() * 2);
            unknown.evidence.extend(self.what_more_would_show(self.config.repeats));
            causes.push(unknown);
        }
        causes
    }

    fn name(&self, member: usize) -> Named {
        let candidate = &self.candidates[member];
        let playing = self.playing();
        let could_hold = |id: &str| playing.iter().any(|&m| self.candidates[m].id.as_str() == id);
        name(candidate.id.as_str(), &candidate.cures, self.config.evidence.as_ref(), &could_hold)
    }

    /// A cause with the remedy that holding this member showed.
    fn cause_of(&self, member: usize, id: String, grade: Grade, evidence: Vec<String>) -> Cause {
        let setting = self.candidates[member].id.as_str();
        let remedy = by_holding(setting, &id);
        let cause = self.cause(id, grade, evidence);
        let summary = summary_of_holding(setting).map_or(cause.summary, str::to_owned);
        Cause { remedy, summary, ..cause }
    }

    fn cause(&self, id: String, grade: Grade, evidence: Vec<String>) -> Cause {
        Cause {
            summary: summary(&id),
            remedy: remedy(&id),
            location: self.config.evidence.as_ref().and_then(|evidence| location(&id, evidence)),
            id,
            grade,
            evidence,
            price: None,
        }
    }
}

fn parting(search: &Search) -> String {
    let onset = at(search.config.control.onset.as_ref());
    if onset.is_empty() { onset } else { format!(", parting{onset}") }
}

/// Adds a cause; where another setting already stands for the same one, the two become one.
fn add(causes: &mut Vec<Cause>, cause: Cause) {
    match causes.iter_mut().find(|known| known.id == cause.id) {
        Some(known) => {
            known.grade = known.grade.min(cause.grade);
            for line in cause.evidence {
                if !known.evidence.contains(&line) {
                    known.evidence.push(line);
                }
            }
        }
        None => causes.push(cause),
    }
}
