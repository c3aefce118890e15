//! One metric of two logs, compared while both are read, in memory that does not grow with them.

use crate::model::{Kind, Point, Source, Tolerance};

use super::cursor::{Cursor, End, Gap, Rule};

/// Points shown on either side of the one at which two series part.
const AROUND: usize = 6;
/// Points held of a metric that the other log has not shown at all.
const ALONE: usize = 16_384;

/// Both series of one metric, as far as they are still needed.
#[derive(Clone, Debug)]
pub struct Lane {
    rule: Rule,
    sides: [Held; 2],
    every: Walk,
    /// Goes on where a step is missing: what counts if the series turn out to be samples.
    common: Option<Walk>,
    /// A point that may be needed was not held.
    lost: bool,
}

/// The points of one side that are still needed.
#[derive(Clone, Debug, Default)]
struct Held {
    points: Vec<Point>,
    /// How many were before them.
    dropped: usize,
    alone: bool,
}

/// A walk along both sides, and what it found.
#[derive(Clone, Debug, Default)]
struct Walk {
    cursor: Cursor,
    parting: Option<Parting>,
}

/// Where two series part, with the points around.
#[derive(Clone, Debug, PartialEq)]
pub struct Parting {
    /// The difference; its indices count from the beginning of the series.
    pub gap: Gap,
    /// The points of each side from a few before the difference to a few behind it.
    pub windows: [Vec<Point>; 2],
    /// How many bytes of each log were read when the difference was seen; nothing is known where it was seen at the end.
    pub read: Option<[u64; 2]>,
    missing: [usize; 2],
    first: [usize; 2],
}

impl Parting {
    /// A metric that only one side shows, from its first point on.
    pub(super) fn alone(side: usize, points: &[Point]) -> Self {
        let gap = Gap { kind: Kind::Length, left: 0, right: 0, left_has: side == 0, right_has: side == 1 };
        let mut windows = [Vec::new(), Vec::new()];
        windows[side] = points.iter().take(AROUND + 1).cloned().collect();
        Self { gap, windows, read: None, missing: [0, 0], first: [0, 0] }
    }

    /// The point that one side shows where the other one parts from it, or that stands in its place.
    pub fn nearest(&self, side: usize) -> Option<&Point> {
        let index = if side == 0 { self.gap.left } else { self.gap.right };
        self.windows[side].get(index - self.first[side])
    }

    /// The point of one side at the difference, where it has it.
    pub fn point(&self, side: usize) -> Option<&Point> {
        let (has, index) =
            if side == 0 { (self.gap.left_has, self.gap.left) } else { (self.gap.right_has, self.gap.right) };
        self.windows[side].get(index - self.first[side]).filter(|_| has)
    }
}

/// What the comparison of one metric gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// Points that both had.
    pub compared: usize,
    /// Where they part.
    pub parting: Option<Parting>,
}

impl Lane {
    /// A lane whose first `count` points are the same on both sides; `tail` holds the last of them.
    pub fn behind(count: usize, tail: Vec<Point>, tolerance: Tolerance, source: Source) -> Self {
        let held = Held { dropped: count - tail.len().min(count), points: tail, alone: false };
        let cursor = Cursor::behind(held.points.len(), count);
        Self {
            rule: Rule { tolerance, source, sampled: false },
            sides: [held.clone(), held],
            every: Walk { cursor, parting: None },
            common: None,
            lost: false,
        }
    }

    /// Takes the next point of a side: 0 is the left one, the reference.
    pub fn push(&mut self, side: usize, point: Point) {
        for walk in [Some(&mut self.every), self.common.as_mut()].into_iter().flatten() {
            walk.see(side, &point);
        }
        self.lost |= self.sides[1 - side].alone;
        let other_is_empty = self.sides[1 - side].len() == 0;
        let held = &mut self.sides[side];
        if held.alone || other_is_empty && held.points.len() >= ALONE {
            held.alone = true;
        } else if !self.settled() {
            self.sides[side].points.push(point);
        }
    }

    /// Compares as far as both sides go; `ends` says whether more may follow, `read` how much of each log was read, in bytes.
    pub fn advance(&mut self, ends: (End, End), read: Option<[u64; 2]>) {
        let [left, right] = &self.sides;
        self.every.advance(left, right, ends, self.rule, read);
        let stepped =
            self.every.parting.as_ref().is_some_and(|parting| !matches!(parting.gap.kind, Kind::Value | Kind::Nan));
        if stepped {
            let common = self.common.get_or_insert_with(|| Walk { cursor: self.every.cursor.over(), parting: None });
            common.advance(left, right, ends, Rule { sampled: true, ..self.rule }, read);
        }
        self.forget();
    }

    /// How many points of each side wait for the other one.
    pub fn waiting(&self) -> [usize; 2] {
        if self.settled() {
            return [0, 0];
        }
        let walk = self.common.as_ref().unwrap_or(&self.every);
        let (left, right) = walk.cursor.at();
        let wait = |held: &Held, at: usize| if held.alone { 0 } else { held.points.len().saturating_sub(at) };
        [wait(&self.sides[0], left), wait(&self.sides[1], right)]
    }

    /// Whether nothing that is still to come can change the conclusion.
    pub fn settled(&self) -> bool {
        let done = |walk: &Walk| walk.parting.as_ref().is_some_and(|parting| parting.missing == [0, 0]);
        let stepped = || self.every.parting.as_ref().is_some_and(|p| !matches!(p.gap.kind, Kind::Value | Kind::Nan));
        done(&self.every) && (!stepped() || self.common.as_ref().is_some_and(done))
    }

    /// Whether a point was let go that was needed after all: a metric that one log shows long before the other does.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// What came of it; `sampled` says that one of the series shows a sample of its steps only.
    pub fn conclude(self, sampled: bool) -> Conclusion {
        let walk = self.common.filter(|_| sampled).unwrap_or(self.every);
        let mut parting = walk.parting;
        for point in parting.iter_mut().flat_map(|parting| parting.windows.iter_mut().flatten()) {
            *point = point.clone().with_text();
        }
        Conclusion { compared: walk.cursor.compared(), parting }
    }

    /// Lets go of what both walks have left behind.
    fn forget(&mut self) {
        let (mut left, mut right) = self.every.cursor.at();
        if let Some(common) = &self.common {
            // The first walk stands still once it has found something, and has its points.
            (left, right) = common.cursor.at();
        }
        let spare = [left, right].map(|at| at.saturating_sub(AROUND + 1));
        if self.settled() {
            self.sides.iter_mut().for_each(|held| held.drop_first(held.points.len()));
            return;
        }
        // Moving what stays is worth it only where much goes.
        if spare[0] + spare[1] < 512 {
            return;
        }
        for (held, spare) in self.sides.iter_mut().zip(spare) {
            held.drop_first(spare);
        }
        self.every.cursor.rebase(spare[0], spare[1]);
        if let Some(common) = &mut self.common {
            common.cursor.rebase(spare[0], spare[1]);
        }
    }
}

impl Held {
    fn len(&self) -> usize {
        self.dropped + self.points.len()
    }

    fn drop_first(&mut self, count: usize) {
        self.points.drain(..count);
        self.dropped += count;
    }

    /// The points around an index of the whole series, the index of the first of them, and how many are still to come.
    fn around(&self, index: usize) -> (Vec<Point>, usize, usize) {
        let first = index.saturating_sub(AROUND).max(self.dropped);
        let end = index + AROUND + 1;
        let inside = |at: usize| at.saturating_sub(self.dropped).min(self.points.len());
        let points = self.points[inside(first)..inside(end)].to_vec();
        (points, first, end.saturating_sub(self.len()))
    }
}

impl Walk {
    fn advance(&mut self, left: &Held, right: &Held, ends: (End, End), rule: Rule, read: Option<[u64; 2]>) {
        if let Some(parting) = &mut self.parting {
            for (missing, end) in parting.missing.iter_mut().zip([ends.0, ends.1]) {
                if end != End::Open {
                    *missing = 0;
                }
            }
            return;
        }
        let Some(gap) = self.cursor.advance(&left.points, &right.points, ends, rule) else { return };
        let gap = Gap { left: gap.left + left.dropped, right: gap.right + right.dropped, ..gap };
        let (a, b) = (left.around(gap.left), right.around(gap.right));
        self.parting = Some(Parting { gap, windows: [a.0, b.0], read, first: [a.1, b.1], missing: [a.2, b.2] });
        self.advance(left, right, ends, rule, read);
    }

    fn see(&mut self, side: usize, point: &Point) {
        if let Some(parting) = self.parting.as_mut().filter(|parting| parting.missing[side] > 0) {
            parting.windows[side].push(point.clone());
            parting.missing[side] -= 1;
        }
    }
}
