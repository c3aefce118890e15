//! The simulated world, and the loop around the search as a command would run it.

use std::collections::{BTreeMap, BTreeSet};

use repro_audit::blame::{Answer, Ask, Config, Control, Search, Seen, recordings};
use repro_audit::model::{Blame, Evidence, Grade, Level, Levels, Position, ReadBack, Setting, SettingId};

/// What can be live in the world: the cause, and the settings of which any one cures it.
pub const CAUSES: [(&str, &[&str]); 15] = [
    ("seed.python", &["seed.python", "entropy"]),
    ("seed.numpy", &["seed.numpy", "entropy"]),
    ("seed.torch", &["seed.torch"]),
    ("seed.numpy_generator", &["seed.numpy_generator", "entropy"]),
    ("seed.worker", &["seed.worker", "entropy"]),
    ("dataloader.generator", &["dataloader.generator", "entropy"]),
    ("hashseed", &["hashseed"]),
    ("order.filesystem", &["order.filesystem"]),
    ("clock", &["clock"]),
    ("entropy", &["entropy"]),
    ("race", &["race"]),
    ("op.nondeterministic", &["deterministic_algorithms", "threads"]),
    ("uninitialised", &["uninitialised"]),
    ("cudnn.benchmark", &["cudnn.benchmark"]),
    ("compile", &["compile"]),
];

/// The settings that the world's searches may hold: sixteen of them.
pub const SETTINGS: [&str; 16] = [
    "seed.python",
    "seed.numpy",
    "seed.torch",
    "seed.numpy_generator",
    "seed.worker",
    "dataloader.generator",
    "hashseed",
    "order.filesystem",
    "clock",
    "entropy",
    "race",
    "deterministic_algorithms",
    "threads",
    "uninitialised",
    "cudnn.benchmark",
    "compile",
];

/// A setting that can be held at `on`.
pub fn setting(id: &str) -> Setting {
    Setting {
        id: SettingId::new(id),
        aliases: Vec::new(),
        summary: String::new(),
        levels: Levels::Any,
        needs: Vec::new(),
        reach: Vec::new(),
        read_back: ReadBack::Shim,
        hold: Some(Level::new("on")),
        probe: None,
        cures: vec![id.to_owned()],
        cost: String::new(),
    }
}

/// A small generator of its own, so that the figures printed are the same on every machine.
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn chance(&mut self, p: f64) -> bool {
        ((self.next() >> 11) as f64 / (1u64 << 53) as f64) < p
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// A job with known causes.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Live causes, as places in `CAUSES`, with the share of runs in which each shows; 1 for every run.
    pub live: BTreeMap<usize, f64>,
    /// Live causes that show only after the step at which shortened runs stop.
    pub late: BTreeSet<usize>,
    /// Settings that do not take effect, and say so.
    pub unappliable: BTreeSet<String>,
    /// Settings with which the job fails, without saying which was to blame.
    pub failing: BTreeSet<String>,
    /// Settings that bring a divergence in when held.
    pub harmful: BTreeSet<String>,
    /// Settings that change the result when held, and leave it repeatable.
    pub altering: BTreeSet<String>,
    /// Causes that show in some runs give another outcome each time they do.
    pub fresh: bool,
    /// Deterministic algorithms turn every loss into NaN.
    pub nan: bool,
}

impl World {
    pub fn with(causes: &[&str]) -> Self {
        Self { live: causes.iter().map(|id| (place(id), 1.0)).collect(), ..Self::default() }
    }

    pub fn sometimes(cause: &str, rate: f64) -> Self {
        Self { live: BTreeMap::from([(place(cause), rate)]), ..Self::default() }
    }

    /// One run: two runs agree exactly when this is the same as far as both go.
    fn run(&self, held: &BTreeSet<String>, full_length: bool, dice: &mut Dice) -> Trace {
        let (mut early, mut late) = (Vec::new(), Vec::new());
        for (&cause, &rate) in &self.live {
            let cured = CAUSES[cause].1.iter().any(|setting| held.contains(*setting));
            let shows = !cured && dice.chance(rate);
            let outcome = match shows {
                true if rate < 1.0 && !self.fresh => 1,
                true => dice.next(),
                false => 0,
            };
            if self.late.contains(&cause) { late.push(outcome) } else { early.push(outcome) }
        }
        if self.harmful.iter().any(|setting| held.contains(setting)) {
            early.push(dice.next());
        }
        early.extend(self.altering.iter().map(|setting| u64::from(held.contains(setting))));
        (early, full_length.then_some(late))
    }

    /// The cause ids that it is right to name.
    pub fn guilty(&self) -> BTreeSet<&'static str> {
        let mut ids = BTreeSet::new();
        for &cause in self.live.keys() {
            ids.insert(CAUSES[cause].0);
            // The wider name is right as well where the narrower one is out of reach or masked.
            if CAUSES[cause].1.contains(&"entropy") {
                ids.insert("entropy");
            }
        }
        ids
    }
}

pub fn place(cause: &str) -> usize {
    CAUSES.iter().position(|(id, _)| *id == cause).expect("a cause of this world")
}

/// What a run showed early, and what later, where it went on to the end.
type Trace = (Vec<u64>, Option<Vec<u64>>);

/// An audit of a world: the runs made so far, by what was held.
pub struct Audit<'a> {
    world: &'a World,
    dice: Dice,
    runs: BTreeMap<BTreeSet<String>, Vec<Trace>>,
}

/// The levels of a treatment.
type Treated = BTreeMap<SettingId, Level>;

fn names(treatment: &Treated) -> BTreeSet<String> {
    treatment.keys().map(ToString::to_string).collect()
}

/// Sizes of the groups of runs that agree as far as they go.
fn groups(runs: &[Trace]) -> Vec<usize> {
    fn sizes<T: Ord>(outcomes: impl Iterator<Item = T>) -> Vec<usize> {
        let mut sizes: BTreeMap<T, usize> = BTreeMap::new();
        outcomes.for_each(|outcome| *sizes.entry(outcome).or_default() += 1);
        sizes.into_values().collect()
    }
    let early = sizes(runs.iter().map(|(early, _)| early));
    let late = sizes(runs.iter().filter(|(_, late)| late.is_some()));
    if early.len() > 1 || late.len() <= 1 { early } else { late }
}

impl<'a> Audit<'a> {
    pub fn new(world: &'a World, seed: u64) -> Self {
        Self { world, dice: Dice(seed), runs: BTreeMap::new() }
    }

    /// The reference repeats, all of them at full length: sizes of the groups of identical runs.
    pub fn control(&mut self, repeats: usize) -> Vec<usize> {
        self.repeat(&BTreeSet::new(), repeats, true, true).1
    }

    /// Recorded runs, in pairs, until two of them part or more are not worth it: whether they did, and the groups of all
    /// reference runs.
    pub fn record(&mut self, groups: Vec<usize>, most: usize) -> (bool, Vec<usize>) {
        let (reference, mut known) = (BTreeSet::new(), groups);
        let mut recorded: Vec<Trace> = Vec::new();
        while recorded.len() < recordings(&known, Config::CONFIDENCE, most) {
            known = self.repeat(&reference, 2, true, true).1;
            recorded.extend(self.runs[&reference].iter().rev().take(2).cloned());
            if self::groups(&recorded).len() > 1 {
                return (true, known);
            }
        }
        (false, known)
    }

    /// One run after another, until two of the same treatment part.
    fn repeat(&mut self, held: &BTreeSet<String>, repeats: usize, full: bool, all: bool) -> (usize, Vec<usize>) {
        let earlier = self.runs.entry(held.clone()).or_default();
        for made in 1..=repeats {
            earlier.push(self.world.run(held, full, &mut self.dice));
            if !all && groups(earlier).len() > 1 {
                return (made, groups(earlier));
            }
        }
        (repeats, groups(earlier))
    }

    fn answer(
        &mut self,
        treatment: &Treated,
        repeats: usize,
        full: bool,
        all: bool,
        against: Option<Treated>,
    ) -> Answer {
        let held = names(treatment);
        let unapplied = |id: &&SettingId| self.world.unappliable.contains(id.as_str());
        let not_applied: Vec<SettingId> = treatment.keys().filter(unapplied).cloned().collect();
        let failed = |reason: &str, not_applied| Answer {
            seen: Seen::Unresolved { reason: reason.to_owned(), not_applied },
            runs: 1,
            steps: 1,
        };
        if !not_applied.is_empty() {
            return failed("did not take effect", not_applied);
        }
        if held.iter().any(|id| self.world.failing.contains(id)) {
            return failed("every run crashed", Vec::new());
        }
        let (runs, sizes) = self.repeat(&held, repeats, full, all);
        let known = against.map(|other| self.runs[&names(&other)].clone()).unwrap_or_default();
        let same = groups(&[known, self.runs[&held].clone()].concat()).len() == 1;
        let seen = match sizes.len() {
            1 if self.world.nan && held.contains("deterministic_algorithms") => {
                Seen::Degenerate("every loss is nan".to_owned())
            }
            1 if !same => Seen::Changed,
            1 => Seen::Agreed,
            _ => Seen::Parted { onset: Some(Position::at_step(0)), groups: sizes },
        };
        Answer { seen, runs, steps: runs as u64 }
    }
}

/// What came of a search.
pub struct Found {
    pub blame: Blame,
    pub not_checked: Vec<String>,
    pub asked: Vec<BTreeSet<String>>,
    /// Runs made at full length during the search.
    pub full_runs: usize,
    /// Runs that controlled or confirmed: the reference, everything held, the final set, and each member let go of again.
    pub checks: usize,
}

impl Found {
    pub fn graded(&self, grade: Grade) -> BTreeSet<&str> {
        self.blame.causes.iter().filter(|cause| cause.grade == grade).map(|cause| cause.id.as_str()).collect()
    }

    pub fn proved(&self) -> BTreeSet<&str> {
        self.graded(Grade::Proved)
    }

    pub fn pins(&self) -> BTreeSet<&str> {
        self.blame.pins.iter().map(|(id, _)| id.as_str()).collect()
    }
}

/// How many reference runs an audit makes before the search: three, and two recorded ones where there is a record.
pub fn reference_runs(evidence: Option<&Evidence>) -> usize {
    if evidence.is_some() { 5 } else { 3 }
}

/// A search after these reference runs, for three repeats.
pub fn config(groups: Vec<usize>, evidence: Option<Evidence>) -> Config {
    let runs = groups.iter().sum::<usize>();
    Config {
        repeats: 3,
        max_runs: None,
        confidence: Config::CONFIDENCE,
        settings: SETTINGS.iter().map(|id| setting(id)).collect(),
        reference: BTreeMap::new(),
        control: Control { groups, onset: Some(Position::at_step(0)), runs, steps: runs as u64 },
        evidence,
        shorten: false,
        command: "python train.py".to_owned(),
    }
}

/// Runs the whole loop as a command would.
pub fn search(audit: &mut Audit<'_>, config: Config) -> Found {
    let (max_runs, before) = (config.max_runs.unwrap_or(Config::MAX_RUNS_SOMETIMES), config.control.runs);
    let mut search = Search::new(config);
    let (mut asked, mut full_runs, mut checks) = (Vec::new(), 0, before);
    let mut spent: BTreeMap<BTreeSet<String>, usize> = BTreeMap::new();
    for _ in 0..1000 {
        let ask = search.next_ask();
        assert_eq!(search.next_ask(), ask, "asking twice gives two questions");
        match ask {
            Ask::Run { treatment, repeats, full_length, all, against, why } => {
                assert!(repeats >= 1 && !why.is_empty());
                assert!(search.runs_used() + repeats <= max_runs, "asked for more than the budget");
                asked.push(treatment.keys().map(ToString::to_string).collect());
                let answer = audit.answer(&treatment, repeats, full_length, all, against);
                full_runs += if full_length { answer.runs } else { 0 };
                let checking = ["does anything", "do the runs part again"];
                if checking.iter().any(|words| why.starts_with(words)) {
                    checks += answer.runs;
                } else {
                    *spent.entry(names(&treatment)).or_default() += answer.runs;
                }
                search.seen(answer);
            }
            Ask::Done(blame) => {
                assert!(blame.runs_used <= max_runs.max(before), "{} runs of {max_runs}", blame.runs_used);
                assert!(!blame.causes.is_empty());
                let not_checked = search.not_checked();
                checks += spent.get(&blame.pins.iter().map(|(id, _)| id.to_string()).collect()).unwrap_or(&0);
                return Found { blame: *blame, not_checked, asked, full_runs, checks };
            }
        }
    }
    panic!("the search does not end");
}

/// Audits the world with three repeats; `None` where they happen to agree.
pub fn audit(world: &World, evidence: Option<Evidence>, seed: u64) -> Option<Found> {
    let mut audit = Audit::new(world, seed);
    let groups = audit.control(reference_runs(evidence.as_ref()));
    (groups.len() > 1).then(|| search(&mut audit, config(groups, evidence)))
}

/// Gives every question the answer that `answer` finds for its treatment.
pub fn answering(config: Config, answer: impl Fn(&BTreeMap<SettingId, Level>) -> Seen) -> Blame {
    let mut search = Search::new(config);
    for _ in 0..1000 {
        match search.next_ask() {
            Ask::Run { treatment, .. } => search.seen(Answer { seen: answer(&treatment), runs: 2, steps: 0 }),
            Ask::Done(blame) => return *blame,
        }
    }
    panic!("the search does not end");
}

/// Two runs that part.
pub fn parted() -> Seen {
    Seen::Parted { onset: None, groups: vec![1, 1] }
}
