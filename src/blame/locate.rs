//! A cause and the record's evidence to the user's line that brings the cause in.

use crate::model::{Blame, Decider, Evidence, Library, Outside, Seeding, SourceLine};

/// Adds the user's line to every cause that lacks one and whose line the evidence knows; for a tracing pass made after
/// the search.
pub fn locate(blame: &mut Blame, evidence: &Evidence) {
    for cause in blame.causes.iter_mut().filter(|cause| cause.location.is_none()) {
        cause.location = location(&cause.id, evidence);
    }
}

/// The user's line that brings this cause in, where the evidence knows it.
pub(super) fn location(cause: &str, evidence: &Evidence) -> Option<SourceLine> {
    match cause {
        "seed.python" => global(evidence, &[Library::Python]),
        "seed.numpy" => global(evidence, &[Library::Numpy]),
        "seed.torch" => global(evidence, &[Library::Torch, Library::Cuda]),
        "seed.numpy_generator" => own(evidence, false, Some(Library::Numpy)),
        "seed.worker" => own(evidence, true, None)
            .or_else(|| read(evidence, Outside::Entropy, Some(true)))
            .or_else(|| read(evidence, Outside::Clock, Some(true))),
        "dataloader.generator" => loader(evidence),
        "hashseed" => order(evidence, &[Decider::StringHashes]),
        "order.filesystem" => files(evidence),
        "leftovers" => evidence.leftovers.iter().find_map(|leftover| leftover.location.clone()),
        "clock" => read(evidence, Outside::Clock, None).or_else(|| clock_seed(evidence)),
        // Libraries that start workers read entropy at the user's line as well; a generator that the job made says more.
        "entropy" => own(evidence, false, Some(Library::Python))
            .or_else(|| read(evidence, Outside::Entropy, None))
            .or_else(|| own(evidence, false, None)),
        "race" => race(evidence),
        "op.nondeterministic" | "cuda.atomics" | "cudnn.deterministic" | "sdpa.backend" => operation(evidence),
        "uninitialised" => evidence.uninitialised.first().cloned(),
        _ => None,
    }
}

fn global(evidence: &Evidence, libraries: &[Library]) -> Option<SourceLine> {
    let of_these = || evidence.generators.iter().filter(|global| libraries.contains(&global.library));
    of_these()
        .filter(|global| global.differs)
        .find_map(|global| global.location.clone())
        .or_else(|| of_these().find_map(|global| global.location.clone()))
}

fn own(evidence: &Evidence, in_worker: bool, library: Option<Library>) -> Option<SourceLine> {
    evidence
        .own_generators
        .iter()
        .filter(|own| own.in_worker == in_worker && own.seeding != Seeding::Fixed)
        .filter(|own| library.is_none_or(|library| own.library == library))
        .find_map(|own| own.location.clone())
}

fn read(evidence: &Evidence, what: Outside, in_worker: Option<bool>) -> Option<SourceLine> {
    evidence
        .reads
        .iter()
        .filter(|read| read.what == what && in_worker.is_none_or(|wanted| read.in_worker == wanted))
        .find_map(|read| read.location.clone())
}

fn loader(evidence: &Evidence) -> Option<SourceLine> {
    let unseeded = |seeding: Option<Seeding>| seeding.is_some_and(|seeding| seeding != Seeding::Fixed);
    evidence
        .loaders
        .iter()
        .filter(|loader| unseeded(loader.generator))
        .find_map(|loader| loader.location.clone())
        .or_else(|| own(evidence, false, Some(Library::Torch)))
}

fn order(evidence: &Evidence, deciders: &[Decider]) -> Option<SourceLine> {
    let of_these = || evidence.orders.iter().filter(|order| deciders.contains(&order.decider));
    of_these()
        .filter(|order| order.differs == Some(true))
        .find_map(|order| order.location.clone())
        .or_else(|| of_these().find_map(|order| order.location.clone()))
}

/// Where the times of change decide, the line that looks at them; where names are random, the line that makes them;
/// otherwise the line that lists them.
fn files(evidence: &Evidence) -> Option<SourceLine> {
    let random = evidence.reads.iter().any(|read| read.what == Outside::Listing && read.names_differ == Some(true));
    let made = if random { read(evidence, Outside::Entropy, Some(false)) } else { None };
    read(evidence, Outside::Modified, None)
        .or_else(|| read(evidence, Outside::Name, None))
        .or(made)
        .or_else(|| read(evidence, Outside::Listing, None))
}

fn clock_seed(evidence: &Evidence) -> Option<SourceLine> {
    let globals = evidence.generators.iter().map(|global| (global.seeding, &global.location));
    let owns = evidence.own_generators.iter().map(|own| (own.seeding, &own.location));
    globals.chain(owns).find(|(seeding, _)| *seeding == Seeding::Clock).and_then(|(_, location)| location.clone())
}

fn race(evidence: &Evidence) -> Option<SourceLine> {
    let unordered =
        evidence.loaders.iter().filter(|loader| !loader.in_order).find_map(|loader| loader.location.clone());
    unordered
        .or_else(|| order(evidence, &[Decider::Completion, Decider::SharedUpdates, Decider::Threads, Decider::Streams]))
}

fn operation(evidence: &Evidence) -> Option<SourceLine> {
    evidence.operation.iter().chain(&evidence.alerts).find_map(|operation| operation.location.clone())
}
