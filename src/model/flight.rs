//! What the shim saw from inside: one process per file, one step per optimizer step, one item per thing looked at.

use std::path::PathBuf;

use super::{Divergence, SourceLine, Stage};

/// All processes of one run that left a flight record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flight {
    /// Interpreters that the shim came into, those included that recorded nothing.
    pub entered: usize,
    /// The processes, in the order of rank and file name.
    pub processes: Vec<FlightProcess>,
    /// What could not be read, one line each.
    pub notes: Vec<String>,
}

impl Flight {
    /// The processes that trained or answered, by rank.
    pub fn trained(&self) -> impl Iterator<Item = &FlightProcess> {
        self.processes.iter().filter(|process| !process.steps.is_empty() || !process.outputs.is_empty())
    }

    /// What became of one setting: the last read-back of every process that was asked for it.
    pub fn read_back<'a>(&'a self, setting: &'a str) -> impl Iterator<Item = &'a AppliedLevel> {
        self.processes
            .iter()
            .filter_map(move |process| process.applied.iter().rev().find(|applied| applied.setting == setting))
    }

    /// The user's lines that brought a source in, the most telling first.
    pub fn places(&self, source: &str) -> Vec<&TracedPlace> {
        let mut found: Vec<&TracedPlace> = Vec::new();
        for place in self.processes.iter().flat_map(|process| &process.trace).filter(|place| place.source == source) {
            match found.iter_mut().find(|known| known.at == place.at && known.what == place.what) {
                Some(known) if known.count < place.count => *known = place,
                Some(_) => {}
                None => found.push(place),
            }
        }
        found.sort_by_key(|place| (place.weight(), place.order));
        found
    }
}

/// One process of the job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlightProcess {
    /// Name of its file.
    pub file: String,
    /// Process id.
    pub pid: u64,
    /// Id of its parent.
    pub parent: u64,
    /// Rank, where a launcher gave one.
    pub rank: Option<u64>,
    /// `main`, or which child: `w0` a loader worker, `c1` another child.
    pub role: String,
    /// The command line, as the interpreter kept it.
    pub arguments: Vec<String>,
    /// Versions and flags, in the order told: `("python", "3.11.7")`.
    pub facts: Vec<(String, String)>,
    /// Levels asked for, and what was read back.
    pub applied: Vec<AppliedLevel>,
    /// Levels that the job itself asked for while ours was held.
    pub overrides: Vec<Overridden>,
    /// How generators were seeded.
    pub seeds: Vec<SeedCall>,
    /// Seeds given otherwise than asked for, in a run that was to be disturbed.
    pub disturbed: Vec<DisturbedSeed>,
    /// Arguments of each loader, as `(name, value)`.
    pub loaders: Vec<Vec<(String, String)>>,
    /// What was seen when the first optimizer was built.
    pub start: Option<FlightStep>,
    /// Optimizer steps.
    pub steps: Vec<FlightStep>,
    /// Outputs of the root module where nothing was trained.
    pub outputs: Vec<FlightStep>,
    /// Operations that announced themselves as nondeterministic.
    pub alerts: Vec<Alert>,
    /// Traced places of the user's code.
    pub trace: Vec<TracedPlace>,
    /// Operations of the drilled step.
    pub operations: Vec<Operation>,
    /// What became of doing them again.
    pub drilled: Option<Drilled>,
    /// Checkpoints that it wrote, in order.
    pub saves: Vec<SavedCheckpoint>,
    /// Checkpoints that it read before its first step.
    pub loads: Vec<PathBuf>,
    /// What became of each item that a checkpoint should hold.
    pub given: Vec<GivenItem>,
    /// Whether it was interrupted on purpose.
    pub interrupted: bool,
    /// Errors of the shim's recording; the record ends where one happened.
    pub faults: Vec<String>,
    /// Settings whose hold the shim gave up after an error of its own, each with the error.
    pub given_up: Vec<(String, String)>,
    /// Why the process ended, where it said so.
    pub ended: Option<String>,
    /// Lines dropped because they were torn or made no sense.
    pub dropped: usize,
}

impl FlightProcess {
    /// The losses of the first optimizer's steps, exactly: one entry per step, the last loss of that step.
    pub fn losses(&self) -> Vec<ExactLoss> {
        let steps = self.steps.iter().filter(|step| step.optimizer == 0);
        let exact = steps.enumerate().filter_map(|(index, step)| {
            let loss = step.items.iter().find(|item| item.name == "loss")?.numbers.last()?;
            Some(ExactLoss { index, bits: loss.bits, precision: loss.precision.clone(), value: loss.value? })
        });
        exact.collect()
    }

    /// Nanoseconds between the beginnings of successive steps of the first optimizer.
    pub fn step_times(&self) -> Vec<u64> {
        let starts: Vec<u64> = self.steps.iter().filter(|step| step.optimizer == 0).map(|step| step.at).collect();
        starts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
    }
}

/// A checkpoint that a process wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedCheckpoint {
    /// Steps of the first optimizer made before it.
    pub steps: u64,
    /// The file, where it had a name.
    pub path: Option<PathBuf>,
    /// Steps made when a state in it was taken, where that state follows the live weights and is older than the file.
    pub taken: Option<u64>,
}

/// One item that a checkpoint should hold, as a resumed process found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenItem {
    /// Its name, as `docs/flight-record.md` lists them: `weights`, `rng.torch`, and so on.
    pub item: String,
    /// Did the process have another one than the interrupted run?
    pub differs: bool,
    /// Was the interrupted run's put in its place?
    pub given: bool,
    /// The lower precision that makes one of the other.
    pub rounded: Option<String>,
}

/// A loss as the process held it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactLoss {
    /// Index of the step of the first optimizer, from 0.
    pub index: usize,
    /// The bits.
    pub bits: u64,
    /// `float32`, `bfloat16`, and so on.
    pub precision: String,
    /// The value.
    pub value: f64,
}

/// One step, or one output of a job that does not train.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlightStep {
    /// Its number in the process, from 0, over all optimizers.
    pub number: u64,
    /// Which optimizer, in the order of their first steps.
    pub optimizer: u64,
    /// Monotonic time in nanoseconds; never compared.
    pub at: u64,
    /// What was seen, in the order of execution.
    pub items: Vec<FlightItem>,
    /// Digests of single tensors, by item.
    pub leaves: Vec<(String, Vec<String>)>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlightItem {
    /// `rng.python`, `batch`, `params_before`, `inputs`, `loss`, `grads`, `lr`, `params`, `optimizer`, `output`.
    pub name: String,
    /// Digest, or the numbers' bits joined: what is compared.
    pub digest: String,
    /// For a generator: did it move since the last look?
    pub moved: bool,
    /// For a loss or a learning rate: the numbers.
    pub numbers: Vec<ExactNumber>,
}

impl FlightItem {
    /// The stage of a training step that this item belongs to.
    pub fn stage(&self) -> Stage {
        match self.name.as_str() {
            name if name.starts_with("rng.") => Stage::Rng,
            "batch" | "inputs" => Stage::Batch,
            "params_before" => Stage::Parameters,
            "loss" => Stage::Loss,
            "grads" => Stage::Gradients,
            "output" => Stage::Output,
            _ => Stage::Optimizer,
        }
    }
}

/// A number with its exact bits.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactNumber {
    /// The bits, right-aligned.
    pub bits: u64,
    /// `float32`, `float64`, `bfloat16`, `float16`, or another type's name.
    pub precision: String,
    /// The value, where the type is known.
    pub value: Option<f64>,
}

/// A level asked for, and what was found in effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedLevel {
    /// The setting.
    pub setting: String,
    /// The level asked for.
    pub asked: String,
    /// The level in effect.
    pub read_back: Option<String>,
    /// Did it take effect?
    pub ok: bool,
    /// A remark.
    pub note: Option<String>,
    /// When it was read: `start`, `import`, `loader`, `step`, `end`, `job` where the job did something to it.
    pub phase: String,
    /// Did the job put a fixed level of its own in its place? The source is held still then, only not at our level.
    pub by_job: bool,
}

/// A level that the job asked for and did not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    /// The setting.
    pub setting: String,
    /// What the job asked for.
    pub asked: String,
    /// The user's line.
    pub at: Option<SourceLine>,
}

/// One seeding of a global generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedCall {
    /// `python`, `numpy`, `torch`, `cuda`.
    pub generator: String,
    /// The function called.
    pub how: String,
    /// The value given; `None` means from entropy.
    pub value: Option<String>,
    /// Did the user's code call it, or a library on its own?
    pub by_user: bool,
    /// Was the generator drawn from before?
    pub used_before: Option<bool>,
    /// The user's line.
    pub at: Option<SourceLine>,
}

/// A seed that was given otherwise than the job or a level asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisturbedSeed {
    /// The function called, or the setting whose level it was.
    pub how: String,
    /// The seed that was asked for.
    pub asked: String,
    /// The seed that was given instead.
    pub given: String,
    /// The user's line.
    pub at: Option<SourceLine>,
}

/// An operation that announced itself as nondeterministic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The operation.
    pub operation: String,
    /// The kind of device that it ran on (`cpu`, `cuda`), where that was seen.
    pub device: Option<String>,
    /// The user's line.
    pub at: Option<SourceLine>,
}

/// How a step's operations were done again on equal inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drilled {
    /// Operations that were done again.
    pub again: u64,
    /// Those that were not, because the time for it had run out.
    pub late: u64,
    /// Those that could not be.
    pub failed: u64,
    /// The first error of these.
    pub error: Option<String>,
}

/// A line of the user's that created, drew from or read a source of variation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedPlace {
    /// The source, by its cause id.
    pub source: String,
    /// The function called there.
    pub what: String,
    /// `create`, `seed`, `draw`, `read`, `list`, `name`, `order`, `start`, `source`.
    pub kind: String,
    /// The line.
    pub at: SourceLine,
    /// The function of the user's.
    pub function: String,
    /// How often.
    pub count: u64,
    /// Order of first use in its process.
    pub order: u64,
    /// Loader worker that did it.
    pub worker: Option<u64>,
    /// For a listing: the most entries found at once.
    pub entries: Option<u64>,
}

impl TracedPlace {
    /// What tells most comes first: a generator made, an order read from a folder that holds several files.
    fn weight(&self) -> u8 {
        match (self.source.as_str(), self.kind.as_str()) {
            (_, "create" | "seed" | "order") => 0,
            ("order.filesystem", "list") if self.entries.unwrap_or(0) > 1 => 1,
            ("order.filesystem", "name") if self.what != "tempfile" => 2,
            ("order.filesystem", _) => 4,
            ("hashseed", _) if self.what.starts_with("sets PYTHONHASHSEED") => 4,
            ("entropy" | "seed.worker", "read") if self.what.ends_with("getpid") => 3,
            ("clock", "read") if self.count < 2 => 3,
            _ => 2,
        }
    }
}

/// One operation of a drilled step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number in the step.
    pub number: u64,
    /// `aten.convolution_backward.default`.
    pub name: String,
    /// Digest of everything that went in.
    pub inputs: String,
    /// Digest of everything that came out.
    pub outputs: String,
    /// Does it draw from a generator?
    pub random: bool,
    /// The user's line.
    pub at: Option<SourceLine>,
}

/// Where two flight records first part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlightDivergence {
    /// The rank, where there are ranks.
    pub rank: Option<u64>,
    /// Index of the step (or output) in the process, from 0.
    pub index: usize,
    /// Number of steps of the first optimizer before it: the step as a log counts it.
    pub step: u64,
    /// Is it an output of a job that does not train?
    pub output: bool,
    /// The stage.
    pub stage: Stage,
    /// The first item that differs.
    pub item: String,
    /// All items that differ at this step, in order, generators that never moved included.
    pub differing: Vec<String>,
    /// Generators that differ and moved up to this step.
    pub live_generators: Vec<String>,
    /// Generators that differed already when training began and never moved since.
    pub idle_generators: Vec<String>,
    /// Which tensors of the item differ, where single digests were kept.
    pub tensors: Vec<usize>,
}

impl FlightDivergence {
    /// Writes the stage into the divergence that the log shows.
    pub fn explain(&self, divergence: &mut Divergence) {
        divergence.stage = Some(self.stage);
    }
}

/// The first operation whose inputs agree and whose output does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuiltyOperation {
    /// Its number in the step.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// The user's line.
    pub at: Option<SourceLine>,
}

/// The folder of flight records below a run's folder.
pub fn folder_of(run: &std::path::Path) -> PathBuf {
    run.join("flight")
}
