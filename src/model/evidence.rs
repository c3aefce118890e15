//! What the flight records of two repeats show about why they part.

use super::{SourceLine, Stage};

/// A library whose generators jobs draw from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Library {
    /// Python's `random`.
    Python,
    /// NumPy.
    Numpy,
    /// torch on the processor.
    Torch,
    /// torch on the cards.
    Cuda,
}

/// Where a generator's seed came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Seeding {
    /// Nobody seeded it, so that it took entropy when it was made.
    #[default]
    Never,
    /// Seeded with a constant, after it had already been drawn from.
    Late,
    /// Seeded with entropy: `seed()` without a number, bytes of the operating system.
    Entropy,
    /// Seeded with the time of day, a counter of the clock or a process id.
    Clock,
    /// Seeded with the same number in both runs before it was drawn from.
    Fixed,
}

/// The first recorded item whose inputs agree and which differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstDifference {
    /// The stage of the step.
    pub stage: Stage,
    /// The record's name for the item: `rng.python`, `batch`, `parameters`, `lr`, `loss`, `gradients`.
    pub item: String,
    /// The step, as the record counts them.
    pub step: Option<i64>,
    /// Size of the difference relative to the value, where the item is a number.
    pub relative: Option<f64>,
}

/// What became of one of the global generators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalGenerator {
    /// Whose it is.
    pub library: Library,
    /// Whether its state differs between the two runs at the first recorded step.
    pub differs: bool,
    /// Whether it was drawn from at any time, before the first step included.
    pub drawn: bool,
    /// How it was seeded.
    pub seeding: Seeding,
    /// Whether it was drawn from before it was first seeded.
    pub used_first: bool,
    /// The call that seeded it last, with the numbers that it was given in either run, where they differ.
    pub seeds: Option<String>,
    /// The user's line that first drew from it, or that seeded it from entropy or with another number in each run.
    pub location: Option<SourceLine>,
}

/// A generator that the user's code made for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnGenerator {
    /// Whose kind it is.
    pub library: Library,
    /// How it was seeded.
    pub seeding: Seeding,
    /// Whether it was made inside a loader worker.
    pub in_worker: bool,
    /// The user's line that made or seeded it.
    pub location: Option<SourceLine>,
}

/// A data loader that the job built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    /// Its worker processes.
    pub workers: u32,
    /// Whether it hands batches out in the order asked for.
    pub in_order: bool,
    /// How the generator that was handed to it or to its sampler was seeded; `None` where none was handed over.
    pub generator: Option<Seeding>,
    /// The user's line that built it, or that seeded its generator.
    pub location: Option<SourceLine>,
}

/// Something from outside that the user's code read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outside {
    /// The time of day or elapsed time.
    Clock,
    /// Bytes or ids from the operating system: `urandom`, `uuid4`, `secrets`, a process id.
    Entropy,
    /// The names in a directory.
    Listing,
    /// A name made up at random: a uuid, a token.
    Name,
    /// The times at which files changed.
    Modified,
}

/// A read of the outside by the user's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What was read.
    pub what: Outside,
    /// How often.
    pub count: u64,
    /// Whether it happened inside a loader worker.
    pub in_worker: bool,
    /// For listings: whether the two runs saw other names; `None` where that is not known.
    pub names_differ: Option<bool>,
    /// For listings: whether the two runs saw the same names in another order.
    pub order_differs: Option<bool>,
    /// The user's line that read it.
    pub location: Option<SourceLine>,
}

/// A file that an earlier run left and that the user's code read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its path, relative to the working folder where it is below that.
    pub file: String,
    /// The user's line that read it.
    pub location: Option<SourceLine>,
}

/// Who decides an order in the user's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decider {
    /// The hashes of strings: iteration of a set, `hash()` of a string.
    StringHashes,
    /// Whichever thread or process is first: `as_completed`, `imap_unordered`, results taken as they come.
    Completion,
    /// Several threads or processes that update the same weights.
    SharedUpdates,
    /// Threads started by the user's code, whatever they do.
    Threads,
    /// Streams of a card, and the host, which read what nobody waited for.
    Streams,
}

/// A place where something other than the code decides an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who decides.
    pub decider: Decider,
    /// Whether the order was seen to differ between the two runs; `None` where it was not recorded.
    pub differs: Option<bool>,
    /// The user's line.
    pub location: Option<SourceLine>,
}

/// An operation that is known or was seen to give different outputs for equal inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name, as the framework spells it.
    pub name: String,
    /// Where it ran: `cpu`, `cuda`.
    pub device: String,
    /// The user's line that led to it.
    pub location: Option<SourceLine>,
}

/// What the flight records of two repeats show about why they part.
///
/// Every field may be left empty: absence means "not recorded", never "did not happen".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The first recorded item that differs.
    pub first: Option<FirstDifference>,
    /// Whether the weights before the first step differ.
    pub initial_parameters_differ: Option<bool>,
    /// The runs agree as far as both go, and one goes further.
    pub only_length_differs: bool,
    /// The global generators.
    pub generators: Vec<GlobalGenerator>,
    /// Generators that the user's code made.
    pub own_generators: Vec<OwnGenerator>,
    /// The loaders.
    pub loaders: Vec<Loader>,
    /// What the user's code read from outside.
    pub reads: Vec<Read>,
    /// Files that earlier runs of the audit left and that these read.
    pub leftovers: Vec<Leftover>,
    /// Where something else decides an order.
    pub orders: Vec<Order>,
    /// Operations that announced themselves as nondeterministic.
    pub alerts: Vec<Operation>,
    /// The first operation with equal inputs and different outputs, where the step was traced.
    pub operation: Option<Operation>,
    /// The user's lines that made tensors without writing them.
    pub uninitialised: Vec<SourceLine>,
    /// Threads inside operations.
    pub threads: Option<u32>,
    /// Whether string hashes are drawn anew for each process.
    pub hashes_randomised: Option<bool>,
    /// Whether convolutions choose their algorithm by timing.
    pub cudnn_benchmark: Option<bool>,
    /// Frameworks other than torch that the job imported: `jax`, `tensorflow`.
    pub frameworks: Vec<String>,
    /// Whether anything ran on a card.
    pub cuda: bool,
    /// Facts that fit nowhere else, one statement each, for the reader.
    pub notes: Vec<String>,
}
