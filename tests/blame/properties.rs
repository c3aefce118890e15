//! What holds in any world, whatever the record says.

use std::collections::BTreeSet;

use proptest::prelude::*;
use repro_audit::blame::{Config, nominate};
use repro_audit::model::{Evidence, Grade};

use super::records::honest;
use super::world::{Audit, CAUSES, SETTINGS, World, config, reference_runs, search};

fn some_settings(most: usize) -> impl Strategy<Value = BTreeSet<String>> {
    proptest::collection::btree_set(proptest::sample::select(SETTINGS.to_vec()), 0..=most)
        .prop_map(|ids| ids.into_iter().map(str::to_owned).collect())
}

fn some_causes(least: usize, most: usize) -> impl Strategy<Value = BTreeSet<usize>> {
    proptest::collection::btree_set(0..CAUSES.len(), least..=most)
}

/// Worlds from kind to hostile: all settings work; some do not take effect; some fail; some bring a divergence in.
fn worlds() -> impl Strategy<Value = World> {
    let settings = (some_settings(3), some_settings(2), some_settings(1), some_settings(4));
    (some_causes(1, 5), settings, any::<bool>(), 0..4u8).prop_map(
        |(live, (unappliable, failing, harmful, altering), nan, hostile)| World {
            altering,
            late: live.iter().skip(1).step_by(2).copied().collect(),
            live: live.into_iter().map(|cause| (cause, 1.0)).collect(),
            unappliable: if hostile > 0 { unappliable } else { BTreeSet::new() },
            failing: if hostile > 1 { failing } else { BTreeSet::new() },
            harmful: if hostile > 2 { harmful } else { BTreeSet::new() },
            nan: nan && hostile > 0,
            ..World::default()
        },
    )
}

/// Records that show anything, true or not, or none.
fn records() -> impl Strategy<Value = Option<Evidence>> {
    proptest::option::of(some_causes(0, 4).prop_map(|traces| {
        let ids: Vec<&str> = traces.into_iter().map(|cause| CAUSES[cause].0).collect();
        honest(&ids)
    }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_innocent_is_convicted_and_the_budget_is_kept(
        world in worlds(),
        evidence in records(),
        seed: u64,
        max_runs in 5..120_usize,
        shorten: bool,
    ) {
        let mut audit = Audit::new(&world, seed);
        let groups = audit.control(reference_runs(evidence.as_ref()));
        let pointed_to: Vec<&str> = evidence.iter().flat_map(nominate).map(|nomination| nomination.setting).collect();
        let found = search(&mut audit, Config { max_runs: Some(max_runs), shorten, ..config(groups, evidence) });
        let guilty = world.guilty();
        for id in found.proved() {
            prop_assert!(guilty.contains(id), "{} is innocent: {:?}", id, found.blame);
        }
        // Only a record that lies can make an innocent likely.
        for id in found.graded(Grade::Likely) {
            prop_assert!(guilty.contains(id) || pointed_to.contains(&id), "{} is innocent: {:?}", id, found.blame);
        }
    }

    #[test]
    fn all_causes_are_proved_and_no_pin_is_idle_where_the_budget_allows(
        live in some_causes(1, 5),
        altering in some_settings(3),
        evidence in records(),
        seed: u64,
        shorten: bool,
    ) {
        let late = live.iter().skip(1).step_by(2).copied().collect();
        let world = World { altering, live: live.into_iter().map(|cause| (cause, 1.0)).collect(), late, ..World::default() };
        let mut audit = Audit::new(&world, seed);
        let groups = audit.control(reference_runs(evidence.as_ref()));
        let found = search(&mut audit, Config { max_runs: Some(200), shorten, ..config(groups, evidence) });
        let pins = found.pins();
        let cured = |pins: &BTreeSet<&str>| {
            world.live.keys().all(|&cause| CAUSES[cause].1.iter().any(|setting| pins.contains(setting)))
        };
        prop_assert!(cured(&pins), "{:?}", found.blame);
        for pin in &pins {
            let mut fewer = pins.clone();
            fewer.remove(pin);
            prop_assert!(!cured(&fewer), "{} is not needed: {:?}", pin, found.blame);
        }
        prop_assert!(found.blame.causes.iter().all(|cause| cause.grade == Grade::Proved), "{:?}", found.blame);
    }

    #[test]
    fn the_same_answers_give_the_same_questions(world in worlds(), evidence in records(), seed: u64) {
        let once = || {
            let mut audit = Audit::new(&world, seed);
            let groups = audit.control(reference_runs(evidence.as_ref()));
            search(&mut audit, config(groups, evidence.clone()))
        };
        let (a, b) = (once(), once());
        prop_assert_eq!(a.asked, b.asked);
        prop_assert_eq!(a.blame, b.blame);
    }
}
