//! What was seen against what was accepted.

use super::baseline::{Accepted, AcceptedOutcome, Digits, Parts, SeriesRecord};
use super::digest::{hex, prefixes};
use super::environment::Change;
use super::{Entry, Finding, Kind, Policy, envelope, sketch};
use crate::model::{Divergence, Outcome, Point, Position, Reading, Series, SettingId, Treatment, Verdict};

/// Runs from which a band can be learned.
pub const ENOUGH_FOR_A_BAND: usize = 5;

/// A rule for "equal".
pub type Equal<'a> = dyn Fn(&Point, &Point) -> bool + 'a;

/// What was seen of one treatment.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// The treatment.
    pub treatment: &'a Treatment,
    /// Whether its runs agree.
    pub outcome: &'a Outcome,
    /// Points that were compared, over all metrics and runs.
    pub points: usize,
    /// Settings that were asked for, and of which nothing proves that they took effect.
    pub unproved: Vec<SettingId>,
    /// What the parser saw in each run, the reference run first.
    pub readings: Vec<&'a Reading>,
}

impl<'a> Seen<'a> {
    /// The primary series of every run.
    pub fn primaries(&self) -> Vec<&'a Series> {
        self.readings.iter().filter_map(|reading| reading.primary()).collect()
    }

    /// Why nothing can be said of this treatment; `None` where something can.
    fn untested(&self) -> Option<Finding> {
        let id = &self.treatment.id;
        let why = match self.outcome {
            Outcome::Unresolved(why) => format!("{id}: {why}"),
            _ if !self.unproved.is_empty() => {
                let settings: Vec<&str> = self.unproved.iter().map(SettingId::as_str).collect();
                format!("{id}: nothing proves that {} took effect", settings.join(", "))
            }
            Outcome::Agreed if self.points == 0 => format!("{id}: no point was compared"),
            _ => return None,
        };
        Some(untested(why))
    }
}

/// What is asked of the gate.
pub struct Question<'a> {
    /// What makes it fail.
    pub policy: Policy,
    /// What was accepted, in this environment or the one most like it.
    pub accepted: &'a Entry,
    /// What differs between that environment and this one.
    pub changes: &'a [Change],
    /// The rule for "equal", where it is not exact.
    pub tolerance: Option<&'a Equal<'a>>,
    /// Whether runs were cut short on purpose, so that fewer points than accepted are no surprise.
    pub shortened: bool,
}

fn untested(what: String) -> Finding {
    Finding::new(Kind::NothingTested, Verdict::Unresolved, what)
}

/// Compares what was seen with what was accepted.
pub fn judge(question: &Question<'_>, seen: &[Seen<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !question.changes.is_empty() {
        let changes: Vec<String> = question.changes.iter().map(ToString::to_string).collect();
        findings.push(Finding::new(Kind::EnvironmentMoved, Verdict::Agreed, changes.join("; ")));
    }
    for one in seen {
        match question.accepted.treatment.iter().find(|accepted| accepted.id == one.treatment.id) {
            Some(accepted) => findings.extend(treatment(question, accepted, one)),
            None => findings.push(untested(format!("{} was never accepted", one.treatment.id))),
        }
    }
    let missing =
        question.accepted.treatment.iter().filter(|known| seen.iter().all(|one| one.treatment.id != known.id));
    findings.extend(missing.map(|known| untested(format!("{} was accepted and not run", known.id))));
    findings
}

/// What stands against accepting what was seen.
pub fn acceptable(policy: Policy, seen: &[Seen<'_>]) -> Vec<Finding> {
    let against = |one: &Seen<'_>| {
        let id = &one.treatment.id;
        if let Some(untested) = one.untested() {
            return Some(untested);
        }
        match one.outcome.divergence() {
            Some(divergence) if !policy.lets_runs_part() => Some(Finding::new(
                Kind::NotRepeatable,
                Verdict::Diverged,
                format!(
                    "{id} parts first in {}; policy {} accepts no job that parts",
                    place(divergence),
                    policy.word()
                ),
            )),
            _ if policy == Policy::Envelope && one.readings.len() < ENOUGH_FOR_A_BAND => {
                Some(untested(format!("a band is learned from at least {ENOUGH_FOR_A_BAND} runs: --times 5")))
            }
            _ => None,
        }
    };
    seen.iter().filter_map(against).collect()
}

fn treatment(question: &Question<'_>, accepted: &Accepted, seen: &Seen<'_>) -> Vec<Finding> {
    if let Some(finding) = seen.untested() {
        return vec![finding];
    }
    if let Some(finding) = other_settings(accepted, seen) {
        return vec![finding];
    }
    if question.policy == Policy::Envelope {
        return envelope::judge(accepted, &seen.primaries()).into_iter().collect();
    }
    match seen.outcome {
        Outcome::Diverged(divergence) => parted(question.policy, accepted, seen, divergence).into_iter().collect(),
        _ => {
            let id = &accepted.id;
            let better = (accepted.outcome == AcceptedOutcome::Parts).then(|| {
                Finding::new(
                    Kind::Improved,
                    Verdict::Agreed,
                    format!("{id} parted when it was accepted, and repeats now"),
                )
            });
            let less = if question.shortened { None } else { less_tested(accepted, seen) };
            better.into_iter().chain(less).chain(values(question, accepted, seen)).collect()
        }
    }
}

fn other_settings(accepted: &Accepted, seen: &Seen<'_>) -> Option<Finding> {
    let now = seen.treatment.settings.iter().map(|(id, level)| (id.to_string(), level.to_string())).collect();
    (accepted.settings != now).then(|| {
        untested(format!("{} was accepted with other settings: {:?}, now {now:?}", accepted.id, accepted.settings))
    })
}

/// A treatment whose runs part.
fn parted(policy: Policy, accepted: &Accepted, seen: &Seen<'_>, divergence: &Divergence) -> Option<Finding> {
    let id = &accepted.id;
    let now = format!("{}{}", place(divergence), values_there(divergence));
    let regressed = |what| Some(Finding::new(Kind::DeterminismRegressed, Verdict::Diverged, what));
    let Some(known) = &accepted.parts else {
        let runs = seen.readings.len();
        return regressed(format!("{id} repeated when it was accepted, and now {runs} runs part first in {now}"));
    };
    if earlier(divergence, known) {
        return regressed(format!(
            "{id} parts earlier than accepted, first in {now} (accepted: {})",
            known_place(known)
        ));
    }
    if policy == Policy::Known {
        return None;
    }
    regressed(format!("{id} parts in {now}, as it did when it was accepted, which policy {} forbids", policy.word()))
}

/// Whether a divergence comes before the known one: by index within a metric, by step across metrics.
fn earlier(divergence: &Divergence, known: &Parts) -> bool {
    match (divergence.metric == known.metric, divergence.position.step, known.step) {
        (false, Some(now), Some(step)) => now < step,
        _ => divergence.index < known.index,
    }
}

fn known_place(parts: &Parts) -> String {
    parts.step.map_or_else(
        || format!("{} at point {}", parts.metric, parts.index),
        |step| format!("{} at step {step}", parts.metric),
    )
}

fn place(divergence: &Divergence) -> String {
    format!("{} at {}", divergence.metric, divergence.position.told(divergence.index))
}

fn values_there(divergence: &Divergence) -> String {
    let text = |value: &crate::model::RunValue| {
        let shown = value.text.as_ref().map_or("nothing", |text| text.as_str());
        format!("{} {shown}", value.run)
    };
    let values: Vec<String> = divergence.values.iter().take(4).map(text).collect();
    if values.is_empty() { String::new() } else { format!(" ({})", values.join(", ")) }
}

/// A gate that looks at less than was accepted goes blind little by little.
fn less_tested(accepted: &Accepted, seen: &Seen<'_>) -> Option<Finding> {
    let reading = seen.readings.first()?;
    let known = std::iter::once(&accepted.series).chain(&accepted.others);
    known
        .filter_map(|known| less(known, reading.series.iter().find(|now| now.metric == known.metric)))
        .next()
        .map(|what| untested(format!("{} shows less than was accepted: {what}", accepted.id)))
}

fn less(known: &SeriesRecord, now: Option<&Series>) -> Option<String> {
    let metric = &known.metric;
    let Some(now) = now.filter(|now| !now.points.is_empty()) else {
        return Some(format!("{metric} is no longer logged"));
    };
    if known.digest.is_some() && now.points.len() < known.points {
        return Some(format!("{metric} has {} points, accepted were {}", now.points.len(), known.points));
    }
    // Without fixed digits the number of decimals follows the values: one fewer tells nothing, nor do very many.
    match (known.digits, sketch::record(now, false).digits) {
        (Digits::Exact, Digits::Decimals(decimals)) => {
            Some(format!("{metric} is printed with {decimals} decimals, accepted were exact bits"))
        }
        (Digits::Decimals(was), Digits::Decimals(is)) if is + 2 <= was && is < 9 => {
            Some(format!("{metric} is printed with {is} decimals, accepted were {was}"))
        }
        _ => None,
    }
}

/// Whether the values are the accepted ones, and what follows where they are not.
fn values(question: &Question<'_>, accepted: &Accepted, seen: &Seen<'_>) -> Option<Finding> {
    let reading = seen.readings.first()?;
    let id = &accepted.id;
    let golden = question.policy == Policy::Golden;
    if accepted.outcome == AcceptedOutcome::Parts {
        return None;
    }
    if golden && accepted.series.digest.is_none() {
        return Some(untested(format!(
            "{id}: its log shows a sample of the steps only, so its values cannot be compared"
        )));
    }
    let what = moved(question, accepted, reading)?;
    Some(match (golden, question.changes.is_empty()) {
        (false, _) => {
            Finding::new(Kind::ValuesMoved, Verdict::Agreed, format!("{id} repeats, with other numbers: {what}"))
        }
        (true, true) => Finding::new(
            Kind::ValuesMoved,
            Verdict::Diverged,
            format!("{id} repeats, with other numbers than accepted: {what}"),
        ),
        (true, false) => Finding::new(
            Kind::ValuesMoved,
            Verdict::Unresolved,
            format!(
                "{id} repeats, with other numbers than accepted: {what}; the environment moved as well, so nothing tells \
                 whether the job did: accept the values of this environment, or compare in the accepted one"
            ),
        ),
    })
}

fn moved(question: &Question<'_>, accepted: &Accepted, reading: &Reading) -> Option<String> {
    let find = |metric: &str| reading.series.iter().find(|series| series.metric == metric);
    let Some(primary) = find(&accepted.series.metric) else {
        return Some(format!("{} is no longer logged", accepted.series.metric));
    };
    if let Some(equal) = question.tolerance {
        return beyond_tolerance(&accepted.series, primary, equal);
    }
    if question.shortened {
        return moved_sketch(&accepted.series, primary, true);
    }
    moved_series(&accepted.series, primary).or_else(|| {
        let other = |known: &SeriesRecord| {
            let now = find(&known.metric);
            let same = now.is_some_and(|now| sketch::record(now, false).digest == known.digest);
            (!same).then(|| format!("{} moved, {} did not", known.metric, accepted.series.metric))
        };
        accepted.others.iter().find_map(other)
    })
}

fn moved_series(known: &SeriesRecord, now: &Series) -> Option<String> {
    known.digest.as_ref()?;
    if prefixes(now).last().map(hex) == known.digest {
        return None;
    }
    Some(
        moved_sketch(known, now, false).unwrap_or_else(|| {
            format!("{} has {} points, accepted were {}", known.metric, now.points.len(), known.points)
        }),
    )
}

/// Where a series leaves the accepted one, as closely as the digests along the sketch can tell.
fn moved_sketch(known: &SeriesRecord, now: &Series, shortened: bool) -> Option<String> {
    let digests: Vec<u64> = prefixes(now).collect();
    let mut last_equal: Option<&super::baseline::SketchPoint> = None;
    for point in &known.sketch {
        let here = now.points.get(point.index);
        if shortened && here.is_none() {
            return None;
        }
        if digests.get(point.index).map(|digest| hex(*digest)) == point.through {
            last_equal = Some(point);
            continue;
        }
        let at = |index: usize, step: Option<i64>| Position { step, ..Position::default() }.told(index);
        let when = match last_equal {
            None => format!("by {}", at(point.index, point.step)),
            Some(equal) => format!("after {} and by {}", at(equal.index, equal.step), at(point.index, point.step)),
        };
        let shown = here.map_or("nothing", |point| point.text.as_str());
        return Some(format!(
            "{} moved {when}, where {} was accepted and {shown} is printed",
            known.metric, point.value
        ));
    }
    None
}

/// Under a tolerance a digest tells nothing: the points of the sketch are compared.
fn beyond_tolerance(known: &SeriesRecord, now: &Series, equal: &Equal<'_>) -> Option<String> {
    let beyond = |known: &&super::baseline::SketchPoint| {
        let was = Point::printed(known.step.unwrap_or_default(), &known.value, 0);
        now.points.get(known.index).is_none_or(|is| !equal(&was, is))
    };
    let point = known.sketch.iter().find(beyond)?;
    let shown = now.points.get(point.index).map_or("nothing", |point| point.text.as_str());
    Some(format!("{} at point {}: {} was accepted and {shown} is printed", known.metric, point.index, point.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::verdict;
    use crate::model::{Kind as How, Level, Role};

    fn reading(values: &[&str]) -> Reading {
        let mut series = Series::new("loss", Role::TrainingLoss);
        series.points = values.iter().zip(0..).map(|(text, step)| Point::printed(step, text, 1)).collect();
        Reading { series: vec![series], primary: Some(0), ..Reading::nothing("utf-8", "") }
    }

    fn reference() -> Treatment {
        Treatment { id: "reference".to_owned(), settings: Default::default() }
    }

    fn diverged(index: usize) -> Outcome {
        Outcome::Diverged(Divergence {
            rank: None,
            position: Position::at_step(index as i64),
            index,
            metric: "loss".to_owned(),
            kind: How::Value,
            stage: None,
            values: Vec::new(),
            absolute: None,
            relative: None,
            ulps: None,
        })
    }

    /// Judges `now` against `was`, both with three runs of `values`.
    fn ask(policy: Policy, was: (&Outcome, &[&str]), now: (&Outcome, &[&str]), changes: &[Change]) -> Vec<Finding> {
        let treatment = reference();
        let (old, new) = (reading(was.1), reading(now.1));
        let seen = |outcome, reading| Seen {
            treatment: &treatment,
            outcome,
            points: 2,
            unproved: Vec::new(),
            readings: vec![reading; 3],
        };
        let accepted = sketch::accepted(&seen(was.0, &old), false).into_iter().collect();
        let entry = Entry { treatment: accepted, ..Entry::default() };
        let question = Question { policy, accepted: &entry, changes, tolerance: None, shortened: false };
        judge(&question, &[seen(now.0, &new)])
    }

    fn kinds(findings: &[Finding]) -> (Vec<Kind>, Verdict) {
        (findings.iter().map(|finding| finding.kind).collect(), verdict(findings))
    }

    const OLD: [&str; 3] = ["2.0", "1.5", "1.0"];
    const NEW: [&str; 3] = ["2.0", "1.5", "1.1"];

    #[test]
    fn the_same_again_passes_without_a_word() {
        for policy in [Policy::Repeatable, Policy::Golden, Policy::Known, Policy::Invariant] {
            assert_eq!(ask(policy, (&Outcome::Agreed, &OLD), (&Outcome::Agreed, &OLD), &[]), []);
        }
    }

    #[test]
    fn runs_that_part_are_a_regression_and_name_the_step() {
        let findings = ask(Policy::Repeatable, (&Outcome::Agreed, &OLD), (&diverged(1), &OLD), &[]);
        assert_eq!(kinds(&findings), (vec![Kind::DeterminismRegressed], Verdict::Diverged));
        assert!(findings[0].what.contains("loss at step 1"), "{}", findings[0].what);
    }

    #[test]
    fn a_known_divergence_may_come_later_and_not_earlier() {
        let known = diverged(2);
        assert_eq!(ask(Policy::Known, (&known, &OLD), (&diverged(2), &OLD), &[]), []);
        let earlier = ask(Policy::Known, (&known, &OLD), (&diverged(1), &OLD), &[]);
        assert_eq!(kinds(&earlier), (vec![Kind::DeterminismRegressed], Verdict::Diverged));
        let better = ask(Policy::Known, (&known, &OLD), (&Outcome::Agreed, &OLD), &[]);
        assert_eq!(kinds(&better), (vec![Kind::Improved], Verdict::Agreed));
        let forbidden = ask(Policy::Repeatable, (&known, &OLD), (&diverged(2), &OLD), &[]);
        assert_eq!(verdict(&forbidden), Verdict::Diverged);
    }

    #[test]
    fn other_numbers_fail_under_golden_only_and_are_placed() {
        let golden = ask(Policy::Golden, (&Outcome::Agreed, &OLD), (&Outcome::Agreed, &NEW), &[]);
        assert_eq!(kinds(&golden), (vec![Kind::ValuesMoved], Verdict::Diverged));
        assert!(golden[0].what.contains("after step 1 and by step 2, where 1.0 was accepted and 1.1"), "{golden:?}");
        let told = ask(Policy::Repeatable, (&Outcome::Agreed, &OLD), (&Outcome::Agreed, &NEW), &[]);
        assert_eq!(kinds(&told), (vec![Kind::ValuesMoved], Verdict::Agreed));
    }

    #[test]
    fn another_environment_alone_fails_nothing_and_excuses_values_to_unresolved() {
        let change = Change { fact: "torch".to_owned(), accepted: Some("2.9".into()), now: Some("2.13".into()) };
        let same =
            ask(Policy::Golden, (&Outcome::Agreed, &OLD), (&Outcome::Agreed, &OLD), std::slice::from_ref(&change));
        assert_eq!(kinds(&same), (vec![Kind::EnvironmentMoved], Verdict::Agreed));
        assert!(same[0].sentence().contains("environment moved: torch: 2.9 → 2.13"));
        let moved = ask(Policy::Golden, (&Outcome::Agreed, &OLD), (&Outcome::Agreed, &NEW), &[change]);
        assert_eq!(kinds(&moved), (vec![Kind::EnvironmentMoved, Kind::ValuesMoved], Verdict::Unresolved));
    }

    #[test]
    fn a_log_that_shows_less_than_accepted_is_not_tested() {
        for less in [&["2.0", "1.5"][..], &["2", "1", "1"]] {
            let was: &[&str] = if less.len() == 2 { &OLD } else { &["2.001", "1.501", "1.001"] };
            let findings = ask(Policy::Repeatable, (&Outcome::Agreed, was), (&Outcome::Agreed, less), &[]);
            assert_eq!(verdict(&findings), Verdict::Unresolved, "{findings:?}");
        }
    }

    #[test]
    fn nothing_seen_nothing_proved_and_nothing_accepted_are_unresolved() {
        let silent = Outcome::Unresolved("no losses".to_owned());
        let findings = ask(Policy::Repeatable, (&Outcome::Agreed, &OLD), (&silent, &[]), &[]);
        assert_eq!(kinds(&findings), (vec![Kind::NothingTested], Verdict::Unresolved));
        let never = ask(Policy::Repeatable, (&silent, &OLD), (&Outcome::Agreed, &OLD), &[]);
        assert_eq!(kinds(&never), (vec![Kind::NothingTested], Verdict::Unresolved));

        let treatment = Treatment { id: "t".into(), settings: [(SettingId::new("threads"), Level::new("1"))].into() };
        let seen = Seen {
            treatment: &treatment,
            outcome: &Outcome::Agreed,
            points: 4,
            unproved: vec![SettingId::new("threads")],
            readings: Vec::new(),
        };
        assert!(acceptable(Policy::Repeatable, &[seen])[0].what.contains("threads"));
    }
}
