//! What causes leave in a flight record, and that the search follows it where it is right.

use std::collections::BTreeSet;

use repro_audit::model::{
    Decider, Evidence, FirstDifference, GlobalGenerator, Level, Library, Loader, Order, Outside, OwnGenerator, Read,
    Seeding, SettingId, SourceLine, Stage,
};

use super::world::{CAUSES, World, audit};

pub fn line(number: u32) -> SourceLine {
    SourceLine { file: "train.py".into(), line: number }
}

pub fn first(stage: Stage, item: &str) -> Option<FirstDifference> {
    Some(FirstDifference { stage, item: item.to_owned(), step: Some(0), relative: None })
}

pub fn global(library: Library) -> GlobalGenerator {
    GlobalGenerator {
        library,
        differs: true,
        drawn: true,
        seeding: Seeding::Never,
        used_first: false,
        seeds: None,
        location: Some(line(10)),
    }
}

pub fn own(library: Library, in_worker: bool) -> OwnGenerator {
    OwnGenerator { library, seeding: Seeding::Never, in_worker, location: Some(line(20)) }
}

pub fn read(what: Outside) -> Read {
    let location = Some(line(30));
    Read { what, count: 3, in_worker: false, names_differ: None, order_differs: None, location }
}

/// The record that these causes leave.
pub fn honest(causes: &[&str]) -> Evidence {
    let mut evidence = Evidence::default();
    causes.iter().for_each(|cause| leave_trace(&mut evidence, cause));
    evidence
}

fn leave_trace(evidence: &mut Evidence, cause: &str) {
    let mut item = (Stage::Batch, "batch");
    match cause {
        "seed.python" => evidence.generators.push(global(Library::Python)),
        "seed.numpy" => evidence.generators.push(global(Library::Numpy)),
        "seed.torch" => {
            evidence.generators.push(global(Library::Torch));
            evidence.initial_parameters_differ = Some(true);
            item = (Stage::Rng, "rng.torch");
        }
        "seed.numpy_generator" => evidence.own_generators.push(own(Library::Numpy, false)),
        "seed.worker" => evidence.own_generators.push(own(Library::Python, true)),
        "dataloader.generator" => {
            let generator = Some(Seeding::Entropy);
            evidence.loaders.push(Loader { workers: 0, in_order: true, generator, location: Some(line(40)) });
        }
        "hashseed" => evidence.hashes_randomised = Some(true),
        "order.filesystem" => {
            let listing = read(Outside::Listing);
            evidence.reads.push(Read { order_differs: Some(true), names_differ: Some(false), ..listing });
        }
        "clock" => {
            evidence.reads.push(read(Outside::Clock));
            item = (Stage::Environment, "lr");
        }
        "entropy" => evidence.reads.push(read(Outside::Entropy)),
        "race" => evidence.orders.push(Order { decider: Decider::Completion, differs: None, location: Some(line(50)) }),
        "op.nondeterministic" => {
            evidence.threads = Some(2);
            item = (Stage::Gradients, "gradients");
        }
        "uninitialised" => {
            evidence.uninitialised.push(line(60));
            item = (Stage::Parameters, "parameters");
        }
        "cudnn.benchmark" => {
            evidence.cuda = true;
            evidence.cudnn_benchmark = Some(true);
            evidence.threads = Some(1);
            item = (Stage::Loss, "loss");
        }
        _ => item = (Stage::Loss, "loss"),
    }
    if evidence.first.as_ref().is_none_or(|known| known.stage > item.0) {
        evidence.first = first(item.0, item.1);
    }
}

#[test]
fn each_single_cause_with_an_honest_record_is_proved_within_nine_runs() {
    for (cause, _) in CAUSES.iter().filter(|(cause, _)| *cause != "compile") {
        let found = audit(&World::with(&[cause]), Some(honest(&[cause])), 1).unwrap();
        assert_eq!(found.proved(), BTreeSet::from([*cause]), "{:?}", found.blame);
        assert_eq!(found.blame.causes.len(), 1);
        assert!(found.blame.runs_used <= 9, "{cause}: {} runs", found.blame.runs_used);
    }
}

#[test]
fn each_pair_of_traced_causes_is_proved_within_sixteen_runs() {
    let traced = ["seed.python", "seed.numpy", "seed.torch", "seed.worker", "dataloader.generator", "clock", "race"];
    for (at, a) in traced.iter().enumerate() {
        for b in &traced[at + 1..] {
            let found = audit(&World::with(&[a, b]), Some(honest(&[a, b])), 2).unwrap();
            assert_eq!(found.proved(), BTreeSet::from([*a, *b]), "{:?}", found.blame);
            assert!(found.blame.runs_used <= 16, "{a}, {b}: {} runs", found.blame.runs_used);
        }
    }
}

#[test]
fn an_innocent_that_the_record_points_to_is_dropped() {
    let found = audit(&World::with(&["seed.torch"]), Some(honest(&["seed.torch", "seed.python"])), 3).unwrap();
    assert_eq!(found.proved(), BTreeSet::from(["seed.torch"]));
    assert_eq!(found.blame.causes.len(), 1, "{:?}", found.blame);
    assert_eq!(found.blame.pins, [(SettingId::new("seed.torch"), Level::new("on"))]);
}

#[test]
fn causes_that_the_record_does_not_show_are_found_all_the_same() {
    let found = audit(&World::with(&["hashseed", "clock"]), Some(honest(&["seed.numpy"])), 4).unwrap();
    assert_eq!(found.proved(), BTreeSet::from(["hashseed", "clock"]));
}

#[test]
fn a_generator_that_differs_and_is_never_drawn_from_is_innocent() {
    let mut evidence = honest(&["seed.worker"]);
    evidence.generators.push(GlobalGenerator { drawn: false, ..global(Library::Numpy) });
    let found = audit(&World::with(&["seed.worker"]), Some(evidence), 5).unwrap();
    assert!(found.asked.iter().all(|held| !held.contains("seed.numpy")), "{:?}", found.asked);
    assert_eq!(found.blame.runs_used, 8);
}

#[test]
fn seeding_after_the_model_is_built_points_to_torch_though_no_generator_differs() {
    let late = GlobalGenerator { differs: false, seeding: Seeding::Late, ..global(Library::Torch) };
    let evidence = Evidence {
        generators: vec![late],
        initial_parameters_differ: Some(true),
        first: first(Stage::Parameters, "parameters"),
        ..Evidence::default()
    };
    let found = audit(&World::with(&["seed.torch"]), Some(evidence), 6).unwrap();
    assert_eq!((found.proved(), found.blame.runs_used), (BTreeSet::from(["seed.torch"]), 8));
}

#[test]
fn a_clock_that_only_times_the_steps_is_not_tried_before_what_fits() {
    let mut evidence = honest(&["hashseed"]);
    evidence.reads.push(read(Outside::Clock));
    let found = audit(&World::with(&["hashseed"]), Some(evidence), 7).unwrap();
    assert_eq!((found.proved(), found.blame.runs_used), (BTreeSet::from(["hashseed"]), 8));
}

#[test]
fn the_users_line_is_named() {
    for (cause, number) in [
        ("seed.numpy", 10),
        ("seed.worker", 20),
        ("clock", 30),
        ("dataloader.generator", 40),
        ("race", 50),
        ("uninitialised", 60),
    ] {
        let found = audit(&World::with(&[cause]), Some(honest(&[cause])), 8).unwrap();
        assert_eq!(found.blame.causes[0].location, Some(line(number)), "{cause}");
    }
}
