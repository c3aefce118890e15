//! What a recorded pair of runs is asked for, and where it parts in words.

use crate::model::Stage;
use crate::model::flight::FlightDivergence;

/// The sources whose places in the user's code the evidence is made of; what a recorded run is asked to trace.
pub const SOURCES: &[&str] = &[
    "seed.python",
    "seed.numpy",
    "seed.torch",
    "seed.numpy_generator",
    "seed.worker",
    "dataloader.generator",
    "entropy",
    "clock",
    "order.filesystem",
    "leftovers",
    "race",
    "cuda.streams",
    "uninitialised",
    "hashseed",
];

/// The stage at which two records part, as one line for the reader.
pub fn sentence(first: &FlightDivergence) -> String {
    let stage = match first.stage {
        Stage::Environment => "the environment",
        Stage::Rng => "a random number generator",
        Stage::Batch => "the batch",
        Stage::Parameters => "the parameters before the step",
        Stage::Loss => "the loss",
        Stage::Gradients => "the gradients",
        Stage::Optimizer => "the update",
        Stage::Output => "the output",
    };
    let rank = first.rank.map(|rank| format!(" of rank {rank}")).unwrap_or_default();
    format!(
        "to the bit, two recorded runs part first at optimizer step {}{rank}, in {stage} ({})",
        first.step, first.item
    )
}

/// Where each rank parts, one line; none for jobs of one process.
pub fn by_rank(ranks: &[FlightDivergence]) -> Option<String> {
    let part = |first: &FlightDivergence| Some(format!("rank {} at step {} ({})", first.rank?, first.step, first.item));
    let parts: Vec<String> = ranks.iter().filter_map(part).collect();
    (parts.len() > 1).then(|| format!("ranks of the recorded runs part: {}", parts.join(", ")))
}
