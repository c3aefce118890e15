//! The flight records of two repeats to the evidence they hold.

mod generators;
mod places;
mod sources;

use crate::model::flight::{Flight, FlightDivergence, FlightItem, FlightProcess, FlightStep, GuiltyOperation};
use crate::model::{Evidence, FirstDifference, Operation, Seeding, SourceLine};
use generators::{elsewhere, generators};
use places::Places;
use sources::{leftovers, loaders, orders, own_generators, reads, uninitialised};

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
    let mut generators = generators(one, other, divergence, &places);
    generators.extend(elsewhere(a, one).filter(|_| one.rank.is_none()));
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
        frameworks: OTHERS.into_iter().filter(|name| fact(one, name).is_some()).map(str::to_owned).collect(),
        cuda: uses_cards(one),
        notes: notes(one),
    }
}

/// The frameworks other than torch whose import is recorded.
const OTHERS: [&str; 2] = ["jax", "tensorflow"];

/// The process of each record that trained, or answered, and comes first; of a job without such steps, which may train with
/// another library than torch, its first process.
fn main_processes<'a>(a: &'a Flight, b: &'a Flight) -> Option<(&'a FlightProcess, &'a FlightProcess)> {
    let one = a.trained().next().or(a.processes.first())?;
    let like = |other: &&FlightProcess| (other.rank, &other.role) == (one.rank, &one.role);
    let other = b.trained().find(like).or_else(|| b.processes.iter().find(like))?;
    Some((one, other))
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
    use super::generators::seeding;
    use super::*;
    use crate::model::Stage;
    use crate::model::flight::{ExactNumber, SeedCall, TracedPlace};

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
    fn a_copy_to_the_host_that_nobody_waits_for_is_told_before_a_stream_and_lets_arithmetic_be_the_first_suspect() {
        let flight = with_trace(vec![
            place("cuda.streams", "torch.cuda.Stream", "start", 4, None),
            place("cuda.streams", "Tensor.copy_(non_blocking=True)", "copy", 9, None),
        ]);
        let found = evidence(&flight, &flight, Some(&parting(Stage::Gradients, "grads", &[], &[])), None);
        assert_eq!(strongest(&found), ["deterministic_algorithms"]);
        assert!(nominate(&found).iter().any(|n| (n.setting, n.strength) == ("cuda.streams", Strength::Fair)));
        let line = Some(SourceLine { file: "train.py".into(), line: 9 });
        assert_eq!(super::super::locate::location("race", &found), line);
    }

    #[test]
    fn a_program_that_the_job_starts_and_that_draws_unseeded_is_nominated_with_its_line() {
        let (role, start, steps) = ("main".to_owned(), Some(look(&[])), vec![look(&[])]);
        let main = FlightProcess { pid: 1, role, start, steps, ..FlightProcess::default() };
        let draw = place("seed.numpy", "numpy.random.randn", "draw", 3, None);
        let other = FlightProcess { pid: 2, steps: Vec::new(), start: None, trace: vec![draw], ..main.clone() };
        let found = |other: FlightProcess| {
            let flight = Flight { entered: 2, processes: vec![main.clone(), other], notes: Vec::new() };
            strongest(&evidence(&flight, &flight, Some(&parting(Stage::Batch, "inputs", &[], &[])), None))
        };
        assert_eq!(found(other.clone()), ["seed.numpy"]);
        assert_eq!(found(FlightProcess { role: "c1".to_owned(), ..other.clone() }), Vec::<&str>::new(), "inherited");
        let call = SeedCall {
            generator: "numpy".to_owned(),
            how: "numpy.random.seed".to_owned(),
            value: Some("1".to_owned()),
            by_user: true,
            used_before: Some(false),
            at: None,
        };
        assert_eq!(found(FlightProcess { seeds: vec![call], ..other }), Vec::<&str>::new(), "seeded");
    }

    #[test]
    fn a_job_of_another_framework_without_steps_points_to_that_framework() {
        let process =
            FlightProcess { facts: vec![("jax".to_owned(), "0.10.2".to_owned())], ..FlightProcess::default() };
        let found = evidence(&flight(process.clone()), &flight(process), None, None);
        assert_eq!(found.frameworks, ["jax"]);
        assert!(nominate(&found).iter().any(|n| n.setting == "xla.deterministic_ops"));
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
        ];
        let flight = with_trace(trace);
        let found = evidence(&flight, &flight, Some(&parting(Stage::Batch, "batch", &[], &[])), None);
        assert!(found.own_generators.is_empty(), "{found:?}");
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

    /// `seed = random.randint(...); random.seed(seed); torch.manual_seed(seed)`.
    #[test]
    fn a_seed_that_is_drawn_is_the_fault_of_the_line_that_draws_it() {
        let call = |generator: &str, value: u32, used_before| SeedCall {
            generator: generator.to_owned(),
            how: format!("{generator}.seed"),
            value: Some(value.to_string()),
            by_user: true,
            used_before: Some(used_before),
            at: Some(SourceLine { file: "train.py".into(), line: 9 }),
        };
        let run = |seed| {
            let mut late = place("seed.python", "random.shuffle", "draw", 40, None);
            late.order = 7;
            flight(FlightProcess {
                seeds: vec![call("python", seed, true), call("torch", seed, false)],
                trace: vec![late, place("seed.python", "random.randint", "draw", 5, None)],
                ..FlightProcess::default()
            })
        };
        let divergence = parting(Stage::Rng, "rng.python", &["rng.python", "rng.torch"], &[]);
        let found = evidence(&run(17), &run(93), Some(&divergence), None);
        assert_eq!(strongest(&found), ["seed.python"]);
        assert_eq!(found.generators[0].location, Some(SourceLine { file: "train.py".into(), line: 5 }));
        assert_eq!(found.generators[2].seeds.as_deref(), Some("torch.seed: 17 and 93 at train.py:9"));
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
