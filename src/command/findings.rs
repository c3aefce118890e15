//! What the stages found, put together as an audit.

use std::path::{Path, PathBuf};

use crate::compare::{self, Digits, Group};
use crate::model::{
    Audit, Comparison, Curve, Divergence, Outcome, Point, RawLine, Reading, Resolution, Role, Series, Tolerance,
    Verdict,
};

use super::outputs;
use super::window::{self, Known};

/// Points shown before and after the divergent one; formats show fewer where they must.
const BEFORE: usize = 6;
/// The same, behind it.
pub const AFTER: usize = 6;
/// Most points kept of a curve.
const CURVE: usize = 2000;

/// One run or file that was compared.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// Run id or path.
    pub name: &'a str,
    /// What the parser saw.
    pub reading: &'a Reading,
    /// The log it came from.
    pub log: &'a Path,
}

/// Fills in what the comparison of one group of runs or files tells: verdict, reason, divergence, windows.
pub fn conclude(audit: &mut Audit, group: &Group, compared: &[Compared<'_>]) {
    conclude_without_points(audit, group, compared);
    show_points(audit, group, compared);
}

/// The same, but for what is shown of the points themselves.
pub fn conclude_without_points(audit: &mut Audit, group: &Group, compared: &[Compared<'_>]) {
    audit.verdict = verdict(&group.outcome);
    audit.reason = reason(group, compared, audit.tolerance);
    audit.divergence = group.outcome.divergence().cloned();
    audit.also_diverged = group.others.clone();
    name(audit, group, compared);
}

fn name(audit: &mut Audit, group: &Group, compared: &[Compared<'_>]) {
    let divergence = group.outcome.divergence();
    audit.metric = primary(compared).map(str::to_owned).or_else(|| divergence.map(|d| d.metric.clone()));
    audit.warnings.extend(warnings(compared));
}

fn show_points(audit: &mut Audit, group: &Group, compared: &[Compared<'_>]) {
    let divergence = group.outcome.divergence();
    let metric = divergence.map(|d| d.metric.as_str()).or(audit.metric.as_deref());
    audit.resolution = metric.and_then(|metric| resolution(metric, compared));
    audit.comparisons = metric.map(|metric| windows(metric, divergence, compared)).unwrap_or_default();
}

/// The name of the primary metric, as the first run that has one spells it.
fn primary<'a>(compared: &[Compared<'a>]) -> Option<&'a str> {
    compared.iter().find_map(|one| Some(one.reading.primary()?.metric.as_str()))
}

fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Agreed => Verdict::Agreed,
        Outcome::Diverged(_) => Verdict::Diverged,
        Outcome::Unresolved(_) => Verdict::Unresolved,
    }
}

fn reason(group: &Group, compared: &[Compared<'_>], tolerance: Tolerance) -> String {
    match &group.outcome {
        Outcome::Unresolved(why) => why.clone(),
        Outcome::Diverged(divergence) => {
            let apart = group.apart.len();
            let what = if compared.len() == 2 { String::new() } else { format!("{apart} of {} ", compared.len() - 1) };
            let from = compared.first().map_or("the first one", |first| first.name);
            let subject = if what.is_empty() { "it parts".to_owned() } else { format!("{what}part") };
            format!(
                "{subject} from {from} first in {} at {}",
                divergence.metric,
                divergence.position.told(divergence.index)
            )
        }
        Outcome::Agreed => match (group.points, tolerance) {
            (1, Tolerance::Exact) => "the one point compared is equal".to_owned(),
            (points, Tolerance::Exact) => format!("all {points} points compared are equal"),
            (1, tolerance) => format!("the one point compared is equal within {tolerance}"),
            (points, tolerance) => format!("all {points} points compared are equal within {tolerance}"),
        },
    }
}

fn resolution(metric: &str, compared: &[Compared<'_>]) -> Option<Resolution> {
    let shown = compared.iter().filter_map(|one| series(one.reading, metric)).filter(|s| !s.points.is_empty());
    compare::resolution(shown.map(Digits::from))
}

/// The series of a metric.
pub fn series<'a>(reading: &'a Reading, metric: &str) -> Option<&'a Series> {
    reading.series.iter().find(|series| series.metric == metric)
}

fn warnings(compared: &[Compared<'_>]) -> Vec<String> {
    compared
        .iter()
        .flat_map(|one| one.reading.warnings.iter().map(move |warning| format!("{}: {warning}", one.name)))
        .collect()
}

/// For each run, the points and raw lines around the divergence, or its first points where there is none.
fn windows(metric: &str, divergence: Option<&Divergence>, compared: &[Compared<'_>]) -> Vec<Comparison> {
    compared
        .iter()
        .map(|one| {
            let empty = Series::new(metric, Role::Other);
            let whole = series(one.reading, metric).unwrap_or(&empty);
            let centre = divergence.map_or(0, |divergence| index_of(one.name, whole, divergence));
            let range = centre.saturating_sub(BEFORE)..(centre + AFTER + 1).min(whole.points.len());
            let points = whole.points.get(range).unwrap_or_default().to_vec();
            let point = divergence.and_then(|_| whole.points.get(centre).or(whole.points.last()));
            let log = outputs::log_of(one.log, whole);
            let raw = point.zip(log).map(|(point, log)| raw_around(&log, point, Known::default())).unwrap_or_default();
            Comparison { run: one.name.to_owned(), window: Series { points, ..empty_like(whole) }, raw }
        })
        .collect()
}

/// A series like this one, without its points.
pub fn empty_like(series: &Series) -> Series {
    Series {
        points: Vec::new(),
        ..Series::clone(&Series { points: Vec::new(), metric: series.metric.clone(), ..*series })
    }
}

/// Index of the divergent point in a run's series, or where it would be.
fn index_of(run: &str, series: &Series, divergence: &Divergence) -> usize {
    let before = |point: &Point| point.position.order(&divergence.position).is_some_and(std::cmp::Ordering::is_lt);
    let has_axis = divergence.position.step.is_some() || divergence.position.epoch.is_some();
    if !has_axis {
        return divergence.index.min(series.points.len());
    }
    let first = series.points.partition_point(before);
    // Several points may share a position: the one that the comparison found is known by its line.
    let line = divergence.values.iter().find(|value| value.run == run).and_then(|value| value.line);
    let found = line.and_then(|line| series.points[first..].iter().position(|point| point.line == line));
    first + found.unwrap_or(0)
}

/// Raw lines around a point; none for files that have no lines of text.
pub fn raw_around(log: &Path, point: &Point, known: Known<'_>) -> Vec<RawLine> {
    if is_text(log) { window::around(log, point, known) } else { Vec::new() }
}

/// Whether a file begins like text.
fn is_text(log: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 512];
    let read = std::fs::File::open(log).and_then(|mut file| file.read(&mut head)).unwrap_or_default();
    log.is_file() && !head[..read].contains(&0)
}

/// The whole course of each run's primary metric, thinned where it is very long.
pub fn curves(compared: &[Compared<'_>]) -> Vec<Curve> {
    let curve = |one: &Compared<'_>| {
        let whole = one.reading.primary()?;
        let every = whole.points.len().div_ceil(CURVE).max(1);
        let last = whole.points.len().saturating_sub(1);
        let kept = whole.points.iter().enumerate().filter(|(index, _)| index % every == 0 || *index == last);
        let points = kept.map(|(_, point)| point.clone()).collect();
        Some(Curve { run: one.name.to_owned(), series: Series { points, ..empty_like(whole) } })
    };
    compared.iter().filter_map(curve).collect()
}

/// The metric that was asked for, as the logs spell it.
pub fn as_spelled(asked: &str, readings: &[Reading]) -> String {
    let found = readings.iter().find_map(|reading| Some(reading.primary()?.metric.clone()));
    found.unwrap_or_else(|| asked.to_owned())
}

/// The path of a run's log relative to the audit's folder.
pub fn relative(path: &Path, folder: &Path) -> PathBuf {
    path.strip_prefix(folder).unwrap_or(path).to_owned()
}
