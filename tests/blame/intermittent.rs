//! Causes that show in some runs only.

use std::collections::BTreeSet;

use repro_audit::blame::{Answer, Ask, Config, Search, Seen, agree_by_luck};
use repro_audit::model::{Evidence, Grade};

use super::records::honest;
use super::world::{Audit, World, audit, config, reference_runs, search};

#[test]
fn a_job_that_parts_sometimes_is_watched_and_then_acquitted_only_by_many_repeats() {
    let mut search = Search::new(config(vec![2, 1], Some(honest(&["seed.torch"]))));
    let Ask::Run { treatment, all, .. } = search.next_ask() else { panic!("nothing asked") };
    assert!(treatment.is_empty() && all, "the reference is watched first");
    search.seen(Answer { seen: Seen::Parted { onset: None, groups: vec![9, 4] }, runs: 10, steps: 0 });
    let Ask::Run { treatment, repeats, all, .. } = search.next_ask() else { panic!("nothing asked") };
    assert!(treatment.len() == 1 && !all);
    assert!(repeats >= 8, "{repeats} repeats");
}

#[test]
fn the_chance_of_luck_is_printed_with_an_intermittent_cause() {
    let world = World::sometimes("hashseed", 0.25);
    let found = (0..50).find_map(|seed| audit(&world, Some(honest(&["hashseed"])), seed)).unwrap();
    let lines = &found.blame.causes[0].evidence;
    assert!(lines.iter().any(|line| line.contains("by luck with probability")), "{lines:?}");
}

#[test]
fn three_repeats_miss_what_they_must_miss() {
    let world = World::sometimes("race", 0.25);
    let missed = (0..4000).filter(|&seed| Audit::new(&world, seed).control(3).len() == 1).count();
    assert!((missed as f64 / 4000.0 - agree_by_luck(0.25, 3)).abs() < 0.03, "{missed}");
}

/// What came of many audits of one intermittent cause.
#[derive(Default)]
struct Tally {
    audits: u32,
    right: u32,
    wrong: u32,
    likely: u32,
    runs: usize,
}

fn tally(rate: f64, fresh: bool, evidence: Option<&Evidence>, max_runs: usize) -> Tally {
    let world = World { fresh, ..World::sometimes("hashseed", rate) };
    let mut tally = Tally::default();
    for seed in 0..300 {
        let mut audit = Audit::new(&world, seed * 7919);
        let groups = audit.control(reference_runs(evidence));
        if groups.len() < 2 {
            continue;
        }
        let found = search(&mut audit, Config { max_runs: Some(max_runs), ..config(groups, evidence.cloned()) });
        tally.audits += 1;
        tally.runs += found.blame.runs_used;
        tally.right += u32::from(found.proved() == world.guilty());
        tally.likely += u32::from(found.graded(Grade::Likely) == world.guilty());
        tally.wrong += u32::from(found.proved().iter().any(|id| !world.guilty().contains(id)));
    }
    tally
}

#[test]
fn a_cause_in_one_run_of_four_is_proved_or_its_odds_are_stated_whenever_it_was_seen() {
    println!(
        "one run of four, eleven repeats: record, other each time: audits, agreed, proved right, wrong, mean runs"
    );
    for (traced, fresh) in [(true, false), (true, true), (false, false), (false, true)] {
        let world = World { fresh, ..World::sometimes("hashseed", 0.25) };
        let (audits, mut agreed, mut right, mut wrong, mut runs) = (if traced { 400 } else { 150 }, 0, 0, 0, 0);
        let mut likely_wrong = 0;
        for seed in 0..audits {
            let mut audit = Audit::new(&world, u64::from(seed) * 104_729);
            let groups = audit.control(11);
            if groups.len() < 2 {
                agreed += 1;
                continue;
            }
            let (shown, groups) = audit.record(groups, Config::MAX_RUNS_SOMETIMES / 4);
            let evidence = if shown && traced { honest(&["hashseed"]) } else { Evidence::default() };
            let found = search(&mut audit, Config { repeats: 11, ..config(groups, Some(evidence)) });
            runs += found.blame.runs_used;
            right += u32::from(found.proved() == world.guilty());
            wrong += u32::from(found.proved().iter().any(|id| !world.guilty().contains(id)));
            likely_wrong += u32::from(found.graded(Grade::Likely).iter().any(|id| !world.guilty().contains(id)));
            let lines: Vec<&String> = found.blame.causes.iter().flat_map(|cause| &cause.evidence).collect();
            assert!(lines.iter().any(|line| line.contains("by luck with probability")), "{lines:?}");
        }
        let mean = runs as f64 / f64::from(audits - agreed);
        println!("{traced:5} {fresh:5}: {audits} {agreed} {right} {wrong} {mean:5.1}");
        let seen = audits - agreed;
        assert!(f64::from(agreed) / f64::from(audits) < agree_by_luck(0.25, 11) + 0.03, "{agreed} agreed");
        assert!(wrong * 20 <= seen, "{wrong} of {seen} wrong");
        assert!(likely_wrong * 20 <= seen, "{likely_wrong} of {seen} likely and wrong");
        assert!(right * 20 >= seen * if traced { 19 } else { 13 }, "{right} of {seen} right");
    }
}

#[test]
fn an_intermittent_cause_seldom_convicts_an_innocent() {
    println!(
        "intermittent causes: rate, record, other each time, budget: audits, proved right, proved wrong, likely right, mean runs"
    );
    let records =
        [("honest", Some(honest(&["hashseed"]))), ("misleading", Some(honest(&["seed.numpy"]))), ("none", None)];
    for rate in [0.75, 0.5, 0.25, 0.1] {
        for (name, evidence) in &records {
            for (fresh, max_runs) in [(false, Config::MAX_RUNS), (true, Config::MAX_RUNS), (false, 200)] {
                let Tally { audits, right, wrong, likely, runs } = tally(rate, fresh, evidence.as_ref(), max_runs);
                let mean = runs as f64 / f64::from(audits.max(1));
                println!(
                    "{rate:4} {name:10} {fresh:5} {max_runs:4}: {audits:4} {right:4} {wrong:4} {likely:4} {mean:6.1}"
                );
                let promised = 0.05 * f64::from(audits);
                let slack = 3.0 * promised.sqrt();
                assert!(f64::from(wrong) <= promised + slack, "{wrong} of {audits} at rate {rate}, {name} record");
            }
        }
    }
}

#[test]
fn a_generator_that_nothing_was_seen_to_use_is_suspected_at_most_where_the_job_parts_only_sometimes() {
    let world = World::sometimes("seed.numpy", 0.25);
    let found: Vec<_> = (0..20).filter_map(|seed| audit(&world, Some(Evidence::default()), seed)).collect();
    let named = |grade| found.iter().filter(|found| !found.graded(grade).is_empty()).count();
    assert_eq!((named(Grade::Proved), named(Grade::Likely)), (0, 0));
    assert!(named(Grade::Suspected) > 5);
    let seen = (0..20).find_map(|seed| audit(&world, Some(honest(&["seed.numpy"])), seed)).unwrap();
    assert_eq!(seen.proved(), BTreeSet::from(["seed.numpy"]), "{:?}", seen.blame);
}
