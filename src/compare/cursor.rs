//! Walks two series together and stops at their first difference.
//!
//! The walk is incremental: it may be fed points as they arrive, from two running jobs or two files of any size, and it
//! never looks back.

use std::cmp::Ordering;

use crate::model::{Kind, Point, Source, Tolerance};

use super::distance::equal;

/// By which rule two series are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// What counts as equal.
    pub tolerance: Tolerance,
    /// Where the values came from.
    pub source: Source,
    /// True where a series shows only a sample of the steps: then only the common ones are compared.
    pub sampled: bool,
}

/// How far one side has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// More points may follow.
    Open,
    /// That was all, and the run ended by itself.
    Complete,
    /// That was all, and the run was cut short by something that is not its own result: a crash, a time limit, a stop.
    Cut,
}

impl End {
    fn is_open(self) -> bool {
        self == Self::Open
    }
}

/// A difference between two series: which points, and how they part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How they part.
    pub kind: Kind,
    /// Index of the point in the left series; where it lacks the point, the index it would have.
    pub left: usize,
    /// The same for the right series.
    pub right: usize,
    /// Whether the left series has the point.
    pub left_has: bool,
    /// Whether the right series has the point.
    pub right_has: bool,
}

/// A place in two series up to which they agree.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    left: usize,
    right: usize,
    compared: usize,
    gap: Option<Gap>,
}

impl Cursor {
    /// A cursor behind points that are known to agree: `held` of them are in the series that it is given, of `compared` in all.
    pub fn behind(held: usize, compared: usize) -> Self {
        Self { left: held, right: held, compared, gap: None }
    }

    /// Index of the next point to compare on each side.
    pub fn at(&self) -> (usize, usize) {
        (self.left, self.right)
    }

    /// Goes on from where it stands as if nothing had been found.
    pub fn over(&self) -> Self {
        Self { gap: None, ..self.clone() }
    }

    /// Says that the series given from now on lack so many of their first points, which it has left behind.
    pub fn rebase(&mut self, left: usize, right: usize) {
        self.left -= left.min(self.left);
        self.right -= right.min(self.right);
    }

    /// Points that both series had and that were compared.
    pub fn compared(&self) -> usize {
        self.compared
    }

    /// Walks as far as the points given allow. `left` and `right` are the whole series so far.
    ///
    /// Gives the first difference as soon as it is certain; asked again, it gives the same one.
    pub fn advance(&mut self, left: &[Point], right: &[Point], ends: (End, End), rule: Rule) -> Option<Gap> {
        while self.gap.is_none() {
            match (left.get(self.left), right.get(self.right)) {
                (Some(a), Some(b)) => self.pair(a, b, rule),
                (Some(_), None) if !ends.1.is_open() => return self.tail((left, right), true, ends.1, rule),
                (None, Some(_)) if !ends.0.is_open() => return self.tail((right, left), false, ends.0, rule),
                _ => return None,
            }
        }
        self.gap
    }

    fn pair(&mut self, a: &Point, b: &Point, rule: Rule) {
        match a.position.order(&b.position).unwrap_or(Ordering::Equal) {
            Ordering::Equal => {
                self.compared += 1;
                if equal(a, b, rule.tolerance, rule.source) {
                    self.left += 1;
                    self.right += 1;
                } else {
                    let kind = if a.value.is_nan() == b.value.is_nan() { Kind::Value } else { Kind::Nan };
                    self.gap = Some(self.gap_here(kind, true, true));
                }
            }
            Ordering::Less if rule.sampled => self.left += 1,
            Ordering::Greater if rule.sampled => self.right += 1,
            Ordering::Less => self.gap = Some(self.gap_here(Kind::Missing, true, false)),
            Ordering::Greater => self.gap = Some(self.gap_here(Kind::Extra, false, true)),
        }
    }

    /// The shorter side is at its end and the longer one goes on.
    fn tail(
        &mut self,
        (longer, shorter): (&[Point], &[Point]),
        left_is_longer: bool,
        shorter_end: End,
        rule: Rule,
    ) -> Option<Gap> {
        if shorter_end == End::Cut || (rule.sampled && is_redraw_tail(longer, shorter)) {
            return None;
        }
        self.gap = Some(self.gap_here(Kind::Length, left_is_longer, !left_is_longer));
        self.gap
    }

    fn gap_here(&self, kind: Kind, left_has: bool, right_has: bool) -> Gap {
        Gap { kind, left: self.left, right: self.right, left_has, right_has }
    }
}

/// Whether the shorter of two sampled series ends so near the longer one's end that a timed redraw explains it: within
/// its last tenth.
fn is_redraw_tail(longer: &[Point], shorter: &[Point]) -> bool {
    let last = |points: &[Point]| points.last().map(|point| (point.position.segment, point.position.step));
    match (last(longer), last(shorter)) {
        (Some((a, Some(long))), Some((b, Some(short)))) => {
            a == b && long.saturating_sub(short).saturating_mul(10) <= long
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Position;
    use proptest::prelude::*;

    const EXACT: Rule = Rule { tolerance: Tolerance::Exact, source: Source::Printed, sampled: false };
    const BOTH: (End, End) = (End::Complete, End::Complete);

    fn points(values: &[(i64, &str)]) -> Vec<Point> {
        values.iter().zip(1..).map(|((step, text), line)| Point::printed(*step, text, line)).collect()
    }

    fn gap(a: &[(i64, &str)], b: &[(i64, &str)], rule: Rule) -> Option<(Kind, usize)> {
        Cursor::default().advance(&points(a), &points(b), BOTH, rule).map(|gap| (gap.kind, gap.left))
    }

    #[test]
    fn names_the_first_difference_not_the_largest() {
        let a = [(0, "1.0"), (1, "2.0"), (2, "3.0")];
        let b = [(0, "1.0"), (1, "2.1"), (2, "9.0")];
        assert_eq!(gap(&a, &b, EXACT), Some((Kind::Value, 1)));
    }

    #[test]
    fn a_shorter_series_is_never_silently_equal() {
        let a = [(0, "1.0"), (1, "2.0")];
        assert_eq!(gap(&a, &a[..1], EXACT), Some((Kind::Length, 1)));
        assert_eq!(gap(&a[..1], &a, EXACT), Some((Kind::Length, 1)));
    }

    #[test]
    fn a_run_cut_short_is_compared_as_far_as_it_got() {
        let (a, b) = (points(&[(0, "1.0"), (1, "2.0")]), points(&[(0, "1.0")]));
        let mut cursor = Cursor::default();
        assert_eq!(cursor.advance(&a, &b, (End::Complete, End::Cut), EXACT), None);
        assert_eq!(cursor.compared(), 1);
    }

    #[test]
    fn tells_missing_from_extra() {
        let a = [(0, "1.0"), (1, "2.0"), (2, "3.0")];
        let b = [(0, "1.0"), (2, "3.0")];
        assert_eq!(gap(&a, &b, EXACT), Some((Kind::Missing, 1)));
        assert_eq!(gap(&b, &a, EXACT), Some((Kind::Extra, 1)));
    }

    #[test]
    fn nan_against_a_number_is_its_own_kind() {
        assert_eq!(gap(&[(0, "nan")], &[(0, "1.0")], EXACT), Some((Kind::Nan, 0)));
        assert_eq!(gap(&[(0, "nan")], &[(0, "nan")], EXACT), None);
    }

    #[test]
    fn a_sampled_series_is_compared_on_common_steps() {
        let sampled = Rule { sampled: true, ..EXACT };
        assert_eq!(gap(&[(1, "1.0"), (3, "3.0")], &[(2, "2.0"), (3, "3.0")], sampled), None);
        assert_eq!(gap(&[(1, "1.0"), (3, "3.0")], &[(3, "3.1")], sampled), Some((Kind::Value, 1)));
        assert_eq!(gap(&[(1, "1.0"), (100, "3.0")], &[(1, "1.0")], sampled), Some((Kind::Length, 1)));
    }

    #[test]
    fn steps_that_restart_stay_apart() {
        let at = |segment, step, text: &str| Point {
            position: Position { segment, epoch: None, step: Some(step) },
            ..Point::printed(step, text, 1)
        };
        let a = [at(0, 0, "1.0"), at(0, 1, "2.0"), at(1, 0, "3.0")];
        let b = [at(0, 0, "1.0"), at(0, 1, "2.0"), at(1, 0, "3.5")];
        let gap = Cursor::default().advance(&a, &b, BOTH, EXACT).unwrap();
        assert_eq!((gap.kind, gap.left), (Kind::Value, 2));
    }

    proptest! {
        #[test]
        fn the_divergence_we_inject_is_the_one_we_name(
            values in prop::collection::vec(any::<i32>(), 1..200), at in any::<prop::sample::Index>(), cut in 1usize..50,
        ) {
            let texts: Vec<String> = values.iter().map(|v| format!("{v}.5")).collect();
            let a: Vec<Point> = texts.iter().zip(0..).map(|(t, s)| Point::printed(s, t, 1)).collect();
            let at = at.index(a.len());
            let mut b = a.clone();
            b[at].value += 1.0;
            // Fed in pieces, as two running jobs would.
            let mut cursor = Cursor::default();
            let mut found = None;
            for end in (0..a.len()).step_by(cut).chain([a.len()]) {
                found = cursor.advance(&a[..end], &b[..end.min(b.len())], (End::Open, End::Open), EXACT);
                prop_assert_eq!(found.is_some(), end > at);
            }
            prop_assert_eq!(found.map(|gap| (gap.kind, gap.left)), Some((Kind::Value, at)));
        }

        #[test]
        fn a_dropped_point_is_named_missing(length in 2usize..100, at in any::<prop::sample::Index>()) {
            let a: Vec<Point> = (0..length).map(|s| Point::printed(s as i64, "1.0", 1)).collect();
            let at = at.index(length - 1);
            let mut b = a.clone();
            b.remove(at);
            let gap = Cursor::default().advance(&a, &b, BOTH, EXACT);
            prop_assert_eq!(gap.map(|gap| (gap.kind, gap.left)), Some((Kind::Missing, at)));
        }
    }
}
