//! What the search says where it cannot prove.

use std::collections::{BTreeMap, BTreeSet};

use repro_audit::blame::{Answer, Ask, Config, Search, Seen};
use repro_audit::model::{
    Decider, Evidence, GlobalGenerator, Grade, Level, Library, Loader, Order, Seeding, Setting, SettingId,
};

use super::records::{global, honest, line};
use super::world::{Audit, World, answering, audit, config, parted, place, search, setting};

#[test]
fn a_cause_outside_the_catalogue_is_unknown_after_one_question() {
    let mut search = Search::new(config(vec![1, 1, 1], None));
    assert!(matches!(search.next_ask(), Ask::Run { .. }));
    search.seen(Answer { seen: parted(), runs: 2, steps: 2 });
    let Ask::Done(blame) = search.next_ask() else { panic!("still asking") };
    assert_eq!((blame.causes[0].id.as_str(), blame.causes[0].grade), ("unknown", Grade::Suspected));
    assert!(blame.causes[0].evidence[0].contains("the runs still part"));
    assert_eq!(blame.runs_used, 5);
}

#[test]
fn a_seed_that_is_handed_in_from_outside_is_told_with_its_line_and_its_numbers() {
    let torch = GlobalGenerator {
        seeding: Seeding::Clock,
        seeds: Some("torch.manual_seed: 17 and 93 at train.py:9".to_owned()),
        ..global(Library::Torch)
    };
    let evidence = Evidence { generators: vec![torch], ..Evidence::default() };
    let blame = answering(config(vec![1, 1, 1], Some(evidence)), |_| parted());
    let cause = &blame.causes[0];
    assert_eq!((cause.id.as_str(), cause.grade), ("unknown", Grade::Suspected));
    assert!(cause.summary.contains("from outside") && cause.location == Some(line(10)), "{cause:?}");
    assert!(cause.evidence.iter().any(|line| line.contains("17 and 93 at train.py:9")), "{cause:?}");
}

#[test]
fn a_job_that_nothing_reaches_is_said_plainly() {
    let config = Config { settings: Vec::new(), ..config(vec![1, 1, 1], None) };
    let blame = answering(config, |_| Seen::Agreed);
    assert_eq!(blame.causes[0].id, "unknown");
    assert!(blame.causes[0].evidence[0].contains("no setting"), "{:?}", blame.causes[0].evidence);
}

fn without_workers_it_agrees(evidence: Option<Evidence>) -> Vec<(String, Grade)> {
    let mut config = config(vec![1, 1, 1], evidence);
    config.settings.push(Setting { hold: None, probe: Some(Level::new("0")), ..setting("num_workers") });
    let workers = SettingId::new("num_workers");
    let blame = answering(config, |treatment| if treatment.contains_key(&workers) { Seen::Agreed } else { parted() });
    blame.causes.into_iter().map(|cause| (cause.id, cause.grade)).collect()
}

#[test]
fn workers_that_matter_are_suspected_where_nothing_that_can_be_held_helps() {
    let found = without_workers_it_agrees(None);
    assert_eq!(found, [("seed.worker".to_owned(), Grade::Suspected), ("race".to_owned(), Grade::Suspected)]);
}

#[test]
fn workers_that_hand_out_batches_as_they_are_ready_are_likely_to_race() {
    let loader = Loader { workers: 2, in_order: false, generator: None, location: None };
    let found = without_workers_it_agrees(Some(Evidence { loaders: vec![loader], ..Evidence::default() }));
    assert_eq!(found[0], ("race".to_owned(), Grade::Likely));
}

#[test]
fn an_order_by_address_is_told_where_nothing_else_helps() {
    let mut config = config(vec![1, 1, 1], None);
    let probe = |id: &str, level: &str| Setting { hold: None, probe: Some(Level::new(level)), ..setting(id) };
    config.settings.extend([probe("num_workers", "0"), probe("aslr", "off")]);
    let aslr = SettingId::new("aslr");
    let agreeing = |treatment: &BTreeMap<SettingId, Level>| {
        if treatment.contains_key(&aslr) { Seen::Agreed } else { parted() }
    };
    let blame = answering(config.clone(), agreeing);
    let cause = &blame.causes[0];
    assert_eq!((cause.id.as_str(), cause.grade), ("unknown", Grade::Suspected));
    assert!(cause.summary.contains("addresses of objects"), "{}", cause.summary);
    let nothing = answering(config, |_| parted());
    assert!(nothing.causes[0].summary.contains("nothing in the catalogue"), "{}", nothing.causes[0].summary);
}

#[test]
fn a_setting_that_does_not_take_effect_is_listed_and_not_blamed() {
    let mut world = World::with(&["seed.torch"]);
    world.unappliable.extend(["compile".to_owned(), "seed.worker".to_owned()]);
    let found = audit(&world, None, 1).unwrap();
    assert_eq!(found.proved(), BTreeSet::from(["seed.torch"]));
    assert_eq!(found.not_checked.len(), 2);
}

#[test]
fn a_hold_that_crashes_the_job_is_found_and_given_up() {
    let mut world = World::with(&["seed.torch", "clock"]);
    world.failing.insert("uninitialised".to_owned());
    let found = audit(&world, None, 2).unwrap();
    assert_eq!(found.proved(), BTreeSet::from(["seed.torch", "clock"]), "{:?}", found.blame);
    assert_eq!(found.not_checked, ["uninitialised: every run crashed"]);
}

#[test]
fn a_setting_that_the_reference_holds_already_is_left_at_its_level() {
    let mut config = config(vec![1, 1, 1], None);
    config.reference.insert(SettingId::new("hashseed"), Level::new("7"));
    let Ask::Run { treatment, .. } = Search::new(config).next_ask() else { panic!("nothing asked") };
    assert_eq!(treatment[&SettingId::new("hashseed")], Level::new("7"));
}

#[test]
fn a_budget_that_is_too_small_gives_suspicion_and_no_proof() {
    let world = World::with(&["seed.torch"]);
    for max_runs in 5..=9 {
        let mut audit = Audit::new(&world, 3);
        let groups = audit.control(5);
        let found =
            search(&mut audit, Config { max_runs: Some(max_runs), ..config(groups, Some(honest(&["seed.torch"]))) });
        assert_eq!(found.proved().len(), usize::from(max_runs >= 8), "{max_runs}: {:?}", found.blame);
        assert_eq!(found.blame.causes[0].id, "seed.torch");
    }
}

#[test]
fn what_would_settle_a_likely_cause_is_said() {
    let world = World::with(&["seed.torch"]);
    let mut audit = Audit::new(&world, 4);
    let groups = audit.control(5);
    let found = search(&mut audit, Config { max_runs: Some(7), ..config(groups, Some(honest(&["seed.torch"]))) });
    let cause = &found.blame.causes[0];
    assert_eq!(cause.grade, Grade::Likely);
    let command = "repro-audit run --times 3 --set seed.torch=on -- python train.py";
    assert!(cause.evidence.iter().any(|line| line.ends_with(command)), "{:?}", cause.evidence);
}

#[test]
fn what_cannot_be_judged_stays_held_and_is_only_suspected() {
    // Released alone from a set that agrees, this setting crashes the job; so nothing can be said of it.
    let (torch, clock) = (SettingId::new("seed.torch"), SettingId::new("clock"));
    let mut config = config(vec![1, 1, 1, 1, 1], Some(honest(&["seed.torch", "clock"])));
    config.settings.retain(|setting| setting.id == torch || setting.id == clock);
    let blame = answering(config, |treatment| match (treatment.contains_key(&torch), treatment.contains_key(&clock)) {
        (true, true) => Seen::Agreed,
        _ => Seen::Unresolved { reason: "crashed".to_owned(), not_applied: Vec::new() },
    });
    assert!(blame.causes.iter().all(|cause| cause.grade != Grade::Proved), "{blame:?}");
}

#[test]
fn a_setting_without_which_the_job_crashes_is_not_convicted_beside_a_cause_that_is() {
    let (torch, clock) = (SettingId::new("seed.torch"), SettingId::new("clock"));
    let mut config = config(vec![1, 1, 1, 1, 1], Some(honest(&["seed.torch", "clock"])));
    config.settings.retain(|setting| setting.id == torch || setting.id == clock);
    let blame = answering(config, |treatment| match (treatment.contains_key(&torch), treatment.contains_key(&clock)) {
        (true, true) => Seen::Agreed,
        (true, false) => Seen::Unresolved { reason: "crashed".to_owned(), not_applied: Vec::new() },
        _ => parted(),
    });
    let graded: Vec<(&str, Grade)> = blame.causes.iter().map(|cause| (cause.id.as_str(), cause.grade)).collect();
    assert_eq!(graded, [("seed.torch", Grade::Likely), ("clock", Grade::Suspected)]);
}

#[test]
fn a_search_that_is_interrupted_suspects_what_the_record_shows() {
    let evidence = Evidence { generators: vec![global(Library::Torch)], ..Evidence::default() };
    let mut search = Search::new(config(vec![1, 1, 1], Some(evidence)));
    assert!(matches!(search.next_ask(), Ask::Run { .. }));
    let blame = search.interrupted();
    assert_eq!((blame.causes[0].id.as_str(), blame.causes[0].grade), ("seed.torch", Grade::Suspected));
    assert!(blame.causes[0].evidence.contains(&"not tested to the end: the search was interrupted".to_owned()));
    assert_eq!(Search::new(config(vec![1, 1, 1], None)).interrupted().causes, [], "nothing was seen");
}

#[test]
fn runs_that_were_never_made_to_the_end_make_nothing_likely() {
    let settings = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<String>>();
    let world = World {
        late: BTreeSet::from([place("seed.numpy_generator")]),
        unappliable: settings(&["clock", "seed.worker"]),
        failing: settings(&["seed.numpy_generator"]),
        ..World::with(&["seed.torch", "seed.numpy_generator"])
    };
    let config = Config { max_runs: Some(22), shorten: true, ..config(vec![1, 1, 1], Some(honest(&["seed.torch"]))) };
    let found = search(&mut Audit::new(&world, 0), config);
    assert_eq!(found.graded(Grade::Likely), BTreeSet::new(), "{:?}", found.blame);
}

#[test]
fn a_set_that_is_walked_is_told_where_held_hashes_do_not_help() {
    let walked = Order { decider: Decider::StringHashes, differs: None, location: Some(line(20)) };
    let evidence = Evidence { orders: vec![walked], ..Evidence::default() };
    let blame = answering(config(vec![1, 1, 1], Some(evidence.clone())), |_| parted());
    let cause = &blame.causes[0];
    assert_eq!((cause.id.as_str(), cause.location.clone()), ("unknown", Some(line(20))));
    assert!(cause.evidence.iter().any(|told| told.contains("train.py:20 walks a set")), "{cause:?}");

    let mut without = config(vec![1, 1, 1], Some(evidence));
    without.settings.retain(|setting| setting.id.as_str() != "hashseed");
    assert_eq!(answering(without, |_| parted()).causes[0].location, None, "it may be the hashes after all");
}
