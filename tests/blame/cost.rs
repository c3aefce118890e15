//! Runs and questions, against what any search must spend.

use std::collections::BTreeSet;

use repro_audit::blame::Config;

use super::records::honest;
use super::world::{Audit, CAUSES, Dice, SETTINGS, World, audit, config, place, reference_runs, search};

fn log2_choose(n: usize, k: usize) -> f64 {
    (0..k).map(|i| ((n - i) as f64 / (i + 1) as f64).log2()).sum()
}

/// A world with this many causes, each in every run.
fn any_world(k: usize, dice: &mut Dice) -> World {
    let mut world = World::default();
    while world.live.len() < k {
        world.live.insert(dice.below(CAUSES.len()), 1.0);
    }
    world
}

/// Runs that a linear scan of the same catalogue takes: each setting held alone in turn until one cures.
fn linear(cause: &str, repeats: usize) -> usize {
    let cures = CAUSES[place(cause)].1;
    let at = SETTINGS.iter().position(|setting| cures.contains(setting)).unwrap_or(SETTINGS.len());
    repeats + 2 * at + repeats
}

#[test]
fn the_search_without_a_record_costs_little_more_than_the_bound() {
    println!(
        "no record, 16 settings: causes: mean runs (worst) = controls and confirmations + search, log2 C(16, causes)"
    );
    for k in 1..=4 {
        let (mut runs, mut checks, mut worst) = (0, 0, 0);
        let worlds = 600;
        let mut dice = Dice(k as u64);
        for seed in 0..worlds {
            let world = any_world(k, &mut dice);
            let found = audit(&world, None, seed).unwrap();
            assert!(found.proved().iter().all(|id| world.guilty().contains(id)));
            runs += found.blame.runs_used;
            checks += found.checks;
            worst = worst.max(found.blame.runs_used);
        }
        let (runs, checks) = (runs as f64 / worlds as f64, checks as f64 / worlds as f64);
        let (search, bound) = (runs - checks, log2_choose(SETTINGS.len(), k));
        println!(
            "{k}: {runs:4.1} runs ({worst}) = {checks:4.1} + {search:4.1}, bound {bound:4.1}, ratio {:.2}",
            search / bound
        );
        assert!(search <= 1.6 * bound, "{search} runs of search for {k} causes, bound {bound}");
    }
    let scans: usize = CAUSES.iter().map(|(cause, _)| linear(cause, 3)).sum();
    println!("linear scan, one cause, nothing confirmed: {:.1} runs", scans as f64 / CAUSES.len() as f64);
}

fn shortened(world: &World, evidence: Option<repro_audit::model::Evidence>) -> super::world::Found {
    let mut audit = Audit::new(world, 1);
    let groups = audit.control(reference_runs(evidence.as_ref()));
    search(&mut audit, Config { shorten: true, ..config(groups, evidence) })
}

#[test]
fn shortened_runs_spare_steps_and_the_proof_is_still_made_at_full_length() {
    let world = World::with(&["seed.torch", "seed.python"]);
    let found = shortened(&world, Some(honest(&["seed.torch", "seed.python"])));
    assert_eq!(found.proved(), world.guilty().into_iter().filter(|id| *id != "entropy").collect::<BTreeSet<_>>());
    assert_eq!(found.full_runs, 3);
    assert!(found.blame.runs_used <= 16, "{} runs", found.blame.runs_used);
}

#[test]
fn a_second_cause_that_shows_late_is_found_though_runs_are_shortened() {
    let mut world = World::with(&["seed.torch", "clock"]);
    world.late.insert(place("clock"));
    for evidence in [None, Some(honest(&["seed.torch"])), Some(honest(&["seed.torch", "clock"]))] {
        let found = shortened(&world, evidence);
        assert_eq!(found.proved(), BTreeSet::from(["seed.torch", "clock"]), "{:?}", found.blame.history);
    }
}
