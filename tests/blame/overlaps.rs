//! Settings that cure the same cause, and which of them is named.

use std::collections::BTreeSet;

use repro_audit::blame::{Ask, Search};
use repro_audit::model::{Evidence, Grade, Operation, Outside, Read};

use super::records::{honest, line, read};
use super::world::{Audit, World, answering, audit, config, parted, search, setting};
use repro_audit::blame::Seen;
use repro_audit::model::{Level, Setting, SettingId};

#[test]
fn entropy_is_not_blamed_where_a_more_specific_setting_cures_alone() {
    for cause in ["seed.numpy_generator", "seed.worker", "dataloader.generator"] {
        for evidence in [None, Some(honest(&[cause])), Some(honest(&["entropy"]))] {
            // A record that shows nothing but entropy is followed, since entropy is a cure and nothing else is seen.
            let misled = evidence == Some(honest(&["entropy"]));
            let found = audit(&World::with(&[cause]), evidence, 5).unwrap();
            let named = if misled { "entropy" } else { cause };
            assert_eq!(found.proved(), BTreeSet::from([named]), "{:?}", found.blame);
        }
    }
}

#[test]
fn entropy_that_the_record_shows_beside_the_specific_source_is_let_go() {
    for cause in ["seed.numpy_generator", "seed.worker", "dataloader.generator"] {
        let found = audit(&World::with(&[cause]), Some(honest(&[cause, "entropy"])), 6).unwrap();
        assert_eq!(found.proved(), BTreeSet::from([cause]));
        assert_eq!(found.blame.runs_used, 8);
    }
}

#[test]
fn entropy_is_blamed_where_nothing_more_specific_cures() {
    let found = audit(&World::with(&["entropy"]), None, 7).unwrap();
    assert_eq!(found.proved(), BTreeSet::from(["entropy"]));
}

#[test]
fn random_file_names_are_named_as_a_file_order_even_where_only_entropy_can_hold_them() {
    let mut evidence = honest(&["entropy"]);
    evidence.reads.push(Read { names_differ: Some(true), location: Some(line(70)), ..read(Outside::Listing) });
    let found = audit(&World::with(&["entropy"]), Some(evidence), 8).unwrap();
    assert_eq!(found.graded(Grade::Likely), BTreeSet::from(["order.filesystem"]), "inferred; entropy was proved");
    assert_eq!(found.blame.causes.len(), 1, "{:?}", found.blame);
    assert_eq!(found.pins(), BTreeSet::from(["entropy"]));
    assert_eq!(found.blame.causes[0].location, Some(line(30)), "the line that makes the names");
}

#[test]
fn random_file_names_are_proved_where_the_order_of_files_can_be_held() {
    let mut evidence = honest(&["entropy", "order.filesystem"]);
    evidence.reads.push(Read { location: Some(line(70)), ..read(Outside::Name) });
    let found = audit(&World::with(&["order.filesystem"]), Some(evidence), 8).unwrap();
    assert_eq!((found.proved(), found.blame.runs_used), (BTreeSet::from(["order.filesystem"]), 8));
    assert_eq!(found.blame.causes[0].location, Some(line(70)), "the line that makes the names");
}

#[test]
fn an_operation_is_held_by_deterministic_algorithms_before_one_thread() {
    let found = audit(&World::with(&["op.nondeterministic"]), None, 9).unwrap();
    assert_eq!(found.proved(), BTreeSet::from(["op.nondeterministic"]));
    assert_eq!(found.pins(), BTreeSet::from(["deterministic_algorithms"]));
}

#[test]
fn one_thread_proves_an_operation_where_deterministic_algorithms_stop_the_job() {
    let mut world = World::with(&["op.nondeterministic"]);
    world.failing.insert("deterministic_algorithms".to_owned());
    for evidence in [None, Some(honest(&["op.nondeterministic"]))] {
        let found = audit(&world, evidence, 10).unwrap();
        assert_eq!(found.proved(), BTreeSet::from(["op.nondeterministic"]), "{:?}", found.blame);
        assert_eq!(found.pins(), BTreeSet::from(["threads"]));
        assert_eq!(found.not_checked, ["deterministic_algorithms: every run crashed"]);
    }
}

#[test]
fn agreeing_on_nan_does_not_prove_an_operation() {
    let mut world = World::with(&["uninitialised"]);
    world.nan = true;
    let mut misleading = honest(&["op.nondeterministic"]);
    misleading.alerts.push(Operation { name: "index_put_".to_owned(), device: "cpu".to_owned(), location: None });
    for evidence in [None, Some(misleading), Some(honest(&["uninitialised"]))] {
        let found = audit(&world, evidence, 11).unwrap();
        assert_eq!(found.proved(), BTreeSet::from(["uninitialised"]), "{:?}", found.blame);
    }
}

#[test]
fn a_torch_seed_is_named_where_it_feeds_what_the_workers_draw() {
    // Both holding worker seeds and seeding torch make this job repeat, since workers draw from torch's seed.
    let cures = [SettingId::new("seed.torch"), SettingId::new("seed.worker")];
    let blame = answering(config(vec![1, 1, 1], None), |treatment| {
        if cures.iter().any(|cure| treatment.contains_key(cure)) { Seen::Agreed } else { parted() }
    });
    assert_eq!(blame.pins.len(), 1);
    assert_eq!(blame.causes[0].id, "seed.torch");
}

#[test]
fn two_causes_of_which_each_alone_is_not_enough_are_both_named() {
    for evidence in [None, Some(honest(&["seed.torch", "seed.python"])), Some(honest(&["seed.torch"]))] {
        let found = audit(&World::with(&["seed.torch", "seed.python"]), evidence, 12).unwrap();
        assert_eq!(found.proved(), BTreeSet::from(["seed.torch", "seed.python"]), "{:?}", found.blame);
        assert_eq!(found.pins(), BTreeSet::from(["seed.torch", "seed.python"]));
    }
}

#[test]
fn another_number_of_workers_is_never_held_as_a_cure() {
    let world = World::with(&["hashseed"]);
    let mut audit = Audit::new(&world, 13);
    let groups = audit.control(3);
    let mut config = config(groups, None);
    config.settings.push(Setting { hold: None, probe: Some(Level::new("0")), ..setting("num_workers") });
    let found = search(&mut audit, config);
    assert!(found.asked.iter().all(|held| !held.contains("num_workers")));
    assert_eq!(found.proved(), BTreeSet::from(["hashseed"]));
}

#[test]
fn the_blunt_are_let_go_of_first() {
    let Ask::Run { treatment, .. } = Search::new(config(vec![1, 1, 1], None)).next_ask() else {
        panic!("nothing asked")
    };
    assert_eq!(treatment.len(), 16, "without a record everything is held first");
}

#[test]
fn what_a_wide_setting_cured_gets_its_remedy_and_the_operation_named_is_not_called_the_only_one() {
    let operation = Operation {
        name: "aten._scaled_dot_product_cudnn_attention_backward.default".to_owned(),
        device: "cuda".to_owned(),
        location: Some(line(24)),
    };
    let evidence = Evidence { operation: Some(operation), cuda: true, ..Evidence::default() };
    let mut config = config(vec![1, 1, 1], Some(evidence));
    config.settings.push(setting("sdpa.backend"));
    let wide = SettingId::new("deterministic_algorithms");
    let blame = answering(config, |treatment| if treatment.contains_key(&wide) { Seen::Agreed } else { parted() });
    let cause = &blame.causes[0];
    assert_eq!((cause.id.as_str(), cause.grade), ("sdpa.backend", Grade::Likely));
    assert!(cause.remedy.starts_with("torch.use_deterministic_algorithms(True)"), "{}", cause.remedy);
    assert!(cause.evidence.iter().any(|line| line.contains("it is not the only one")), "{:?}", cause.evidence);
    assert!(repro_audit::blame::function(&blame.causes).contains("use_deterministic_algorithms(True)"));
}

#[test]
fn another_framework_s_switch_is_tried_first_and_its_own_remedy_is_told() {
    let evidence = Evidence { frameworks: vec!["jax".to_owned()], ..Evidence::default() };
    let mut config = config(vec![1, 1, 1], Some(evidence));
    config.settings.push(Setting { cures: vec!["cuda.atomics".to_owned()], ..setting("xla.deterministic_ops") });
    let switch = SettingId::new("xla.deterministic_ops");
    let blame = answering(config, |treatment| if treatment.contains_key(&switch) { Seen::Agreed } else { parted() });
    assert_eq!((blame.causes[0].id.as_str(), blame.causes[0].grade), ("cuda.atomics", Grade::Proved));
    assert!(blame.causes[0].remedy.starts_with("XLA_FLAGS="), "{}", blame.causes[0].remedy);
    assert!(blame.history.iter().all(|said| said.starts_with("held xla.deterministic_ops:")), "{:?}", blame.history);
    assert_eq!(repro_audit::blame::function(&blame.causes), "", "no call of torch cures JAX");
}
