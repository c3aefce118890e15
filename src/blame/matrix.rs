//! The effect table alone to a cause: never `proved`, since nothing was held and released on purpose.

use super::name::name;
use super::remedy::remedy;
use super::summary::summary;
use crate::model::{Blame, Cause, Effect, Grade, Level, Outcome, SettingId, TreatmentResult};

/// What the audit asks of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Do repeats of one treatment agree?
    Repeats,
    /// Do treatments agree with one another as well?
    Invariance,
}

/// The causes to which the effect table points; `None` where nothing parts that should agree.
pub fn matrix(results: &[TreatmentResult], effects: &[Effect], question: Question) -> Option<Blame> {
    let parts = results.iter().any(|result| matches!(result.outcome, Some(Outcome::Diverged(_))));
    let mut causes = Vec::new();
    for effect in effects {
        if effect.changes_repeatability == Some(true) {
            causes.extend(of_repeatability(effect, &where_it_parts(&effect.setting, results)));
        } else if effect.changes_result == Some(true) && question == Question::Invariance {
            causes.push(of_result(effect));
        } else if parts && !effect.confounded_with.is_empty() {
            causes.push(confounded(effect));
        }
    }
    causes.sort_by_key(|cause| cause.grade);
    let settings = || effects.iter().map(|effect| effect.setting.as_str()).collect::<Vec<_>>().join(", ");
    if causes.is_empty() && parts && !effects.is_empty() {
        causes.push(cause("unknown", Grade::Suspected, None, format!("none of {} makes the difference", settings())));
    }
    let runs_used = results.iter().map(|result| result.runs.len()).sum();
    (!causes.is_empty()).then(|| Blame { causes, runs_used, ..Blame::default() })
}

/// What the effect table says of the place of a cause: at which levels of each varied setting replicates agree, and at which
/// they part. A sentence for each setting that changes whether the job repeats.
pub fn places(results: &[TreatmentResult], effects: &[Effect]) -> Vec<String> {
    let changing = effects.iter().filter(|effect| effect.changes_repeatability == Some(true));
    changing.map(|effect| where_it_parts(&effect.setting, results)).collect()
}

fn where_it_parts(setting: &SettingId, results: &[TreatmentResult]) -> String {
    let levels = |wanted: fn(&Outcome) -> bool| {
        let mut levels: Vec<String> = Vec::new();
        for result in results.iter().filter(|result| result.outcome.as_ref().is_some_and(wanted)) {
            let level = result.treatment.settings.get(setting).cloned().unwrap_or_else(Level::as_is);
            let named = format!("{setting}={level}");
            if !levels.contains(&named) {
                levels.push(named);
            }
        }
        levels.join(", ")
    };
    let agree = levels(|outcome| *outcome == Outcome::Agreed);
    let part = levels(|outcome| matches!(outcome, Outcome::Diverged(_)));
    format!("replicates agree at {agree} and part at {part}")
}

/// A setting at one level of which replicates agree and at another part, as `seen` says.
fn of_repeatability(effect: &Effect, seen: &str) -> Vec<Cause> {
    let id = effect.setting.as_str();
    let seen = seen.to_owned();
    if is_workers(id) {
        let said = "the job repeats or not depending on num_workers: something in the loader's workers is not derived from the seed";
        return vec![
            cause("dataloader.num_workers", Grade::Likely, Some(said), seen.clone()),
            cause("seed.worker", Grade::Suspected, None, seen.clone()),
            cause("race", Grade::Suspected, None, seen),
        ];
    }
    let said = format!("the job repeats or not depending on {id}: {}", summary(&stands_for(id)));
    vec![cause(&stands_for(id), Grade::Likely, Some(&said), seen)]
}

/// A setting each level of which repeats, with other results.
fn of_result(effect: &Effect) -> Cause {
    let id = effect.setting.as_str();
    let id = match id {
        _ if is_workers(id) => "dataloader.num_workers",
        "batch_size" => "dataloader.batch_size",
        other => other,
    };
    cause(
        id,
        Grade::Likely,
        None,
        format!("each level repeats, and the results differ (levels {})", effect.levels.join(", ")),
    )
}

fn confounded(effect: &Effect) -> Cause {
    let with: Vec<&str> = effect.confounded_with.iter().map(|other| other.as_str()).collect();
    let seen = format!("{} always changed together with {}: vary them one at a time", effect.setting, with.join(", "));
    let id = if is_workers(effect.setting.as_str()) {
        "dataloader.num_workers".to_owned()
    } else {
        stands_for(effect.setting.as_str())
    };
    cause(&id, Grade::Suspected, None, seen)
}

fn is_workers(id: &str) -> bool {
    id == "num_workers" || id == "dataloader.num_workers" || id == "arg.num_workers"
}

/// The cause that a setting stands for, without a record.
fn stands_for(id: &str) -> String {
    if id == "batch_size" { "dataloader.batch_size".to_owned() } else { name(id, &[], None, &|_| true).id }
}

fn cause(id: &str, grade: Grade, said: Option<&str>, seen: String) -> Cause {
    Cause {
        id: id.to_owned(),
        grade,
        summary: said.map_or_else(|| summary(id), str::to_owned),
        evidence: vec![seen],
        remedy: remedy(id),
        location: None,
        price: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::effects::effects;
    use super::super::effects::tests::{parting, treatment};
    use super::*;

    fn blame(results: &[TreatmentResult], question: Question) -> Option<Blame> {
        matrix(results, &effects(results, &|_, _| Some(parting(0)), &|_, _| None), question)
    }

    #[test]
    fn workers_that_break_repeating_are_named_first() {
        let results = [
            treatment("reference", &[("num_workers", "0")], Some(Outcome::Agreed)),
            treatment("num_workers=4", &[("num_workers", "4")], Some(parting(0))),
        ];
        let blame = blame(&results, Question::Repeats).unwrap();
        assert_eq!((blame.causes[0].id.as_str(), blame.causes[0].grade), ("dataloader.num_workers", Grade::Likely));
        assert!(blame.causes[0].summary.contains("num_workers"));
        assert_eq!(blame.causes[0].evidence, ["replicates agree at num_workers=0 and part at num_workers=4"]);
        assert_eq!((blame.causes[1].id.as_str(), blame.causes[1].grade), ("seed.worker", Grade::Suspected));
    }

    #[test]
    fn nothing_is_ever_proved_by_the_matrix() {
        let results = [
            treatment("reference", &[], Some(parting(0))),
            treatment("hashseed=0", &[("hashseed", "0")], Some(Outcome::Agreed)),
        ];
        let blame = blame(&results, Question::Repeats).unwrap();
        assert_eq!((blame.causes[0].id.as_str(), blame.causes[0].grade), ("hashseed", Grade::Likely));
    }

    #[test]
    fn another_result_at_another_level_is_a_cause_only_where_invariance_was_asked_for() {
        let results = [
            treatment("reference", &[("batch_size", "64")], Some(Outcome::Agreed)),
            treatment("batch_size=32", &[("batch_size", "32")], Some(Outcome::Agreed)),
        ];
        assert_eq!(blame(&results, Question::Repeats), None);
        assert_eq!(blame(&results, Question::Invariance).unwrap().causes[0].id, "dataloader.batch_size");
    }

    #[test]
    fn settings_that_make_no_difference_are_not_blamed() {
        let results = [
            treatment("reference", &[], Some(parting(0))),
            treatment("threads=1", &[("threads", "1")], Some(parting(0))),
        ];
        let blame = blame(&results, Question::Repeats).unwrap();
        assert_eq!((blame.causes[0].id.as_str(), blame.causes[0].grade), ("unknown", Grade::Suspected));
    }

    #[test]
    fn confounded_settings_are_only_suspected() {
        let results = [
            treatment("reference", &[], Some(Outcome::Agreed)),
            treatment("both", &[("threads", "2"), ("hashseed", "0")], Some(parting(0))),
        ];
        let blame = blame(&results, Question::Repeats).unwrap();
        assert_eq!(blame.causes.len(), 2);
        assert!(blame.causes.iter().all(|cause| cause.grade == Grade::Suspected));
    }
}
