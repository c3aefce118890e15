//! Compares any number of runs with the first one and keeps the earliest difference.

use crate::model::{Divergence, Outcome, Point, Reading, RunValue, Tolerance, rank_in_name};

use super::cursor::End;
use super::readings::{Pair, compare, distances, earlier, is_of, run_value};

/// One run of a group.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Run id or path.
    pub name: &'a str,
    /// What the parser saw.
    pub reading: &'a Reading,
    /// Whether it was cut short.
    pub end: End,
}

/// What the comparison of a group of runs gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Whether they agree.
    pub outcome: Outcome,
    /// Other metrics that part, each with its first difference.
    pub others: Vec<Divergence>,
    /// Points compared, over all metrics and pairs.
    pub points: usize,
    /// Names of the runs that part from the first one.
    pub apart: Vec<String>,
    /// Sizes of the classes of runs that agree with one another, the reference's first: `[3]` for three that agree.
    pub classes: Vec<usize>,
}

/// Compares every member with the first one, the reference.
///
/// The outcome is the earliest difference of the primary metric; where that agrees, of any other metric. A cut run counts
/// as far as it got; that it was cut is for the caller to judge. Fewer than two members, or no point in common, is
/// unresolved.
pub fn group(members: &[Member<'_>], tolerance: Tolerance, only: Option<&str>) -> Group {
    let group = honest(members, tolerance, only);
    #[cfg(test)]
    if blindness::IS_BLIND.get() && group.points > 0 {
        return Group { outcome: Outcome::Agreed, others: Vec::new(), apart: Vec::new(), ..group };
    }
    group
}

/// A comparison that was disabled on purpose, in test builds only: whatever is compared agrees.
#[cfg(test)]
pub mod blindness {
    thread_local! {
        /// Whether comparisons of this thread are blind.
        pub static IS_BLIND: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
}

fn honest(members: &[Member<'_>], tolerance: Tolerance, only: Option<&str>) -> Group {
    let Some((reference, others)) = members.split_first() else {
        return Group::unresolved("no run left anything to compare".to_owned());
    };
    if others.is_empty() {
        return Group::unresolved(format!("only {} left anything to compare", reference.name));
    }
    let readings: Vec<&Reading> = members.iter().map(|member| member.reading).collect();
    if let Some(reason) = nothing(&readings, reference.name).or_else(|| unknown(&readings, only)) {
        return Group::unresolved(reason);
    }
    let mut found: Vec<Divergence> = Vec::new();
    let (mut points, mut apart) = (0, Vec::new());
    let mut untested = reference.reading.primary().and_then(|_| no_number(&readings));
    for other in others {
        let compared = compare(pair(reference), pair(other), tolerance, only);
        points += compared.points;
        untested = untested.or(compared.untested.map(|metric| no_common_step(&metric, [reference.name, other.name])));
        if !compared.divergences.is_empty() {
            apart.push(other.name.to_owned());
        }
        for divergence in compared.divergences {
            keep_earliest(&mut found, divergence);
        }
    }
    let primary = reference.reading.primary().map(|series| series.metric.clone());
    found.sort_by(|a, b| {
        let rank = |d: &Divergence| !is_of(&d.metric, primary.as_deref());
        rank(a).cmp(&rank(b)).then_with(|| earlier(a, b))
    });
    let mut found = found.into_iter().map(|divergence| widen(divergence, members));
    let outcome = match found.next() {
        Some(divergence) => Outcome::Diverged(divergence),
        None if points == 0 => {
            let names: Vec<&str> = members.iter().map(|member| member.name).collect();
            Outcome::Unresolved(no_common_point(&names))
        }
        None => agreement(untested, &readings, only),
    };
    let onset = outcome.divergence().map(|divergence| divergence.index);
    let telling: Vec<Member<'_>> = members.iter().copied().filter(|member| reaches(member, onset)).collect();
    Group { outcome, others: found.collect(), points, apart, classes: classes(&telling, tolerance, only) }
}

impl Group {
    /// Nothing could be said, for this reason.
    pub(super) fn unresolved(reason: String) -> Self {
        Self {
            outcome: Outcome::Unresolved(reason),
            others: Vec::new(),
            points: 0,
            apart: Vec::new(),
            classes: Vec::new(),
        }
    }
}

/// Whether a run got as far as the point at which the runs part; one that was cut before it would seem to agree with all.
fn reaches(member: &Member<'_>, onset: Option<usize>) -> bool {
    let longest = member.reading.series.iter().map(|series| series.points.len()).max().unwrap_or(0);
    onset.is_none_or(|onset| member.end == End::Complete || longest > onset)
}

/// Sorts the members into classes that agree, each known by its first member.
fn classes(members: &[Member<'_>], tolerance: Tolerance, only: Option<&str>) -> Vec<usize> {
    let mut classes: Vec<(Member<'_>, usize)> = Vec::new();
    for member in members {
        let agrees = |known: &Member<'_>| compare(pair(known), pair(member), tolerance, only).divergences.is_empty();
        match classes.iter_mut().find(|(known, _)| agrees(known)) {
            Some((_, size)) => *size += 1,
            None => classes.push((*member, 1)),
        }
    }
    classes.into_iter().map(|(_, size)| size).collect()
}

fn pair<'a>(member: &Member<'a>) -> Pair<'a> {
    Pair { name: member.name, reading: member.reading, end: member.end }
}

/// Why nothing can be compared: every reading is without a point. `name` is that of the first one.
pub(super) fn nothing(readings: &[&Reading], name: &str) -> Option<String> {
    let empty = |reading: &&Reading| reading.series.iter().all(|series| series.points.is_empty());
    if !readings.iter().all(empty) {
        return None;
    }
    let first = readings.first()?;
    let why = first.warnings.first().map(|warning| format!(" ({warning})")).unwrap_or_default();
    let hint = if first.format == "pattern" { "" } else { "; `--pattern` can name them" };
    Some(format!("no losses or other results were found in {name}{why}{hint}"))
}

/// Why nothing can be compared: no reading shows the one metric that was asked for. What they show instead is listed.
pub(super) fn unknown(readings: &[&Reading], only: Option<&str>) -> Option<String> {
    let only = only?;
    let mut shown: Vec<&str> = Vec::new();
    for series in readings.iter().flat_map(|reading| &reading.series).filter(|series| !series.points.is_empty()) {
        let name = rank_in_name(&series.metric).0;
        if series.metric == only || name == only {
            return None;
        }
        if !shown.contains(&name) {
            shown.push(name);
        }
    }
    let more = shown.len().saturating_sub(NAMED);
    shown.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("no metric is called `{only}`; there are {}{more}", shown.join(", ")))
}

/// Metrics that a reason lists.
const NAMED: usize = 12;

/// Why agreement says nothing: all that the logs show of the primary metric is NaN, which equals itself whatever went before.
fn no_number(readings: &[&Reading]) -> Option<String> {
    let shown = readings.iter().filter_map(|reading| reading.primary());
    let all_nan = shown.clone().flat_map(|series| &series.points).all(|point| point.value.is_nan());
    let metric = shown.map(|series| series.metric.as_str()).next().filter(|_| all_nan)?;
    Some(nothing_but_nan(metric))
}

/// The sentence for it.
pub fn nothing_but_nan(metric: &str) -> String {
    format!("every value of {metric} is NaN: that it is so in all runs tells nothing of what led there")
}

/// Why agreement says nothing of the primary metric.
pub(super) fn no_common_step(metric: &str, [one, other]: [&str; 2]) -> String {
    format!("{one} and {other} show {metric} at no step in common; what else they show agrees")
}

/// What it means that all points agree: nothing, where the primary metric was not tested, for the reason given, or some of the logs was
/// not looked at. `only` is the metric that was asked for.
pub(super) fn agreement(untested: Option<String>, readings: &[&Reading], only: Option<&str>) -> Outcome {
    let left_out = readings.iter().find_map(|reading| reading.left_out.as_deref()).filter(|_| only.is_none());
    let unseen = left_out.map(|what| format!("what was compared agrees, and something was not compared: {what}"));
    untested.or(unseen).map_or(Outcome::Agreed, Outcome::Unresolved)
}

pub(super) fn no_common_point(names: &[&str]) -> String {
    format!("{} have no step of any metric in common", names.join(", "))
}

/// Keeps one divergence per metric, the earliest.
fn keep_earliest(found: &mut Vec<Divergence>, divergence: Divergence) {
    match found.iter_mut().find(|known| known.metric == divergence.metric) {
        Some(known) if earlier(&divergence, known).is_lt() => *known = divergence,
        Some(_) => {}
        None => found.push(divergence),
    }
}

/// Adds what every other member had at the divergent position, and the largest distance among them.
fn widen(mut divergence: Divergence, members: &[Member<'_>]) -> Divergence {
    let known: Vec<RunValue> = std::mem::take(&mut divergence.values);
    let points: Vec<(&str, Option<&Point>)> = members
        .iter()
        .map(|member| match known.iter().find(|value| value.run == member.name) {
            Some(value) => (member.name, line_of(member, &divergence, value)),
            None => (member.name, at(member, &divergence)),
        })
        .collect();
    divergence.values = points.iter().map(|(name, point)| run_value(name, *point)).collect();
    let present: Vec<&Point> = points.iter().filter_map(|(_, point)| *point).collect();
    for (index, a) in present.iter().enumerate() {
        for b in &present[index + 1..] {
            let (absolute, relative, ulps) = distances(a, b);
            divergence.absolute = largest(divergence.absolute, absolute);
            divergence.relative = largest(divergence.relative, relative);
            divergence.ulps = divergence.ulps.max(ulps);
        }
    }
    divergence
}

fn largest(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (known, None) | (None, known) => known,
    }
}

/// The very point that the comparison found: several may share a position.
fn line_of<'a>(member: &Member<'a>, divergence: &Divergence, value: &RunValue) -> Option<&'a Point> {
    let series = member.reading.series.iter().find(|series| series.metric == divergence.metric)?;
    let same = |point: &&Point| {
        Some(point.line) == value.line && value.text.as_ref() == Some(&point.text) && at_same_place(point, divergence)
    };
    series.points.iter().find(same)
}

fn at_same_place(point: &Point, divergence: &Divergence) -> bool {
    point.position.order(&divergence.position).is_none_or(std::cmp::Ordering::is_eq)
}

fn at<'a>(member: &Member<'a>, divergence: &Divergence) -> Option<&'a Point> {
    let series = member.reading.series.iter().find(|series| series.metric == divergence.metric)?;
    let by_position =
        series.points.iter().find(|p| p.position.order(&divergence.position).is_some_and(std::cmp::Ordering::is_eq));
    let has_axis = divergence.position.step.is_some() || divergence.position.epoch.is_some();
    if has_axis { by_position } else { series.points.get(divergence.index) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Role, Series};

    fn reading(metrics: &[(&str, &[&str])]) -> Reading {
        let mut reading = Reading::nothing("utf-8", "");
        reading.warnings.clear();
        for (name, values) in metrics {
            let mut series = Series::new(name, Role::Other);
            series.points = values.iter().zip(0..).map(|(text, step)| Point::printed(step, text, 1)).collect();
            reading.series.push(series);
        }
        reading.primary = Some(0);
        reading
    }

    fn members<'a>(readings: &'a [Reading], names: &'a [&'a str]) -> Vec<Member<'a>> {
        readings.iter().zip(names).map(|(reading, name)| Member { name, reading, end: End::Complete }).collect()
    }

    #[test]
    fn shows_every_run_at_the_earliest_difference() {
        let readings = [
            reading(&[("loss", &["2.0", "1.0"])]),
            reading(&[("loss", &["2.0", "1.5"])]),
            reading(&[("loss", &["2.5", "1.0"])]),
        ];
        let group = group(&members(&readings, &["r1", "r2", "r3"]), Tolerance::Exact, None);
        let divergence = group.outcome.divergence().unwrap();
        assert_eq!((divergence.index, divergence.kind), (0, Kind::Value));
        let texts: Vec<&str> = divergence.values.iter().map(|v| v.text.as_ref().unwrap().as_str()).collect();
        assert_eq!(texts, ["2.0", "2.0", "2.5"]);
        assert_eq!(group.apart, ["r2", "r3"]);
        assert_eq!(group.classes, [1, 1, 1]);
    }

    #[test]
    fn a_run_that_was_cut_before_the_others_part_agrees_with_none_of_them() {
        let readings = [
            reading(&[("loss", &["2.0", "1.0"])]),
            reading(&[("loss", &["2.0", "1.5"])]),
            reading(&[("loss", &["2.0"])]),
            reading(&[("loss", &[])]),
        ];
        let mut members = members(&readings, &["r1", "r2", "r3", "r4"]);
        members[2].end = End::Cut;
        members[3].end = End::Cut;
        assert_eq!(group(&members, Tolerance::Exact, None).classes, [1, 1]);
    }

    #[test]
    fn another_metric_counts_when_the_loss_agrees() {
        let readings = [
            reading(&[("loss", &["2.0"]), ("grad_norm", &["1.0"])]),
            reading(&[("loss", &["2.0"]), ("grad_norm", &["1.1"])]),
        ];
        let names = ["a", "b"];
        let outcome = group(&members(&readings, &names), Tolerance::Exact, None).outcome;
        assert_eq!(outcome.divergence().unwrap().metric, "grad_norm");
        assert_eq!(group(&members(&readings, &names), Tolerance::Exact, Some("loss")).outcome, Outcome::Agreed);
    }

    #[test]
    fn agreement_of_logs_that_were_not_read_whole_is_unresolved() {
        let mut readings = [reading(&[("loss", &["2.0"])]), reading(&[("loss", &["2.0"])])];
        readings[1].left_out = Some("more names than there is room for".into());
        let outcome = |only: Option<&str>| group(&members(&readings, &["a", "b"]), Tolerance::Exact, only).outcome;
        assert!(matches!(outcome(None), Outcome::Unresolved(reason) if reason.contains("room for")));
        assert_eq!(outcome(Some("loss")), Outcome::Agreed);
    }

    #[test]
    fn nothing_to_compare_is_unresolved() {
        let empty = Reading::nothing("utf-8", "no format fits");
        let readings = [empty.clone(), empty];
        let outcome = group(&members(&readings, &["a", "b"]), Tolerance::Exact, None).outcome;
        assert!(matches!(outcome, Outcome::Unresolved(reason) if reason.contains("no format fits")));
        assert!(matches!(group(&[], Tolerance::Exact, None).outcome, Outcome::Unresolved(_)));
    }

    #[test]
    fn a_run_without_losses_beside_one_with_losses_parts() {
        let readings = [reading(&[("loss", &["2.0"])]), Reading::nothing("utf-8", "empty")];
        let outcome = group(&members(&readings, &["a", "b"]), Tolerance::Exact, None).outcome;
        assert_eq!(outcome.divergence().unwrap().kind, Kind::Length);
    }
}
