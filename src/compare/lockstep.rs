//! Compares two logs while they are read, metric by metric, in bounded memory.

use std::collections::HashMap;

use crate::model::{Outcome, Point, Source, Tolerance, rank_in_name};

use super::cursor::End;
use super::lane::{Conclusion, Lane, Parting};
use super::readings::{Compared, Pair, divergence, has_ranks, metrics, order};
use super::replicates::{Group, agreement, no_common_point, no_common_step, nothing, unknown};

/// Most points that may wait for their counterparts.
const MOST: usize = 40_000;

/// The comparison of two logs, as far as they were read.
#[derive(Debug)]
pub struct Lockstep {
    tolerance: Tolerance,
    lanes: Vec<Lane>,
    by_name: HashMap<String, usize>,
    ends: (End, End),
}

/// What the comparison gave: the group of the two, and where each metric that parts does so.
#[derive(Debug)]
pub struct Concluded {
    /// The two logs as a group.
    pub group: Group,
    /// For each metric that parts, the points around.
    pub partings: Vec<(String, Parting)>,
}

impl Lockstep {
    /// A comparison of two logs that may both go on.
    pub fn new(tolerance: Tolerance) -> Self {
        Self { tolerance, lanes: Vec::new(), by_name: HashMap::new(), ends: (End::Open, End::Open) }
    }

    /// The lane of a metric; a new one begins behind `common`, the number of points that both logs have alike and the last of them.
    pub fn lane(&mut self, metric: &str, source: Source, common: (usize, Vec<Point>)) -> usize {
        if let Some(&lane) = self.by_name.get(metric) {
            return lane;
        }
        self.lanes.push(Lane::behind(common.0, common.1, self.tolerance, source));
        self.by_name.insert(metric.to_owned(), self.lanes.len() - 1);
        self.lanes.len() - 1
    }

    /// Takes the next point of a metric from one side: 0 is the left log, the reference.
    pub fn push(&mut self, side: usize, lane: usize, point: Point) {
        self.lanes[lane].push(side, point);
    }

    /// Says that a side is at its end.
    pub fn end(&mut self, side: usize) {
        *(if side == 0 { &mut self.ends.0 } else { &mut self.ends.1 }) = End::Complete;
    }

    /// Compares as far as both sides go; `read` says how much of each log was read, in bytes.
    pub fn advance(&mut self, read: Option<[u64; 2]>) {
        for lane in &mut self.lanes {
            lane.advance(self.ends, read);
        }
    }

    /// How many points of each side wait for the other.
    pub fn waiting(&self) -> [usize; 2] {
        self.lanes.iter().map(Lane::waiting).fold([0, 0], |sum, lane| [sum[0] + lane[0], sum[1] + lane[1]])
    }

    /// Whether nothing more is needed of a metric.
    pub fn is_settled(&self, lane: usize) -> bool {
        self.lanes[lane].settled()
    }

    /// Whether the logs are too different in their order to be compared as they are read.
    pub fn has_failed(&self) -> bool {
        self.waiting().iter().sum::<usize>() > MOST || self.lanes.iter().any(Lane::is_lost)
    }

    /// What came of it. The readings say which metrics count, under the names that `named` finds them by here.
    pub fn conclude(mut self, pair: [Pair<'_>; 2], only: Option<&str>, named: &dyn Fn(&str) -> String) -> Concluded {
        self.ends = (End::Complete, End::Complete);
        self.advance(None);
        let [left, right] = pair;
        let readings = [left.reading, right.reading];
        if let Some(reason) = nothing(&readings, left.name).or_else(|| unknown(&readings, only)) {
            return Concluded { group: Group::unresolved(reason), partings: Vec::new() };
        }
        let primary = left.reading.primary().or_else(|| right.reading.primary()).map(|series| series.metric.as_str());
        let ranks = has_ranks(left.reading) || has_ranks(right.reading);
        let mut compared = Compared::default();
        let mut partings = Vec::new();
        for metric in metrics(left.reading, right.reading, only) {
            let Some(lane) = self.by_name.get(&named(metric)).map(|&at| self.lanes[at].clone()) else { continue };
            let shown = |pair: Pair<'_>| pair.reading.series.iter().position(|series| series.metric == metric);
            let sampled = |pair: Pair<'_>| shown(pair).is_some_and(|at| pair.reading.series[at].sampled);
            let conclusion = match (shown(left), shown(right)) {
                // A point that one log did not think worth a series is no counterpart.
                (Some(at), None) => alone(0, &left.reading.series[at].points),
                (None, Some(at)) => alone(1, &right.reading.series[at].points),
                _ => lane.conclude(sampled(left) || sampled(right)),
            };
            compared.points += conclusion.compared;
            if conclusion.compared == 0 && primary == Some(metric) && shown(left).is_some() && shown(right).is_some() {
                compared.untested = Some(metric.to_owned());
            }
            if let Some(parting) = conclusion.parting {
                let points = [parting.point(0), parting.point(1)];
                compared.divergences.push(divergence(
                    metric,
                    parting.gap,
                    ranks.then(|| rank_in_name(metric).1),
                    (left.name, points[0]),
                    (right.name, points[1]),
                ));
                partings.push((metric.to_owned(), parting));
            }
        }
        order(&mut compared.divergences, primary);
        // As among many logs, what the reference calls primary comes first.
        order(&mut compared.divergences, left.reading.primary().map(|series| series.metric.as_str()));
        Concluded { group: group(compared, [left, right], only), partings }
    }
}

fn alone(side: usize, points: &[Point]) -> Conclusion {
    Conclusion { compared: 0, parting: Some(Parting::alone(side, points)) }
}

fn group(compared: Compared, pair: [Pair<'_>; 2], only: Option<&str>) -> Group {
    let names = pair.map(|side| side.name);
    let mut found = compared.divergences.into_iter();
    let outcome = match found.next() {
        Some(divergence) => Outcome::Diverged(divergence),
        None if compared.points == 0 => return Group::unresolved(no_common_point(&names)),
        None => {
            let untested = compared.untested.map(|metric| no_common_step(&metric, names));
            agreement(untested, &pair.map(|side| side.reading), only)
        }
    };
    let apart = outcome.divergence().map(|_| names[1].to_owned()).into_iter().collect::<Vec<_>>();
    let classes = if apart.is_empty() { vec![2] } else { vec![1, 1] };
    Group { outcome, others: found.collect(), points: compared.points, apart, classes }
}
