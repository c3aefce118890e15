//! Treatments and their outcomes to what each varied setting does.

use std::collections::BTreeSet;

use crate::model::{Effect, Level, LevelPrice, Outcome, Position, Price, SettingId, Treatment, TreatmentResult};

/// What each varied setting does, from pairs of treatments that differ in that setting alone; settings that never varied
/// alone are named with those they always changed together with.
///
/// `results` holds the reference first. `cross` compares one run of each of two treatments, given by their ids; `None`
/// where that was not done. `price` says what a step of the first treatment takes against one of the second.
pub fn effects(results: &[TreatmentResult], cross: &Cross<'_>, price: &Pricing<'_>) -> Vec<Effect> {
    varied(results).into_iter().map(|setting| effect(&setting, results, cross, price)).collect()
}

/// What one run of each of two treatments, given by their ids, shows.
pub type Cross<'a> = dyn Fn(&str, &str) -> Option<Outcome> + 'a;

/// What a step of one treatment takes against one of another, or why that cannot be said; `None` where nobody measured it.
pub type Pricing<'a> = dyn Fn(&TreatmentResult, &TreatmentResult) -> Option<Result<Price, String>> + 'a;

/// The settings that do not have the same level everywhere, in the order in which they first differ.
fn varied(results: &[TreatmentResult]) -> Vec<SettingId> {
    let mut found = Vec::new();
    let Some(reference) = results.first() else { return found };
    for result in results {
        for setting in differing(&reference.treatment, &result.treatment) {
            if !found.contains(&setting) {
                found.push(setting);
            }
        }
    }
    found
}

/// The level of a setting; `as-is` where the treatment does not list it.
fn level(treatment: &Treatment, setting: &SettingId) -> Level {
    treatment.settings.get(setting).cloned().unwrap_or_else(Level::as_is)
}

fn differing(a: &Treatment, b: &Treatment) -> Vec<SettingId> {
    let all: BTreeSet<&SettingId> = a.settings.keys().chain(b.settings.keys()).collect();
    all.into_iter().filter(|setting| level(a, setting) != level(b, setting)).cloned().collect()
}

fn effect(setting: &SettingId, results: &[TreatmentResult], cross: &Cross<'_>, price: &Pricing<'_>) -> Effect {
    let pairs = pairs_alone(setting, results);
    let mut repeatability = Answers::default();
    let mut result = Answers::default();
    for (a, b) in &pairs {
        repeatability.add(changes_repeatability(a, b));
        result.add(changes_result(a, b, cross));
    }
    let levels = levels(setting, results);
    let prices = prices(setting, &levels, &pairs, price);
    let confounded_with = if pairs.is_empty() { companions(setting, results) } else { Vec::new() };
    Effect {
        setting: setting.clone(),
        levels,
        changes_repeatability: repeatability.answer,
        changes_result: result.answer,
        onset: result.onset.or(repeatability.onset),
        prices,
        confounded_with,
    }
}

/// What each level but the first costs, by the first pair that shows it (the one whose other settings are the reference's),
/// or why the first pair that ran does not.
fn prices(
    setting: &SettingId,
    levels: &[String],
    pairs: &[(&TreatmentResult, &TreatmentResult)],
    price: &Pricing<'_>,
) -> Vec<LevelPrice> {
    let Some((first, others)) = levels.split_first() else { return Vec::new() };
    let at = |result: &TreatmentResult, text: &String| level(&result.treatment, setting).to_string() == *text;
    let of = |text: &String| {
        let told = pairs.iter().filter(|(a, b)| at(a, first) && at(b, text)).filter_map(|(a, b)| price(b, a));
        let price = told.reduce(Result::or)?;
        Some(LevelPrice { level: text.clone(), price })
    };
    others.iter().filter_map(of).collect()
}

/// Pairs that differ in this setting and no other.
fn pairs_alone<'a>(
    setting: &SettingId,
    results: &'a [TreatmentResult],
) -> Vec<(&'a TreatmentResult, &'a TreatmentResult)> {
    let pairs = results.iter().enumerate().flat_map(|(at, a)| results[at + 1..].iter().map(move |b| (a, b)));
    pairs.filter(|(a, b)| differing(&a.treatment, &b.treatment).as_slice() == std::slice::from_ref(setting)).collect()
}

/// What several pairs say: yes where any says yes, no where all that say anything say no.
#[derive(Default)]
struct Answers {
    answer: Option<bool>,
    onset: Option<Position>,
}

impl Answers {
    fn add(&mut self, (answer, onset): (Option<bool>, Option<Position>)) {
        if answer == Some(true) && self.answer != Some(true) {
            self.onset = onset;
        }
        self.answer = match (self.answer, answer) {
            (Some(known), Some(new)) => Some(known || new),
            (known, new) => known.or(new),
        };
    }
}

fn changes_repeatability(a: &TreatmentResult, b: &TreatmentResult) -> (Option<bool>, Option<Position>) {
    match (&a.outcome, &b.outcome) {
        (Some(Outcome::Agreed), Some(Outcome::Agreed)) => (Some(false), None),
        (Some(Outcome::Diverged(_)), Some(Outcome::Diverged(_))) => (Some(false), None),
        (Some(Outcome::Agreed), Some(Outcome::Diverged(parting)))
        | (Some(Outcome::Diverged(parting)), Some(Outcome::Agreed)) => (Some(true), Some(parting.position)),
        _ => (None, None),
    }
}

/// Two levels can be compared only where each repeats: otherwise one run of each differs by noise alone.
fn changes_result(a: &TreatmentResult, b: &TreatmentResult, cross: &Cross<'_>) -> (Option<bool>, Option<Position>) {
    let repeats = |result: &TreatmentResult| result.outcome == Some(Outcome::Agreed);
    if !repeats(a) || !repeats(b) {
        return (None, None);
    }
    match cross(&a.treatment.id, &b.treatment.id) {
        Some(Outcome::Agreed) => (Some(false), None),
        Some(Outcome::Diverged(parting)) => (Some(true), Some(parting.position)),
        Some(Outcome::Unresolved(_)) | None => (None, None),
    }
}

/// The levels of a setting, the reference's first.
fn levels(setting: &SettingId, results: &[TreatmentResult]) -> Vec<String> {
    let mut levels: Vec<String> = Vec::new();
    for result in results {
        let level = level(&result.treatment, setting).to_string();
        if !levels.contains(&level) {
            levels.push(level);
        }
    }
    levels
}

/// The settings that changed whenever this one did; where no single one always did, those of the smallest change.
fn companions(setting: &SettingId, results: &[TreatmentResult]) -> Vec<SettingId> {
    let mut changes: Vec<Vec<SettingId>> = Vec::new();
    for (at, a) in results.iter().enumerate() {
        for b in &results[at + 1..] {
            let mut with = differing(&a.treatment, &b.treatment);
            if with.contains(setting) {
                with.retain(|other| other != setting);
                changes.push(with);
            }
        }
    }
    let Some(smallest) = changes.iter().min_by_key(|with| with.len()).cloned() else { return Vec::new() };
    let always: Vec<SettingId> =
        smallest.iter().filter(|other| changes.iter().all(|with| with.contains(other))).cloned().collect();
    if always.is_empty() { smallest } else { always }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{Divergence, Kind};

    pub(in crate::blame) fn parting(step: i64) -> Outcome {
        Outcome::Diverged(Divergence {
            rank: None,
            position: Position::at_step(step),
            index: 0,
            metric: "loss".to_owned(),
            kind: Kind::Value,
            stage: None,
            values: Vec::new(),
            absolute: None,
            relative: None,
            ulps: None,
        })
    }

    pub(in crate::blame) fn treatment(id: &str, levels: &[(&str, &str)], outcome: Option<Outcome>) -> TreatmentResult {
        let settings = levels.iter().map(|(id, level)| (SettingId::new(*id), Level::new(*level))).collect();
        let treatment = Treatment { id: id.to_owned(), settings };
        TreatmentResult { treatment, outcome, notes: Vec::new(), runs: Vec::new() }
    }

    fn effects(results: &[TreatmentResult], cross: &Cross<'_>) -> Vec<Effect> {
        super::effects(results, cross, &|_, _| None)
    }

    #[test]
    fn each_level_has_its_price_against_the_first() {
        let at = |threads: &str| treatment(threads, &[("threads", threads), ("a", "0")], Some(Outcome::Agreed));
        let other = treatment("a=1", &[("threads", "1"), ("a", "1")], Some(Outcome::Agreed));
        let takes = |result: &TreatmentResult| result.treatment.settings[&SettingId::new("threads")].as_str().parse();
        let price = |with: &TreatmentResult, without: &TreatmentResult| {
            let (with, without): (f64, f64) = (takes(with).ok()?, takes(without).ok()?);
            let price = Price { step_time_ratio: with / without, spread: (1.0, 9.0) };
            Some(if with < 8.0 { Ok(price) } else { Err("too short".to_owned()) })
        };
        let found = super::effects(&[at("1"), at("2"), at("4"), at("8"), other], &all_part, &price);
        let shown = |effect: &Effect| -> Vec<(String, Result<f64, String>)> {
            let ratio = |of: &LevelPrice| of.price.clone().map(|price| price.step_time_ratio);
            effect.prices.iter().map(|of| (of.level.clone(), ratio(of))).collect()
        };
        let of = |level: &str, price: Result<f64, &str>| (level.to_owned(), price.map_err(str::to_owned));
        assert_eq!(shown(&found[0]), [of("2", Ok(2.0)), of("4", Ok(4.0)), of("8", Err("too short"))]);
        assert_eq!(shown(&found[1]), [of("1", Ok(1.0))]);
    }

    fn all_part(_: &str, _: &str) -> Option<Outcome> {
        Some(parting(3))
    }

    #[test]
    fn a_level_that_brings_a_divergence_in_changes_repeatability() {
        let results = [
            treatment("reference", &[("num_workers", "0")], Some(Outcome::Agreed)),
            treatment("num_workers=4", &[("num_workers", "4")], Some(parting(7))),
        ];
        let effects = effects(&results, &all_part);
        assert_eq!(effects[0].levels, ["0", "4"]);
        assert_eq!(effects[0].changes_repeatability, Some(true));
        assert_eq!(effects[0].changes_result, None, "noise hides the result of a level that does not repeat");
        assert_eq!(effects[0].onset, Some(Position::at_step(7)));
    }

    #[test]
    fn levels_that_each_repeat_and_differ_change_the_result_only() {
        let results = [
            treatment("reference", &[], Some(Outcome::Agreed)),
            treatment("threads=2", &[("threads", "2")], Some(Outcome::Agreed)),
        ];
        let effects = effects(&results, &all_part);
        assert_eq!(effects[0].levels, ["as-is", "2"]);
        assert_eq!((effects[0].changes_repeatability, effects[0].changes_result), (Some(false), Some(true)));
        assert_eq!(effects[0].onset, Some(Position::at_step(3)));
    }

    #[test]
    fn settings_that_always_change_together_are_confounded() {
        let results = [
            treatment("reference", &[("a", "0"), ("b", "0")], Some(Outcome::Agreed)),
            treatment("both", &[("a", "1"), ("b", "1")], Some(parting(0))),
        ];
        let effects = effects(&results, &all_part);
        assert_eq!(effects[0].changes_repeatability, None);
        assert_eq!(effects[0].confounded_with, [SettingId::new("b")]);
        assert_eq!(effects[1].confounded_with, [SettingId::new("a")]);
    }

    #[test]
    fn a_full_design_tells_settings_apart() {
        let results = [
            treatment("reference", &[("a", "0"), ("b", "0")], Some(Outcome::Agreed)),
            treatment("a", &[("a", "1"), ("b", "0")], Some(Outcome::Agreed)),
            treatment("b", &[("a", "0"), ("b", "1")], Some(parting(0))),
            treatment("both", &[("a", "1"), ("b", "1")], Some(parting(0))),
        ];
        let effects = effects(&results, &|_, _| Some(Outcome::Agreed));
        assert_eq!((effects[0].changes_repeatability, effects[0].changes_result), (Some(false), Some(false)));
        assert_eq!(effects[1].changes_repeatability, Some(true));
        assert!(effects.iter().all(|effect| effect.confounded_with.is_empty()));
    }

    #[test]
    fn a_treatment_that_was_skipped_says_nothing() {
        let results =
            [treatment("reference", &[], Some(Outcome::Agreed)), treatment("device=cuda", &[("device", "cuda")], None)];
        let effects = effects(&results, &all_part);
        assert_eq!((effects[0].changes_repeatability, effects[0].changes_result), (None, None));
    }

    #[test]
    fn nothing_varied_has_no_effects() {
        assert!(effects(&[], &all_part).is_empty());
        assert!(effects(&[treatment("reference", &[], None)], &all_part).is_empty());
    }
}
