//! Compares all metrics of two readings.

use crate::model::{Divergence, Kind, Point, Reading, Role, RunValue, Series, Tolerance, rank_in_name};

use super::cursor::{Cursor, End, Gap, Rule};
use super::distance::{absolute, precision, relative, ulps};

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// Run id or path.
    pub name: &'a str,
    /// What the parser saw.
    pub reading: &'a Reading,
    /// Whether it was cut short.
    pub end: End,
}

impl<'a> Pair<'a> {
    /// A side that came to its end by itself.
    pub fn whole(name: &'a str, reading: &'a Reading) -> Self {
        Self { name, reading, end: End::Complete }
    }
}

/// What the comparison of two readings gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// Points that both had, over all metrics.
    pub points: usize,
    /// The primary metric, where both showed it and at no step that both have: their agreement says nothing of it.
    pub untested: Option<String>,
    /// First difference of each metric that parts: the primary metric's first, then the others in the order in which they part.
    pub divergences: Vec<Divergence>,
}

/// Compares two readings metric by metric; the left one is the reference.
///
/// `only` names the single metric to compare, where the user asked for one.
pub fn compare(left: Pair<'_>, right: Pair<'_>, tolerance: Tolerance, only: Option<&str>) -> Compared {
    let mut compared = Compared::default();
    let ranks = has_ranks(left.reading) || has_ranks(right.reading);
    let primary = left.reading.primary().or_else(|| right.reading.primary()).map(|series| series.metric.as_str());
    for name in metrics(left.reading, right.reading, only) {
        let empty = Series::new(name, Role::Other);
        let a = find(left.reading, name).unwrap_or(&empty);
        let b = find(right.reading, name).unwrap_or(&empty);
        let rule = Rule { tolerance, source: a.source, sampled: a.sampled || b.sampled };
        let mut cursor = Cursor::default();
        let gap = cursor.advance(&a.points, &b.points, (left.end, right.end), rule);
        compared.points += cursor.compared();
        if primary == Some(name) && cursor.compared() == 0 && !a.points.is_empty() && !b.points.is_empty() {
            compared.untested = Some(name.to_owned());
        }
        let rank = ranks.then(|| rank_in_name(name).1);
        compared.divergences.extend(gap.map(|gap| {
            let here = gap.left_has.then(|| a.points.get(gap.left)).flatten();
            let there = gap.right_has.then(|| b.points.get(gap.right)).flatten();
            divergence(name, gap, rank, (left.name, here), (right.name, there))
        }));
    }
    order(&mut compared.divergences, primary);
    compared
}

/// Sorts divergences: the primary metric's first, then by where they stand. Metrics that part at the same step stay in the
/// order of the log.
pub fn order(divergences: &mut [Divergence], primary: Option<&str>) {
    divergences.sort_by(|a, b| {
        let rank = |d: &Divergence| !is_of(&d.metric, primary);
        rank(a).cmp(&rank(b)).then_with(|| earlier(a, b))
    });
}

/// Whether a metric is the primary one, as any rank shows it.
pub fn is_of(metric: &str, primary: Option<&str>) -> bool {
    primary.is_some_and(|primary| rank_in_name(metric).0 == rank_in_name(primary).0)
}

/// Whether a reading holds what several ranks showed.
pub(super) fn has_ranks(reading: &Reading) -> bool {
    reading.series.iter().any(|series| rank_in_name(&series.metric).1 > 0)
}

/// Orders divergences by where they stand in the log; by index where positions cannot be compared.
pub fn earlier(a: &Divergence, b: &Divergence) -> std::cmp::Ordering {
    a.position.order(&b.position).unwrap_or_else(|| a.index.cmp(&b.index))
}

/// The metrics to compare, in the order in which the logs show them.
pub(super) fn metrics<'a>(left: &'a Reading, right: &'a Reading, only: Option<&str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for series in left.series.iter().chain(&right.series) {
        let wanted = only.is_none_or(|only| only == series.metric || only == rank_in_name(&series.metric).0);
        if wanted && series.role != Role::Noise && !names.contains(&series.metric.as_str()) {
            names.push(&series.metric);
        }
    }
    names
}

fn find<'a>(reading: &'a Reading, metric: &str) -> Option<&'a Series> {
    reading.series.iter().find(|series| series.metric == metric)
}

/// A difference of a metric, with what each run has there.
pub(super) fn divergence(
    metric: &str,
    gap: Gap,
    rank: Option<u32>,
    (left, a): (&str, Option<&Point>),
    (right, b): (&str, Option<&Point>),
) -> Divergence {
    let position = a.or(b).map(|point| point.position).unwrap_or_default();
    let (absolute, relative, ulps) = match (a, b) {
        (Some(a), Some(b)) => distances(a, b),
        _ => (None, None, None),
    };
    Divergence {
        rank,
        position,
        index: gap.left,
        metric: metric.to_owned(),
        kind: gap.kind,
        stage: None,
        values: vec![run_value(left, a), run_value(right, b)],
        absolute,
        relative,
        ulps: if gap.kind == Kind::Nan { None } else { ulps },
    }
}

/// Absolute and relative distance and ULPs of two points.
pub fn distances(a: &Point, b: &Point) -> (Option<f64>, Option<f64>, Option<u64>) {
    let ulps = ulps(a.value, b.value, precision(a, b));
    (absolute(a.value, b.value), relative(a.value, b.value), ulps)
}

/// What `run` had at a point.
pub fn run_value(run: &str, point: Option<&Point>) -> RunValue {
    RunValue {
        run: run.to_owned(),
        text: point.map(|point| point.text.clone()),
        value: point.map(|point| point.value),
        line: point.map(|point| point.line),
    }
}
