//! A flight record's evidence to the settings it points to, each with its reason.
//!
//! The rules follow the order of execution: what differs first while all before it agrees is where the cause came in.
//! A generator that differs but is never drawn from is innocent, and so is a seeded one that parts as a consequence.

use crate::model::{
    Decider, Evidence, GlobalGenerator, Leftover, Library, Loader, Order, Outside, OwnGenerator, Read, Seeding, Stage,
};

/// How strongly a record points to a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// Seen in the job, but in most healthy jobs too.
    Weak,
    /// Fits the first difference, among others.
    Fair,
    /// The record shows the source itself, and nothing speaks against it.
    Strong,
}

/// A setting to which a record points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nomination {
    /// The setting to hold.
    pub setting: &'static str,
    /// How strongly.
    pub strength: Strength,
    /// Why, in words for the reader.
    pub why: String,
}

use Strength::{Fair, Strong, Weak};

/// The settings to which the evidence points; a setting may be there more than once, for more than one reason.
pub fn nominate(evidence: &Evidence) -> Vec<Nomination> {
    let mut found = Nominations(Vec::new());
    evidence.generators.iter().for_each(|generator| found.global_generator(generator, evidence));
    evidence.own_generators.iter().for_each(|generator| found.own_generator(generator));
    evidence.loaders.iter().for_each(|loader| found.loader(loader, evidence));
    evidence.orders.iter().for_each(|order| found.order(order));
    evidence.reads.iter().for_each(|read| found.read(read, evidence));
    evidence.leftovers.iter().take(1).for_each(|leftover| found.leftover(leftover));
    found.arithmetic(evidence);
    found.other_frameworks(evidence);
    found.memory(evidence);
    found.hashes(evidence);
    found.0
}

/// Relative differences below this come from the order of additions, not from other data.
const ROUNDING: f64 = 1e-4;

struct Nominations(Vec<Nomination>);

impl Nominations {
    fn add(&mut self, setting: &'static str, strength: Strength, why: impl Into<String>) {
        self.0.push(Nomination { setting, strength, why: why.into() });
    }

    fn global_generator(&mut self, generator: &GlobalGenerator, evidence: &Evidence) {
        let (setting, name) = seed_setting(generator.library);
        let init_differs = evidence.initial_parameters_differ == Some(true);
        if generator.seeding == Seeding::Late && (generator.differs || init_differs || generator.used_first) {
            // What was drawn before may be data or weights that the record shows elsewhere, or nothing that matters.
            let strength = if generator.differs || init_differs { Strong } else { Fair };
            return self.add(setting, strength, format!("{name}'s generator is seeded after it was used"));
        }
        if !generator.differs {
            return;
        }
        let initialised = init_differs && matches!(generator.library, Library::Torch | Library::Cuda);
        match (generator.seeding, generator.drawn || initialised) {
            (Seeding::Never, true) => {
                self.add(setting, Strong, format!("{name}'s generator differs, is used, and is never seeded"))
            }
            (Seeding::Entropy, true) => {
                self.add(setting, Strong, format!("{name}'s generator is used and seeded from entropy"))
            }
            (Seeding::Clock, _) if generator.used_first => {
                let why =
                    format!("{name}'s generator is drawn from before it is seeded, with another number in each run");
                self.add(setting, Strong, why);
            }
            // The number comes from another generator, which is the one to seed.
            (Seeding::Clock, _) if evidence.generators.iter().any(|other| other.used_first) => {}
            (Seeding::Clock, _) if evidence.reads.iter().all(|read| read.what != Outside::Clock) => {
                let why = format!("{name}'s generator gets another seed in each run, and no clock is read");
                self.add("entropy", Strong, why);
            }
            (Seeding::Clock, _) => self.add("clock", Strong, format!("{name}'s generator is seeded from the clock")),
            (Seeding::Fixed | Seeding::Late, true) => {
                self.add(
                    setting,
                    Weak,
                    format!("{name}'s generator is seeded, yet differs: more likely a consequence"),
                );
            }
            (Seeding::Never, false) => {
                self.add(
                    setting,
                    Weak,
                    format!("{name}'s generator is never seeded, though nothing was seen to use it"),
                );
            }
            (_, false) => {}
        }
    }

    fn own_generator(&mut self, generator: &OwnGenerator) {
        let (_, name) = seed_setting(generator.library);
        let what = format!("a generator of the job's own ({name})");
        match (generator.seeding, generator.in_worker) {
            (Seeding::Fixed | Seeding::Late, _) => {}
            (_, true) => {
                self.add("seed.worker", Strong, format!("{what} is made in a loader worker without a fixed seed"))
            }
            (Seeding::Clock, false) => self.add("clock", Strong, format!("{what} is seeded from the clock")),
            (_, false) if generator.library == Library::Numpy => {
                self.add("seed.numpy_generator", Strong, format!("{what} is made without a seed"));
            }
            (_, false) => self.add("entropy", Strong, format!("{what} is seeded from entropy")),
        }
    }

    fn loader(&mut self, loader: &Loader, evidence: &Evidence) {
        match loader.generator {
            Some(Seeding::Entropy | Seeding::Never) => {
                self.add("dataloader.generator", Strong, "the loader's generator is seeded from entropy");
            }
            Some(Seeding::Clock) => {
                self.add("dataloader.generator", Strong, "the loader's generator is seeded from the clock");
            }
            Some(Seeding::Fixed | Seeding::Late) | None => {}
        }
        if !loader.in_order && loader.workers > 1 {
            self.add("race", Strong, format!("{} loader workers hand out batches as they are ready", loader.workers));
        }
        if loader.workers > 0 && first_stage(evidence) == Some(Stage::Batch) {
            self.add("seed.worker", Fair, "the batch differs and loader workers make it");
            self.add("race", Weak, "the batch differs and loader workers make it");
        }
    }

    fn order(&mut self, order: &Order) {
        let seen = order.differs == Some(true);
        match order.decider {
            Decider::StringHashes if order.differs != Some(false) => {
                self.add("hashseed", if seen { Strong } else { Fair }, "an order follows the hashes of strings");
            }
            Decider::Completion => self.add("race", Strong, "results are taken in the order in which they are ready"),
            Decider::SharedUpdates => self.add("race", Strong, "several threads or processes update the same weights"),
            Decider::Threads => self.add("race", Fair, "the job starts threads of its own"),
            Decider::Streams => {
                self.add("cuda.streams", Fair, "streams of the card, or the host, may read what nobody waited for");
            }
            Decider::StringHashes => {}
        }
    }

    fn read(&mut self, read: &Read, evidence: &Evidence) {
        match read.what {
            Outside::Clock => self.clock(evidence),
            Outside::Entropy if read.in_worker => {
                self.add("seed.worker", Fair, "a loader worker reads entropy");
                self.add("entropy", Fair, "a loader worker reads entropy");
            }
            Outside::Entropy => self.add("entropy", Fair, "the job reads entropy: random bytes, ids or names"),
            Outside::Listing if read.names_differ == Some(true) => {
                let why = "the names in a directory that the job lists differ from run to run";
                self.add("order.filesystem", Strong, why);
                self.add("entropy", Fair, why);
            }
            Outside::Listing if read.order_differs == Some(true) => {
                self.add("order.filesystem", Strong, "a directory lists the same names in another order");
            }
            Outside::Listing if read.order_differs.is_none() && makes_names(evidence) => {
                self.add("order.filesystem", Fair, "the job makes up names and lists a directory");
            }
            Outside::Listing if read.order_differs.is_none() => {
                self.add("order.filesystem", Weak, "the job lists a directory");
            }
            Outside::Modified => {
                self.add("order.filesystem", Fair, "the job looks at the times at which files changed")
            }
            Outside::Listing | Outside::Name => {}
        }
    }

    fn leftover(&mut self, leftover: &Leftover) {
        self.add("leftovers", Strong, format!("the job reads {}, which an earlier run left", leftover.file));
    }

    fn clock(&mut self, evidence: &Evidence) {
        if evidence.only_length_differs {
            self.add("clock", Strong, "the job reads the clock, and the runs differ in length only");
        } else if is_schedule(evidence) {
            self.add("clock", Strong, "the job reads the clock, and the learning rate is the first to differ");
        } else if matches!(first_stage(evidence), Some(Stage::Optimizer)) {
            self.add("clock", Fair, "the job reads the clock, and the update differs on equal gradients");
        } else {
            self.add("clock", Weak, "the job reads the clock");
        }
    }

    fn arithmetic(&mut self, evidence: &Evidence) {
        if let Some(operation) = &evidence.operation {
            let why = format!("{} gives different outputs for equal inputs", operation.name);
            self.operation(&operation.name, operation.device.starts_with("cuda"), Strong, &why);
        }
        let stage = first_stage(evidence);
        let size = evidence.first.as_ref().and_then(|first| first.relative);
        let late = matches!(stage, Some(Stage::Loss | Stage::Gradients | Stage::Optimizer | Stage::Output));
        // What the model is given may be computed as well: then the losses part by rounding only.
        let computed = stage == Some(Stage::Batch) && size.is_some_and(|size| size < ROUNDING);
        if !(late || computed) || is_schedule(evidence) {
            return;
        }
        for alert in &evidence.alerts {
            let why = format!("{} announces that it does not repeat", alert.name);
            self.operation(&alert.name, alert.device.starts_with("cuda"), Strong, &why);
        }
        if size.is_none_or(|size| size < ROUNDING) && evidence.threads != Some(1) {
            let (fits, why) = match (computed, stage == Some(Stage::Gradients)) {
                (true, _) => (Strong, "the inputs differ by so little that only rounding explains it"),
                (_, true) => (Strong, "equal batch, weights and loss give other gradients"),
                _ => (Fair, "equal batch and weights give another loss or gradient"),
            };
            // Threads of the job's own, and memory that nobody wrote, change gradients as well.
            let races =
                evidence.orders.iter().any(|order| !matches!(order.decider, Decider::StringHashes | Decider::Streams));
            let alone = !races && evidence.uninitialised.is_empty();
            self.add("deterministic_algorithms", if alone { fits } else { Fair }, why);
            self.add("threads", Weak, "operations run on several threads");
        }
        if evidence.cuda && evidence.cudnn_benchmark != Some(false) {
            self.add("cudnn.benchmark", Fair, "convolutions choose their algorithm by timing");
        }
    }

    /// Inside other frameworks nothing is recorded: that one of them computes is all there is to go by.
    fn other_frameworks(&mut self, evidence: &Evidence) {
        if evidence.first.is_some() {
            return;
        }
        for framework in &evidence.frameworks {
            let why = |what: &str| {
                format!("the job computes with {what}, whose operations on a card add up in no fixed order")
            };
            match framework.as_str() {
                "jax" => self.add("xla.deterministic_ops", Fair, why("JAX")),
                "tensorflow" => self.add("tf.deterministic_ops", Fair, why("TensorFlow")),
                _ => {}
            }
        }
    }

    fn operation(&mut self, name: &str, cuda: bool, strength: Strength, why: &str) {
        let name = name.to_ascii_lowercase();
        if is_uninitialised(&name) {
            return self.add("uninitialised", strength, why);
        }
        self.add("deterministic_algorithms", strength, why);
        if cuda && name.contains("conv") {
            self.add("cudnn.deterministic", strength, why);
        }
        if cuda && (name.contains("attention") || name.contains("flash")) {
            self.add("sdpa.backend", strength, why);
        }
    }

    fn memory(&mut self, evidence: &Evidence) {
        if evidence.uninitialised.is_empty() {
            return;
        }
        let size = evidence.first.as_ref().and_then(|first| first.relative);
        let strength = match first_stage(evidence) {
            Some(Stage::Rng | Stage::Environment) | None => Weak,
            Some(Stage::Loss | Stage::Gradients | Stage::Optimizer) if size.is_some_and(|s| s < ROUNDING) => Weak,
            // Weights that differ before the first step, though every generator agrees, come from nowhere else.
            Some(Stage::Parameters) if !self.names_a_seed() => Strong,
            Some(_) => Fair,
        };
        self.add("uninitialised", strength, "the job makes tensors without writing them");
    }

    fn hashes(&mut self, evidence: &Evidence) {
        let fits =
            matches!(first_stage(evidence), Some(Stage::Batch | Stage::Parameters | Stage::Loss | Stage::Output));
        if fits && evidence.hashes_randomised != Some(false) {
            let strength = if self.0.iter().any(|n| n.strength == Fair) { Weak } else { Fair };
            self.add("hashseed", strength, "the inputs differ, the generators agree, and string hashes are random");
        }
    }

    fn names_a_seed(&self) -> bool {
        self.0.iter().any(|n| n.strength == Strong && n.setting.starts_with("seed."))
    }
}

/// The setting that seeds a library's global generator, and the library's name.
fn seed_setting(library: Library) -> (&'static str, &'static str) {
    match library {
        Library::Python => ("seed.python", "Python"),
        Library::Numpy => ("seed.numpy", "NumPy"),
        Library::Torch | Library::Cuda => ("seed.torch", "torch"),
    }
}

/// Whether the job makes up names at random, which files may have.
pub(super) fn makes_names(evidence: &Evidence) -> bool {
    evidence.reads.iter().any(|read| read.what == Outside::Name)
}

/// Whether an operation hands out memory as it finds it.
fn is_uninitialised(name: &str) -> bool {
    ["empty", "resize_", "new_empty", "empty_like", "empty_strided"]
        .iter()
        .any(|made| name.rsplit("::").next().unwrap_or(name).split('.').any(|part| part == *made))
}

fn first_stage(evidence: &Evidence) -> Option<Stage> {
    evidence.first.as_ref().map(|first| first.stage)
}

/// Whether a learning rate or another scheduled number is the first to differ.
pub(super) fn is_schedule(evidence: &Evidence) -> bool {
    evidence.first.as_ref().is_some_and(|first| {
        ["lr", "learning_rate", "hyper", "schedule", "momentum"].iter().any(|word| first.item.starts_with(word))
    })
}
