//! The flight records of two repeats to the evidence they hold.

use crate::model::flight::{
    Flight, FlightDivergence, FlightItem, FlightProcess, FlightStep, GuiltyOperation, SeedCall, TracedPlace,
};
use crate::model::{
    Decider, Evidence, FirstDifference, GlobalGenerator, Leftover, Library, Loader, Operation, Order, Outside,
    OwnGenerator, Read, Seeding, SourceLine,
};

/// Everything that the records of two repeats show about why they part. `divergence` is where the records part first,
/// `operation` what a traced step found, where one was traced. Traced lines are taken from both.
pub fn evidence(
    a: &Flight,
    b: &Flight,
    divergence: Option<&FlightDivergence>,
    operation: Option<&GuiltyOperation>,
) -> Evidence {
    let places = Places::of(a, b);
    let leftovers = leftovers(&places);
    let Some((one, other)) = main_processes(a, b) else { return Evidence { leftovers, ..Evidence::default() } };
    let generators = generators(one, other, divergence, &places);
    let reseeded = generators.iter().any(|generator| generator.seeding == Seeding::Clock);
    Evidence {
        first: divergence.map(|divergence| first(divergence, one, other)),
        initial_parameters_differ: initial_parameters_differ(one, other),
        only_length_differs: divergence.is_none() && one.steps.len() != other.steps.len(),
        generators,
        own_generators: own_generators(&places),
        loaders: loaders(one, other, &places),
        reads: reads(&places, reseeded),
        leftovers,
        orders: orders(a, &places),
        alerts: one.alerts.iter().map(|alert| known(one, &alert.operation, alert.at.clone())).collect(),
        operation: operation.map(|guilty| known(one, &guilty.name, guilty.at.clone())),
        uninitialised: uninitialised(&places),
        threads: fact(one, "threads").and_then(|threads| threads.parse().ok()),
        hashes_randomised: fact(one, "hash_randomization").map(|flag| flag != "0"),
        cudnn_benchmark: fact(one, "cudnn.benchmark").map(|flag| flag == "true"),
        cuda: uses_cards(one),
        notes: notes(one),
    }
}

/// The process of each record that trained, or answered, and comes first; of a job without such steps, which may train with
/// another library than torch, its first process.
fn main_processes<'a>(a: &'a Flight, b: &'a Flight) -> Option<(&'a FlightProcess, &'a FlightProcess)> {
    let one = a.trained().next().or(a.processes.first())?;
    let like = |other: &&FlightProcess| (other.rank, &other.role) == (one.rank, &one.role);
    let other = b.trained().find(like).or_else(|| b.processes.iter().find(like))?;
    Some((one, other))
}

/// The traced places of both records, each line once, the most telling first.
struct Places<'a>(Vec<&'a TracedPlace>);

impl<'a> Places<'a> {
    fn of(a: &'a Flight, b: &'a Flight) -> Self {
        let mut sources: Vec<&str> = Vec::new();
        for place in a.processes.iter().chain(&b.processes).flat_map(|process| &process.trace) {
            if !sources.contains(&place.source.as_str()) {
                sources.push(&place.source);
            }
        }
        let mut found: Vec<&TracedPlace> = Vec::new();
        for source in sources {
            for place in a.places(source).into_iter().chain(b.places(source)) {
                let same = |known: &&TracedPlace| {
                    (&known.source, &known.what, &known.at) == (&place.source, &place.what, &place.at)
                };
                if !found.iter().any(same) {
                    found.push(place);
                }
            }
        }
        Self(found)
    }

    fn from(&self, source: &'a str) -> impl Iterator<Item = &'a TracedPlace> {
        self.0.iter().copied().filter(move |place| place.source == source)
    }
}

fn fact<'a>(process: &'a FlightProcess, name: &str) -> Option<&'a str> {
    process.facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn item<'a>(step: &'a FlightStep, name: &str) -> Option<&'a FlightItem> {
    step.items.iter().find(|item| item.name == name)
}

fn first(divergence: &FlightDivergence, one: &FlightProcess, other: &FlightProcess) -> FirstDifference {
    let steps = if divergence.output { (&one.outputs, &other.outputs) } else { (&one.steps, &other.steps) };
    let pair = steps.0.get(divergence.index).zip(steps.1.get(divergence.index));
    FirstDifference {
        stage: divergence.stage,
        item: divergence.item.clone(),
        step: i64::try_from(divergence.step).ok(),
        relative: pair.and_then(|(a, b)| {
            let size = |name: &str| relative(item(a, name)?, item(b, name)?);
            // Inputs are digests; how much they differ is told by the loss that they give.
            size(&divergence.item).or_else(|| size("loss").filter(|_| divergence.item == "inputs"))
        }),
    }
}

/// The largest relative difference of an item that is made of numbers.
fn relative(a: &FlightItem, b: &FlightItem) -> Option<f64> {
    let pairs = a.numbers.iter().zip(&b.numbers).filter_map(|(a, b)| Some((a.value?, b.value?)));
    pairs.map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()) }).max_by(f64::total_cmp)
}

/// The parameters when the first optimizer was built, or before the first step.
fn initial_parameters_differ(one: &FlightProcess, other: &FlightProcess) -> Option<bool> {
    let differ = |a: &FlightStep, b: &FlightStep, name: &str| Some(item(a, name)?.digest != item(b, name)?.digest);
    let start = one.start.as_ref().zip(other.start.as_ref()).and_then(|(a, b)| differ(a, b, "params"));
    start.or_else(|| differ(one.steps.first()?, other.steps.first()?, "params_before"))
}

const LIBRARIES: [(Library, &str, &str); 3] = [
    (Library::Python, "python", "seed.python"),
    (Library::Numpy, "numpy", "seed.numpy"),
    (Library::Torch, "torch", "seed.torch"),
];

fn generators(
    one: &FlightProcess,
    other: &FlightProcess,
    divergence: Option<&FlightDivergence>,
    places: &Places<'_>,
) -> Vec<GlobalGenerator> {
    let seen = |&(library, name, source): &(Library, &str, &'static str)| {
        let item_name = format!("rng.{name}");
        let live = divergence.is_some_and(|divergence| divergence.live_generators.contains(&item_name));
        let idle = divergence.is_some_and(|divergence| divergence.idle_generators.contains(&item_name));
        let draws = places.from(source).find(|place| place.kind == "draw");
        let seeding = seeding(name, one, other);
        // Without steps no state is recorded; one that is used and was never seeded began with entropy all the same.
        let began_with_entropy = one.start.is_none() && draws.is_some() && seeding == Seeding::Never;
        let seeded_badly = seed_calls(name, one).find(|call| call.used_before == Some(true) || call.value.is_none());
        let location = match seeding {
            Seeding::Late | Seeding::Entropy | Seeding::Clock => seeded_badly.and_then(|call| call.at.clone()),
            Seeding::Never | Seeding::Fixed => None,
        };
        GlobalGenerator {
            library,
            differs: live || idle || began_with_entropy || differed_at_start(one, other, &item_name),
            drawn: live || draws.is_some(),
            seeding,
            location: location.or_else(|| draws.map(|place| place.at.clone())),
        }
    };
    LIBRARIES.iter().map(seen).collect()
}

fn differed_at_start(one: &FlightProcess, other: &FlightProcess, name: &str) -> bool {
    let pair = one.start.as_ref().zip(other.start.as_ref());
    pair.and_then(|(a, b)| Some(item(a, name)?.digest != item(b, name)?.digest)).unwrap_or(false)
}

fn seed_calls<'a>(generator: &str, process: &'a FlightProcess) -> impl Iterator<Item = &'a SeedCall> {
    process.seeds.iter().filter(move |call| call.generator == generator)
}

/// How a global generator was seeded, by its last seeding in both runs.
fn seeding(generator: &str, one: &FlightProcess, other: &FlightProcess) -> Seeding {
    let calls: Vec<(&SeedCall, &SeedCall)> = seed_calls(generator, one).zip(seed_calls(generator, other)).collect();
    let Some((last, same)) = calls.last() else { return Seeding::Never };
    match (&last.value, &same.value) {
        (None, _) | (_, None) => Seeding::Entropy,
        (Some(a), Some(b)) if a != b => Seeding::Clock,
        _ if calls.first().is_some_and(|(first, _)| first.used_before == Some(true)) => Seeding::Late,
        _ => Seeding::Fixed,
    }
}

fn own_generators(places: &Places<'_>) -> Vec<OwnGenerator> {
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

/// The lines that make tensors without writing them. NumPy's own functions begin with `numpy.empty` and write it at once,
/// so those are no sign of anything.
fn uninitialised(places: &Places<'_>) -> Vec<SourceLine> {
    let tensors = places.from("uninitialised").filter(|place| !place.what.starts_with("numpy."));
    tensors.map(|place| place.at.clone()).collect()
}

fn library_of(place: &TracedPlace) -> Library {
    if place.what.to_ascii_lowercase().contains("numpy") { Library::Numpy } else { Library::Python }
}

fn loaders(one: &FlightProcess, other: &FlightProcess, places: &Places<'_>) -> Vec<Loader> {
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
fn reads(places: &Places<'_>, reseeded: bool) -> Vec<Read> {
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

fn leftovers(places: &Places<'_>) -> Vec<Leftover> {
    let left = |place: &TracedPlace| Leftover { file: place.what.clone(), location: Some(place.at.clone()) };
    places.from("leftovers").map(left).collect()
}

fn orders(a: &Flight, places: &Places<'_>) -> Vec<Order> {
    let order = |decider: Decider| {
        move |place: &TracedPlace| Order { decider, differs: None, location: Some(place.at.clone()) }
    };
    let hashes = places.from("hashseed").filter(|place| !place.what.starts_with("sets PYTHONHASHSEED"));
    let completions = places.from("race").filter(|place| place.kind == "order" || place.what.contains("unordered"));
    let starts = places.from("race").filter(|place| place.kind == "start" && !place.what.contains("unordered"));
    let mut found: Vec<Order> = hashes.map(order(Decider::StringHashes)).collect();
    found.extend(completions.map(order(Decider::Completion)));
    // Several processes without ranks that all make optimizer steps share what they train.
    let training = a.processes.iter().filter(|process| process.rank.is_none() && !process.steps.is_empty()).count();
    let shared = if training > 1 { Decider::SharedUpdates } else { Decider::Threads };
    found.extend(starts.map(order(shared)));
    if training > 1 && !found.iter().any(|order| order.decider == Decider::SharedUpdates) {
        found.push(Order { decider: Decider::SharedUpdates, differs: None, location: None });
    }
    found
}

fn known(process: &FlightProcess, name: &str, location: Option<SourceLine>) -> Operation {
    let device = if uses_cards(process) { "cuda" } else { "cpu" };
    Operation { name: name.to_owned(), device: device.to_owned(), location }
}

/// Whether a generator of a card was looked at, which happens only where cards are in use.
fn uses_cards(process: &FlightProcess) -> bool {
    process
        .steps
        .iter()
        .chain(&process.outputs)
        .any(|step| step.items.iter().any(|item| item.name.starts_with("rng.cuda")))
}

fn notes(process: &FlightProcess) -> Vec<String> {
    let seeds =
        process.overrides.iter().map(|over| format!("the job asked for {}={} itself", over.setting, over.asked));
    let faults = process.faults.iter().map(|fault| format!("the record is incomplete: {fault}"));
    let late = process.trace.iter().filter(|place| place.what.starts_with("sets PYTHONHASHSEED"));
    let late = late.map(|place| {
        format!("{}:{} sets PYTHONHASHSEED, too late for its own process", place.at.file.display(), place.at.line)
    });
    seeds.chain(faults).chain(late).collect()
}

#[cfg(test)]
mod tests {
    use super::super::nominate::{Strength, nominate};
    use super::*;
    use crate::model::Stage;
    use crate::model::flight::ExactNumber;

    fn look(items: &[(&str, &str)]) -> FlightStep {
        let items = items.iter().map(|(name, digest)| FlightItem {
            name: (*name).to_owned(),
            digest: (*digest).to_owned(),
            ..FlightItem::default()
        });
        FlightStep { items: items.collect(), ..FlightStep::default() }
    }

    fn flight(process: FlightProcess) -> Flight {
        Flight { entered: 1, processes: vec![process], notes: Vec::new() }
    }

    fn place(source: &str, what: &str, kind: &str, line: u32, worker: Option<u64>) -> TracedPlace {
        TracedPlace {
            source: source.to_owned(),
            what: what.to_owned(),
            kind: kind.to_owned(),
            at: SourceLine { file: "train.py".into(), line },
            function: String::new(),
            count: 5,
            order: 0,
            worker,
            entries: Some(12),
        }
    }

    fn with_trace(trace: Vec<TracedPlace>) -> Flight {
        flight(FlightProcess { steps: vec![look(&[("batch", "1")])], trace, ..FlightProcess::default() })
    }

    fn parting(stage: Stage, item: &str, live: &[&str], idle: &[&str]) -> FlightDivergence {
        FlightDivergence {
            rank: None,
            index: 0,
            step: 0,
            output: false,
            stage,
            item: item.to_owned(),
            differing: Vec::new(),
            live_generators: live.iter().map(|name| (*name).to_owned()).collect(),
            idle_generators: idle.iter().map(|name| (*name).to_owned()).collect(),
            tensors: Vec::new(),
        }
    }

    fn strongest(evidence: &Evidence) -> Vec<&'static str> {
        nominate(evidence).into_iter().filter(|n| n.strength == Strength::Strong).map(|n| n.setting).collect()
    }

    #[test]
    fn a_generator_that_moves_and_was_never_seeded_is_nominated_and_an_idle_one_is_not() {
        let empty = with_trace(Vec::new());
        let divergence = parting(Stage::Rng, "rng.python", &["rng.python"], &["rng.numpy"]);
        assert_eq!(strongest(&evidence(&empty, &empty, Some(&divergence), None)), ["seed.python"]);
    }

    #[test]
    fn weights_that_differ_at_the_start_point_to_an_unseeded_torch_though_it_never_moves_again() {
        let run = |digest: &str| {
            let start = look(&[("rng.torch", digest), ("params", digest)]);
            let steps = vec![look(&[("params_before", digest)])];
            flight(FlightProcess { start: Some(start), steps, ..FlightProcess::default() })
        };
        let divergence = parting(Stage::Parameters, "params_before", &[], &["rng.torch"]);
        assert_eq!(strongest(&evidence(&run("1"), &run("2"), Some(&divergence), None)), ["seed.torch"]);
    }

    #[test]
    fn a_generator_made_in_a_worker_is_a_worker_seed_even_where_it_is_traced_as_entropy_too() {
        let trace = vec![
            place("entropy", "random.Random without a seed", "create", 19, Some(0)),
            place("seed.worker", "random.Random without a seed", "create", 19, Some(0)),
        ];
        let flight = with_trace(trace);
        let found = evidence(&flight, &flight, Some(&parting(Stage::Batch, "batch", &[], &[])), None);
        assert_eq!(strongest(&found), ["seed.worker"]);
        assert_eq!(found.own_generators.len(), 1);
    }

    #[test]
    fn a_loader_whose_generator_differs_is_nominated_with_the_line_that_seeded_it() {
        let run = |seed: &str| {
            let loader = vec![("generator".to_owned(), seed.to_owned()), ("num_workers".to_owned(), "0".to_owned())];
            let trace = vec![place("dataloader.generator", "Generator.seed", "seed", 53, None)];
            flight(FlightProcess { loaders: vec![loader], steps: vec![look(&[])], trace, ..FlightProcess::default() })
        };
        let found = evidence(&run("17"), &run("99"), Some(&parting(Stage::Batch, "batch", &[], &[])), None);
        assert_eq!(strongest(&found), ["dataloader.generator"]);
        assert_eq!(found.loaders[0].location, Some(SourceLine { file: "train.py".into(), line: 53 }));
        assert_eq!(strongest(&evidence(&run("17"), &run("17"), None, None)), Vec::<&str>::new());
    }

    #[test]
    fn made_up_names_and_a_listing_point_to_the_order_of_files_first() {
        let trace = vec![
            place("order.filesystem", "os.scandir", "list", 29, None),
            place("order.filesystem", "uuid.uuid4", "name", 24, None),
            place("entropy", "uuid.uuid4", "read", 24, None),
        ];
        let flight = with_trace(trace);
        let found = evidence(&flight, &flight, Some(&parting(Stage::Batch, "inputs", &[], &[])), None);
        let fair = nominate(&found).into_iter().find(|n| n.setting == "order.filesystem").unwrap();
        assert_eq!(fair.strength, Strength::Fair);
    }

    #[test]
    fn a_seed_that_differs_is_the_clocks_only_where_a_clock_is_read() {
        let run = |value: &str, trace: Vec<TracedPlace>| {
            let call = SeedCall {
                generator: "torch".to_owned(),
                how: "torch.manual_seed".to_owned(),
                value: Some(value.to_owned()),
                by_user: true,
                used_before: None,
                at: None,
            };
            let start = Some(look(&[("rng.torch", value)]));
            flight(FlightProcess {
                start,
                seeds: vec![call],
                steps: vec![look(&[])],
                trace,
                ..FlightProcess::default()
            })
        };
        let divergence = parting(Stage::Rng, "rng.torch", &["rng.torch"], &[]);
        let found = |trace: &[TracedPlace]| {
            strongest(&evidence(&run("1", trace.to_vec()), &run("2", trace.to_vec()), Some(&divergence), None))
        };
        assert_eq!(found(&[place("clock", "time.time", "read", 4, None)]), ["clock"]);
        let pid = [place("entropy", "os.getpid", "read", 4, None)];
        assert_eq!(found(&pid), ["entropy"]);
        assert_eq!(evidence(&with_trace(pid.to_vec()), &with_trace(pid.to_vec()), None, None).reads, []);
    }

    #[test]
    fn times_of_change_that_are_looked_at_again_and_again_order_the_files() {
        let mut trace = vec![
            place("order.filesystem", "uuid.uuid4", "name", 15, None),
            place("order.filesystem", "os.path.getmtime", "list", 40, None),
        ];
        let found = evidence(&with_trace(trace.clone()), &with_trace(trace.clone()), None, None);
        let line = |line| Some(SourceLine { file: "train.py".into(), line });
        assert_eq!(super::super::locate::location("order.filesystem", &found), line(40));
        trace[1].count = 1;
        let found = evidence(&with_trace(trace.clone()), &with_trace(trace), None, None);
        assert_eq!(super::super::locate::location("order.filesystem", &found), line(15), "one look orders nothing");
    }

    #[test]
    fn gradients_that_differ_on_equal_losses_point_to_the_arithmetic() {
        let empty = with_trace(Vec::new());
        let divergence = parting(Stage::Gradients, "grads", &[], &[]);
        assert_eq!(strongest(&evidence(&empty, &empty, Some(&divergence), None)), ["deterministic_algorithms"]);
        let threads = with_trace(vec![place("race", "Thread.start", "start", 39, None)]);
        let found = evidence(&threads, &threads, Some(&divergence), None);
        assert_eq!(strongest(&found), Vec::<&str>::new(), "the job's own threads change gradients as well");
    }

    #[test]
    fn inputs_that_move_the_loss_by_rounding_only_are_computed_and_others_are_read() {
        let number = |loss: f64| ExactNumber { bits: loss.to_bits(), precision: "f64".to_owned(), value: Some(loss) };
        let run = |loss: f64| {
            let mut step = look(&[("inputs", &loss.to_string()), ("loss", &loss.to_string())]);
            step.items[1].numbers = vec![number(loss)];
            flight(FlightProcess { steps: vec![step], ..FlightProcess::default() })
        };
        let divergence = parting(Stage::Batch, "inputs", &[], &[]);
        let found = |other: f64| strongest(&evidence(&run(1.0), &run(other), Some(&divergence), None));
        assert_eq!(found(1.000_000_1), ["deterministic_algorithms"]);
        assert_eq!(found(1.1), Vec::<&str>::new());
    }

    #[test]
    fn the_generator_with_which_tempfile_makes_up_names_is_nobodys_cause() {
        let trace = vec![
            place("entropy", "random.Random without a seed", "create", 87, None),
            place("order.filesystem", "tempfile", "name", 87, None),
            place("uninitialised", "numpy.empty", "create", 33, None),
        ];
        let flight = with_trace(trace);
        let found = evidence(&flight, &flight, Some(&parting(Stage::Batch, "batch", &[], &[])), None);
        assert!(found.own_generators.is_empty() && found.uninitialised.is_empty(), "{found:?}");
    }

    #[test]
    fn a_seed_that_comes_after_the_first_draw_is_late() {
        let call = |used_before| SeedCall {
            generator: "torch".to_owned(),
            how: "torch.manual_seed".to_owned(),
            value: Some("1".to_owned()),
            by_user: true,
            used_before: Some(used_before),
            at: None,
        };
        let run = |used_before| FlightProcess { seeds: vec![call(used_before)], ..FlightProcess::default() };
        assert_eq!(seeding("torch", &run(true), &run(true)), Seeding::Late);
        assert_eq!(seeding("torch", &run(false), &run(false)), Seeding::Fixed);
        assert_eq!(seeding("numpy", &run(false), &run(false)), Seeding::Never);
    }

    #[test]
    fn a_job_without_steps_is_known_by_the_lines_that_draw_and_seed() {
        let run = |trace: Vec<TracedPlace>| flight(FlightProcess { trace, ..FlightProcess::default() });
        let draws = run(vec![place("seed.python", "random.random", "draw", 5, None)]);
        let found = evidence(&draws, &draws, None, None);
        assert_eq!(strongest(&found), ["seed.python"]);
        assert_eq!(found.generators[0].location, Some(SourceLine { file: "train.py".into(), line: 5 }));
        let made = run(vec![place("seed.numpy_generator", "numpy.random.default_rng", "create", 2, None)]);
        assert_eq!(strongest(&evidence(&made, &made, None, None)), ["seed.numpy_generator"]);
    }

    #[test]
    fn records_without_a_process_hold_no_evidence() {
        assert_eq!(evidence(&Flight::default(), &Flight::default(), None, None), Evidence::default());
    }
}
