//! Two flight records of the same treatment to evidence: what they show about why the runs part.

use crate::model::flight::{Flight, FlightDivergence, FlightProcess, GuiltyOperation, SeedCall, TracedPlace};
use crate::model::{
    Decider, Evidence, FirstDifference, GlobalGenerator, Library, Loader, Operation, Order, Outside, OwnGenerator,
    Read, Seeding, SourceLine, Stage,
};

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
    "race",
    "uninitialised",
    "hashseed",
];

/// What two flight records show. `first` is where they part; `length_only` tells that the logs part in length alone.
pub fn evidence(
    flights: [&Flight; 2],
    first: Option<&FlightDivergence>,
    operation: Option<&GuiltyOperation>,
    length_only: bool,
) -> Evidence {
    let Some((a, b)) = mains(flights) else { return Evidence::default() };
    Evidence {
        first: first.map(|first| first_difference(first, [a, b])),
        initial_parameters_differ: initial_parameters_differ([a, b]),
        only_length_differs: length_only,
        generators: LIBRARIES
            .iter()
            .filter_map(|(library, name)| generator(*library, name, flights, [a, b], first))
            .collect(),
        own_generators: own_generators(flights[0]),
        loaders: loaders(flights, [a, b]),
        reads: reads(flights),
        orders: orders(flights[0]),
        alerts: a.alerts.iter().map(|alert| operation_at(&alert.operation, a, alert.at.clone())).collect(),
        operation: operation.map(|guilty| operation_at(&guilty.name, a, guilty.at.clone())),
        uninitialised: uninitialised(flights[0]),
        threads: fact(a, "threads").and_then(|threads| threads.parse().ok()),
        hashes_randomised: fact(a, "hash_randomization").map(|value| value != "0" && value != "false"),
        cudnn_benchmark: fact(a, "cudnn.benchmark").map(|value| value == "true"),
        cuda: on_card(a),
        notes: Vec::new(),
    }
}

const LIBRARIES: &[(Library, &str)] =
    &[(Library::Python, "python"), (Library::Numpy, "numpy"), (Library::Torch, "torch"), (Library::Cuda, "cuda")];

/// The process of each run that trained or answered first, else the first one.
fn mains<'f>([a, b]: [&'f Flight; 2]) -> Option<(&'f FlightProcess, &'f FlightProcess)> {
    let main = |flight: &'f Flight| flight.trained().next().or_else(|| flight.processes.first());
    Some((main(a)?, main(b)?))
}

fn first_difference(first: &FlightDivergence, [a, b]: [&FlightProcess; 2]) -> FirstDifference {
    FirstDifference {
        stage: first.stage,
        item: first.item.clone(),
        step: i64::try_from(first.step).ok(),
        relative: relative_size(first, [a, b]),
    }
}

/// Size of the first difference relative to the value, where the item is a number.
fn relative_size(first: &FlightDivergence, [a, b]: [&FlightProcess; 2]) -> Option<f64> {
    let value = |process: &FlightProcess| {
        let steps = if first.output { &process.outputs } else { &process.steps };
        steps.get(first.index)?.items.iter().find(|item| item.name == first.item)?.numbers.last()?.value
    };
    let (a, b) = (value(a)?, value(b)?);
    let size = (a - b).abs() / a.abs().max(b.abs());
    size.is_finite().then_some(size)
}

/// Whether the weights before the first step differ: those seen when the optimizer was built, else before its first step.
fn initial_parameters_differ([a, b]: [&FlightProcess; 2]) -> Option<bool> {
    let digest = |process: &FlightProcess| {
        let first = process.steps.first()?;
        first.items.iter().find(|item| item.name == "params_before").map(|item| item.digest.clone())
    };
    Some(digest(a)? != digest(b)?)
}

fn generator(
    library: Library,
    name: &str,
    flights: [&Flight; 2],
    [a, b]: [&FlightProcess; 2],
    first: Option<&FlightDivergence>,
) -> Option<GlobalGenerator> {
    let item = format!("rng.{name}");
    let state = |process: &FlightProcess| {
        let looked = process.start.iter().chain(&process.steps).chain(&process.outputs).next()?;
        looked.items.iter().find(|seen| seen.name.starts_with(&item)).map(|seen| seen.digest.clone())
    };
    let at_start = state(a).zip(state(b)).is_some_and(|(a, b)| a != b);
    let differs = at_start || first.is_some_and(|first| first.differing.iter().any(|other| other.starts_with(&item)));
    let places = flights[0].places(&format!("seed.{name}"));
    let moved = [a, b].iter().any(|process| {
        process
            .start
            .iter()
            .chain(&process.steps)
            .any(|step| step.items.iter().any(|i| i.name.starts_with(&item) && i.moved))
    });
    let (seeding, seeded_at) = seeding(name, [a, b]);
    let drawn = moved || !places.is_empty();
    let drawn_at = places.first().map(|place| place.at.clone());
    let location = if seeding == Seeding::Never { drawn_at.or(seeded_at) } else { seeded_at.or(drawn_at) };
    Some(GlobalGenerator { library, differs, drawn, seeding, location })
}

/// How a global generator was seeded in both runs, and where.
fn seeding(name: &str, [a, b]: [&FlightProcess; 2]) -> (Seeding, Option<SourceLine>) {
    let calls = |process: &'_ FlightProcess| -> Vec<SeedCall> {
        process.seeds.iter().filter(|call| call.generator == name).cloned().collect()
    };
    let (one, other) = (calls(a), calls(b));
    let Some(last) = one.last() else { return (Seeding::Never, None) };
    let values = |calls: &[SeedCall]| calls.iter().map(|call| call.value.clone()).collect::<Vec<_>>();
    let seeding = if one.iter().any(|call| call.value.is_none()) {
        Seeding::Entropy
    } else if values(&one) != values(&other) {
        Seeding::Clock
    } else if one.first().is_some_and(|call| call.used_before == Some(true)) {
        Seeding::Late
    } else {
        Seeding::Fixed
    };
    (seeding, last.at.clone())
}

/// Generators that the user's code made without a seed of its own.
fn own_generators(flight: &Flight) -> Vec<OwnGenerator> {
    let numpy = flight.places("seed.numpy_generator").into_iter().map(|place| (Library::Numpy, place));
    let python =
        flight.places("entropy").into_iter().filter(|place| place.kind == "create").map(|p| (Library::Python, p));
    let worker = flight.places("seed.worker").into_iter().filter(|place| place.worker.is_some() && is_source(place));
    numpy
        .chain(python)
        .chain(worker.map(|place| (Library::Python, place)))
        .map(|(library, place)| OwnGenerator {
            library,
            seeding: Seeding::Entropy,
            in_worker: place.worker.is_some(),
            location: Some(place.at.clone()),
        })
        .collect()
}

/// Whether a place brings variation in, and does not merely ask who it is.
fn is_source(place: &TracedPlace) -> bool {
    !place.what.ends_with("getpid") && !place.what.ends_with("getppid")
}

fn loaders(flights: [&Flight; 2], [a, b]: [&FlightProcess; 2]) -> Vec<Loader> {
    let value = |loader: &[(String, String)], name: &str| -> Option<String> {
        loader.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).filter(|value| value != "null")
    };
    let seeded = flights[0].places("dataloader.generator");
    let from_entropy = seeded.iter().find(|place| place.what.ends_with(".seed"));
    a.loaders
        .iter()
        .enumerate()
        .map(|(index, loader)| {
            let generator = value(loader, "generator");
            let other = b.loaders.get(index).and_then(|other| value(other, "generator"));
            let seeding = generator.as_ref().map(|generator| match (Some(generator) == other.as_ref(), from_entropy) {
                (true, _) => Seeding::Fixed,
                (false, Some(_)) => Seeding::Entropy,
                (false, None) => Seeding::Clock,
            });
            let location = match seeding {
                Some(Seeding::Entropy) => from_entropy.map(|place| place.at.clone()),
                Some(Seeding::Clock) => seeded.first().map(|place| place.at.clone()),
                _ => None,
            };
            Loader {
                workers: value(loader, "num_workers").and_then(|n| n.parse().ok()).unwrap_or(0),
                in_order: value(loader, "in_order").is_none_or(|value| value != "false"),
                generator: seeding,
                location: location.or_else(|| place_of(loader)),
            }
        })
        .collect()
}

fn place_of(loader: &[(String, String)]) -> Option<SourceLine> {
    let value = |name: &str| loader.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    Some(SourceLine { file: value("file")?.into(), line: value("line")?.parse().ok()? })
}

/// What the user's code read from outside, one entry for each kind and line.
fn reads(flights: [&Flight; 2]) -> Vec<Read> {
    let mut reads = Vec::new();
    for (source, what) in [("clock", Outside::Clock), ("entropy", Outside::Entropy)] {
        for place in flights[0].places(source).into_iter().filter(|place| place.kind == "read") {
            reads.push(read(what, place));
        }
    }
    let files = flights[0].places("order.filesystem");
    let random_names = files.iter().any(|place| place.kind == "name");
    for place in files.into_iter().filter(|place| place.kind == "list" && place.entries != Some(1)) {
        // Names that the job draws anew in each run make the order of a listing, however sorted, differ.
        reads.push(Read { order_differs: random_names.then_some(true), ..read(Outside::Listing, place) });
    }
    reads
}

fn read(what: Outside, place: &TracedPlace) -> Read {
    Read {
        what,
        count: place.count,
        in_worker: place.worker.is_some(),
        names_differ: None,
        order_differs: None,
        location: Some(place.at.clone()),
    }
}

fn orders(flight: &Flight) -> Vec<Order> {
    let race = flight.places("race").into_iter().filter_map(|place| {
        let decider = match (place.kind.as_str(), place.what.as_str()) {
            ("order", _) | (_, "Pool.imap_unordered") => Decider::Completion,
            (_, "Process.start") => return None,
            _ => Decider::Threads,
        };
        Some(Order { decider, differs: None, location: Some(place.at.clone()) })
    });
    let hashes = flight.places("hashseed").into_iter().map(|place| Order {
        decider: Decider::StringHashes,
        differs: None,
        location: Some(place.at.clone()),
    });
    race.chain(hashes).collect()
}

fn uninitialised(flight: &Flight) -> Vec<SourceLine> {
    let torch = |place: &&TracedPlace| !place.what.starts_with("numpy.");
    flight.places("uninitialised").into_iter().filter(torch).map(|place| place.at.clone()).collect()
}

fn operation_at(name: &str, process: &FlightProcess, location: Option<SourceLine>) -> Operation {
    let device = if on_card(process) { "cuda" } else { "cpu" };
    Operation { name: name.to_owned(), device: device.to_owned(), location }
}

/// Whether the process drew from or trained with a card.
fn on_card(process: &FlightProcess) -> bool {
    process
        .steps
        .first()
        .or(process.start.as_ref())
        .is_some_and(|step| step.items.iter().any(|item| item.name.starts_with("rng.cuda")))
}

fn fact<'p>(process: &'p FlightProcess, name: &str) -> Option<&'p str> {
    process.facts.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

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
