//! What traced lines and loaders show of the sources of variation other than the global generators.

use super::places::Places;
use crate::model::flight::{Flight, FlightProcess, TracedPlace};
use crate::model::{Decider, Leftover, Library, Loader, Order, Outside, OwnGenerator, Read, Seeding, SourceLine};

/// Generators that the job made for itself.
pub(super) fn own_generators(places: &Places<'_>) -> Vec<OwnGenerator> {
    let made = |source| places.from(source).filter(|place| place.kind == "create");
    let numpy = made("seed.numpy_generator").map(|place| (place, Library::Numpy, place.worker.is_some()));
    let workers = made("seed.worker").map(|place| (place, library_of(place), true));
    let python = made("entropy")
        .filter(|place| !names_a_file(places, place))
        .map(|place| (place, library_of(place), place.worker.is_some()));
    let mut found: Vec<OwnGenerator> = Vec::new();
    for (place, library, in_worker) in workers.chain(numpy).chain(python) {
        // The same line may be traced as a source of entropy and as a worker's: what it makes is in workers.
        if !found.iter().any(|known| known.location.as_ref() == Some(&place.at)) {
            found.push(OwnGenerator { library, seeding: Seeding::Never, in_worker, location: Some(place.at.clone()) });
        }
    }
    found
}

/// Whether the generator is the one with which `tempfile` makes up names, at the same line of the user's.
fn names_a_file(places: &Places<'_>, made: &TracedPlace) -> bool {
    places.from("order.filesystem").any(|place| place.what == "tempfile" && place.at == made.at)
}

/// The lines that make tensors or arrays without writing them.
pub(super) fn uninitialised(places: &Places<'_>) -> Vec<SourceLine> {
    places.from("uninitialised").map(|place| place.at.clone()).collect()
}

fn library_of(place: &TracedPlace) -> Library {
    if place.what.to_ascii_lowercase().contains("numpy") { Library::Numpy } else { Library::Python }
}

/// The data loaders, in the order in which they were built.
pub(super) fn loaders(one: &FlightProcess, other: &FlightProcess, places: &Places<'_>) -> Vec<Loader> {
    let value =
        |pairs: &[(String, String)], name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, v)| v.clone());
    let seeded = places.from("dataloader.generator").find(|place| place.what.ends_with(".seed"));
    let seeded = seeded.or_else(|| places.from("dataloader.generator").next());
    let mut found = Vec::new();
    for (index, loader) in one.loaders.iter().enumerate() {
        let same = other.loaders.get(index).map(Vec::as_slice).unwrap_or_default();
        let generator = value(loader, "generator").map(|seed| match value(same, "generator") {
            Some(again) if again == seed => Seeding::Fixed,
            // Which of entropy and clock fed it is told by the line that seeded it.
            _ if seeded.is_some_and(|place| place.what.ends_with("manual_seed")) => Seeding::Clock,
            _ => Seeding::Entropy,
        });
        let unfixed = generator.is_some_and(|seeding| seeding != Seeding::Fixed);
        let built = value(loader, "line").and_then(|line| line.parse().ok()).zip(value(loader, "file"));
        let built = built.map(|(line, file)| SourceLine { file: file.into(), line });
        found.push(Loader {
            workers: value(loader, "num_workers").and_then(|workers| workers.parse().ok()).unwrap_or(0),
            in_order: value(loader, "in_order").is_none_or(|flag| flag != "false"),
            generator,
            location: if unfixed { seeded.map(|place| place.at.clone()).or(built) } else { built },
        });
    }
    found
}

/// What the user's code reads from outside. A process id counts only where generators get other seeds in each run: else it
/// is there to be printed.
pub(super) fn reads(places: &Places<'_>, reseeded: bool) -> Vec<Read> {
    let read = |what: Outside| {
        move |place: &TracedPlace| Read {
            what,
            count: place.count,
            in_worker: place.worker.is_some(),
            names_differ: None,
            order_differs: None,
            location: Some(place.at.clone()),
        }
    };
    let clock = places.from("clock").filter(|place| place.kind == "read").map(read(Outside::Clock));
    let files = |kind: &'static str| places.from("order.filesystem").filter(move |place| place.kind == kind);
    let is_time = |place: &&TracedPlace| place.what.ends_with("mtime");
    // Looked at once, a time of change orders nothing.
    let times = files("list").filter(move |place| is_time(place) && place.count > 1).map(read(Outside::Modified));
    let listings = files("list").filter(move |place| !is_time(place) && place.entries.is_none_or(|n| n > 1));
    let names = files("name").filter(|place| place.what != "tempfile");
    let entropy =
        places.from("entropy").filter(|place| place.kind == "read" && (reseeded || !place.what.ends_with("pid")));
    let listed = times.chain(listings.map(read(Outside::Listing))).chain(names.map(read(Outside::Name)));
    clock.chain(listed).chain(entropy.map(read(Outside::Entropy))).collect()
}

/// Files that were read and that earlier runs had left.
pub(super) fn leftovers(places: &Places<'_>) -> Vec<Leftover> {
    let left = |place: &TracedPlace| Leftover { file: place.what.clone(), location: Some(place.at.clone()) };
    places.from("leftovers").map(left).collect()
}

/// What decides an order.
pub(super) fn orders(a: &Flight, places: &Places<'_>) -> Vec<Order> {
    let order = |decider: Decider| {
        move |place: &TracedPlace| Order { decider, differs: None, location: Some(place.at.clone()) }
    };
    let hashes = places.from("hashseed").filter(|place| !place.what.starts_with("sets PYTHONHASHSEED"));
    let completions = places.from("race").filter(|place| place.kind == "order" || place.what.contains("unordered"));
    let starts = places.from("race").filter(|place| place.kind == "start" && !place.what.contains("unordered"));
    let mut found: Vec<Order> = hashes.map(order(Decider::StringHashes)).collect();
    found.extend(completions.map(order(Decider::Completion)));
    // A copy that nobody waits for is one step from being read too soon; a stream of the job's own is two.
    let (copies, streams): (Vec<_>, Vec<_>) = places.from("cuda.streams").partition(|place| place.kind == "copy");
    found.extend(copies.into_iter().chain(streams).map(order(Decider::Streams)));
    // Several processes without ranks that all make optimizer steps share what they train.
    let training = a.processes.iter().filter(|process| process.rank.is_none() && !process.steps.is_empty()).count();
    let shared = if training > 1 { Decider::SharedUpdates } else { Decider::Threads };
    found.extend(starts.map(order(shared)));
    if training > 1 && !found.iter().any(|order| order.decider == Decider::SharedUpdates) {
        found.push(Order { decider: Decider::SharedUpdates, differs: None, location: None });
    }
    found
}
