//! A deliberately disturbed copy of a run: a gate that does not notice it cannot fail, and must not pass.

use std::ops::Range;

use super::judge::Equal;
use crate::model::{Fnv, Outcome, Point, Reading, Series, Tolerance};

/// A copy of a run's reading with one value disturbed.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The copy.
    pub reading: Reading,
    /// What was done, as the beginning of a sentence: "the last bit of loss at step 17 was flipped".
    pub what: String,
    metric: String,
    point: Point,
    index: usize,
}

/// A number that follows from the audit's id, so that an audit can be looked at again.
pub fn seed(audit: &str) -> u64 {
    let mut digest = Fnv::default();
    digest.add(audit.as_bytes());
    // The low bits of FNV-1a follow the last byte closely: finish as splitmix64 does.
    let mixed = (digest.0 ^ (digest.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The last third of a series.
pub fn late(points: usize) -> Range<usize> {
    points - points.div_ceil(3)..points
}

/// Disturbs one finite value of the primary metric of a copy of `reading`, at an index in `range` that `seed` chooses and
/// that the reference run has as well.
///
/// The last bit is flipped. Under a tolerance that would go unnoticed as it should; there the lowest bit is flipped that
/// `equal` tells apart, up to one that doubles the value.
///
/// # Errors
/// In words, where no such value can be disturbed.
pub fn disturb(
    reading: &Reading,
    reference: &Reading,
    (range, seed): (Range<usize>, u64),
    (tolerance, equal): (Tolerance, &Equal<'_>),
) -> Result<Canary, String> {
    let (Some(series), Some(base)) = (reading.primary(), reference.primary()) else {
        return Err("there is no metric to disturb".to_owned());
    };
    let candidates: Vec<usize> = range.filter(|index| usable(series, base, *index)).collect();
    let chosen = candidates.get((seed % candidates.len().max(1) as u64) as usize).copied();
    let index = chosen.ok_or_else(|| format!("{} has no finite value there to disturb", series.metric))?;
    let old = series.points[index].clone();
    let bits = if tolerance == Tolerance::Exact { 0..1 } else { 0..53 };
    let flipped = |bit: u32| Point { value: f64::from_bits(old.value.to_bits() ^ (1 << bit)), ..old.clone() };
    let place = format!("{} at {}", series.metric, old.position.told(index));
    let found = bits.clone().find(|bit| tolerance == Tolerance::Exact || !equal(&old, &flipped(*bit)));
    let bit = found.ok_or_else(|| format!("no change of {place}, up to its doubling, is beyond the tolerance"))?;
    let mut copy = reading.clone();
    let point = copy.primary.and_then(|at| copy.series.get_mut(at)).and_then(|series| series.points.get_mut(index));
    if let Some(point) = point {
        *point = flipped(bit);
    }
    let which = if bit == 0 { "the last bit".to_owned() } else { format!("bit {bit}") };
    let what = format!("{which} of {place} was flipped");
    Ok(Canary { reading: copy, what, metric: series.metric.clone(), point: old, index })
}

/// Whether a point is a finite number, and stands in the reference series too where that is a sample of the steps.
fn usable(series: &Series, base: &Series, index: usize) -> bool {
    let Some(point) = series.points.get(index).filter(|point| point.value.is_finite()) else { return false };
    let shared = |other: &Point| other.position.order(&point.position).is_some_and(std::cmp::Ordering::is_eq);
    if series.sampled || base.sampled { base.points.iter().any(shared) } else { index < base.points.len() }
}

impl Canary {
    /// Whether a comparison caught it: it parts in this very metric, at this very point.
    pub fn caught(&self, outcome: &Outcome) -> bool {
        outcome.divergence().is_some_and(|divergence| {
            let at = divergence.position.order(&self.point.position);
            divergence.metric == self.metric && at.map_or(divergence.index == self.index, std::cmp::Ordering::is_eq)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Divergence, Kind, Position, Role};

    fn reading(values: &[&str]) -> Reading {
        let mut series = Series::new("loss", Role::TrainingLoss);
        series.points = values.iter().zip(0..).map(|(text, step)| Point::printed(step, text, 1)).collect();
        Reading { series: vec![series], primary: Some(0), ..Reading::nothing("utf-8", "") }
    }

    fn bits(a: &Point, b: &Point) -> bool {
        a.value.to_bits() == b.value.to_bits()
    }

    fn parts_at(step: i64) -> Outcome {
        Outcome::Diverged(Divergence {
            rank: None,
            position: Position::at_step(step),
            index: step as usize,
            metric: "loss".to_owned(),
            kind: Kind::Value,
            stage: None,
            values: Vec::new(),
            absolute: None,
            relative: None,
            ulps: None,
        })
    }

    #[test]
    fn flips_one_bit_of_one_late_value() {
        let clean = reading(&["3.0", "2.0", "1.0", "0.5", "0.25", "0.125"]);
        for seed in 0..20 {
            let canary = disturb(&clean, &clean, (late(6), seed), (Tolerance::Exact, &bits)).expect("it can be");
            let pairs = clean.series[0].points.iter().zip(&canary.reading.series[0].points);
            let moved: Vec<usize> = pairs.enumerate().filter(|(_, (a, b))| !bits(a, b)).map(|(at, _)| at).collect();
            assert_eq!(moved, [canary.index]);
            assert!(canary.index >= 4);
            let (a, b) = (&canary.point, &canary.reading.series[0].points[canary.index]);
            assert_eq!(a.value.to_bits() ^ b.value.to_bits(), 1);
        }
    }

    #[test]
    fn a_comparison_that_is_blind_or_names_another_step_does_not_catch_it() {
        let clean = reading(&["1.0", "0.5", "0.25"]);
        let canary = disturb(&clean, &clean, (2..3, 0), (Tolerance::Exact, &bits)).expect("it can be");
        assert!(canary.caught(&parts_at(2)));
        assert!(!canary.caught(&parts_at(1)));
        assert!(!canary.caught(&Outcome::Agreed));
    }

    #[test]
    fn a_tolerance_beyond_all_values_leaves_nothing_to_catch() {
        let clean = reading(&["1.0", "0.5"]);
        let loose = |_: &Point, _: &Point| true;
        assert!(disturb(&clean, &clean, (0..2, 0), (Tolerance::Absolute(1e300), &loose)).is_err());
        let close = |a: &Point, b: &Point| (a.value - b.value).abs() <= 1e-3;
        let canary = disturb(&clean, &clean, (0..2, 0), (Tolerance::Absolute(1e-3), &close)).expect("it can be");
        assert!(canary.what.contains("bit 4"), "{}", canary.what);
    }

    #[test]
    fn nothing_finite_is_nothing_to_disturb() {
        let clean = reading(&["nan", "inf"]);
        assert!(disturb(&clean, &clean, (0..2, 0), (Tolerance::Exact, &bits)).is_err());
    }
}
