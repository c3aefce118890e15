//! A band for jobs that cannot be exact, learned from the accepted runs against one another.
//!
//! At each point of the sketch, N accepted runs give a mean and a standard deviation. A further run of the same job then
//! lies at `t = (x - mean) / (s * sqrt(1 + 1/N))`, which follows Student's t with N - 1 degrees of freedom as far as the
//! values are normal; the chance of its size is multiplied by the number of looks (Bonferroni). Likely enough passes,
//! very unlikely fails, and what lies between is inconclusive: run it again, or learn from more runs.

use super::baseline::{Accepted, SeriesRecord, SketchPoint};
use super::finding::{Finding, Kind};
use crate::model::{Series, Verdict};

/// A chance below this is no accident.
const FAILS: f64 = 0.001;
/// A chance above this is ordinary.
const PASSES: f64 = 0.05;

/// How a point lies to its band.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Place {
    Inside,
    Between(f64),
    Outside(f64),
}

/// Enters mean and deviation of the accepted runs at each point of the sketch.
pub fn learn(record: &mut SeriesRecord, runs: &[&Series]) {
    for point in &mut record.sketch {
        let values: Vec<f64> = runs.iter().filter_map(|run| Some(run.points.get(point.index)?.value)).collect();
        let (mean, deviation) = spread(&values);
        (point.mean, point.deviation) = (Some(mean), Some(deviation));
    }
}

fn spread(values: &[f64]) -> (f64, f64) {
    let Some(first) = values.first() else { return (f64::NAN, f64::NAN) };
    if values.iter().all(|value| value.to_bits() == first.to_bits()) {
        // A mean of equal numbers is not always that number in floating point.
        return (*first, 0.0);
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}

/// Judges the runs of a treatment by its band; `None` where all lie inside.
pub fn judge(accepted: &Accepted, runs: &[&Series]) -> Option<Finding> {
    let id = &accepted.id;
    let learned = accepted.series.sketch.iter().filter(|point| point.mean.is_some());
    let points: Vec<&SketchPoint> = learned.collect();
    if points.is_empty() || runs.is_empty() {
        let what = format!("{id} has no learned band: accept it again with --policy envelope");
        return Some(Finding::new(Kind::NothingTested, Verdict::Unresolved, what));
    }
    let looks = (points.len() * runs.len()) as f64;
    let mut worst: Option<(Place, &SketchPoint, Vec<f64>)> = None;
    for point in points {
        let values: Vec<f64> = runs.iter().filter_map(|run| Some(run.points.get(point.index)?.value)).collect();
        if values.len() < runs.len() {
            let what = format!("{id}: a run has no point {} of the band", point.index);
            return Some(Finding::new(Kind::NothingTested, Verdict::Unresolved, what));
        }
        let here = place(point, accepted.runs, &values, looks);
        if worst.as_ref().is_none_or(|(known, ..)| rank(here) > rank(*known)) {
            worst = Some((here, point, values));
        }
    }
    let (place, point, values) = worst?;
    let at = point.step.map_or_else(|| format!("point {}", point.index), |step| format!("step {step}"));
    let (mean, deviation) = (point.mean.unwrap_or(f64::NAN), point.deviation.unwrap_or(f64::NAN));
    let told = |chance: f64| {
        format!(
            "{} at {at} is {values:?}; the {} accepted runs gave {mean} ± {deviation}; the chance of such a value in an \
             unchanged job, all looks counted, is about {:.1e}",
            accepted.series.metric,
            accepted.runs,
            chance.min(1.0)
        )
    };
    match place {
        Place::Inside => None,
        Place::Between(chance) => Some(Finding::new(
            Kind::Inconclusive,
            Verdict::Unresolved,
            format!("{id}: {}; run it again, or accept a band of more runs", told(chance)),
        )),
        Place::Outside(chance) => {
            Some(Finding::new(Kind::ValuesMoved, Verdict::Diverged, format!("{id} left its band: {}", told(chance))))
        }
    }
}

/// Orders places, the worst last.
fn rank(place: Place) -> (u8, f64) {
    match place {
        Place::Inside => (0, 0.0),
        Place::Between(chance) => (1, -chance),
        Place::Outside(chance) => (2, -chance),
    }
}

fn place(point: &SketchPoint, learned_from: usize, values: &[f64], looks: f64) -> Place {
    let (mean, deviation) = (point.mean.unwrap_or(f64::NAN), point.deviation.unwrap_or(f64::NAN));
    if values.iter().all(|value| value.to_bits() == mean.to_bits()) {
        return Place::Inside;
    }
    if !mean.is_finite() || !deviation.is_finite() {
        return if values.iter().all(|value| value.is_nan()) { Place::Inside } else { Place::Between(FAILS) };
    }
    if values.iter().any(|value| !value.is_finite()) {
        return Place::Outside(0.0);
    }
    if deviation == 0.0 {
        // The accepted runs never varied here. New runs that all have one other value moved; one odd run may be rare luck.
        let alike = values.len() > 1 && values.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits());
        return if alike { Place::Outside(0.0) } else { Place::Between(1.0 / (learned_from as f64 + 1.0)) };
    }
    let scale = deviation * (1.0 + 1.0 / learned_from as f64).sqrt();
    let farthest = values.iter().map(|value| (value - mean).abs() / scale).fold(0.0, f64::max);
    let chance = tail(farthest, learned_from.saturating_sub(1).max(1)) * looks;
    if chance >= PASSES {
        Place::Inside
    } else if chance >= FAILS {
        Place::Between(chance)
    } else {
        Place::Outside(chance)
    }
}

/// Chance that Student's t with `degrees` of freedom is farther from zero than `t`: the finite sums for whole degrees
/// (Abramowitz and Stegun, 26.7.3 and 26.7.4).
fn tail(t: f64, degrees: usize) -> f64 {
    let angle = (t / (degrees as f64).sqrt()).atan();
    let (sin, cos) = angle.sin_cos();
    let odd = degrees % 2 == 1;
    let (mut term, mut sum) = if odd { (cos, if degrees == 1 { 0.0 } else { cos }) } else { (1.0, 1.0) };
    let first = if odd { 3 } else { 2 };
    for k in (first..=degrees.saturating_sub(2)).step_by(2) {
        term *= cos * cos * (k - 1) as f64 / k as f64;
        sum += term;
    }
    let inside = if odd { (angle + sin * sum) * std::f64::consts::FRAC_2_PI } else { sin * sum };
    (1.0 - inside).max(0.0)
}

/// Whether a loss that is twice the accepted one at some point would not pass: a band so wide that it would, cannot fail.
pub fn can_fail(accepted: &Accepted, runs: &[&Series], seed: u64) -> Result<String, String> {
    let learned: Vec<&SketchPoint> = accepted.series.sketch.iter().filter(|point| point.mean.is_some()).collect();
    let Some(chosen) = learned.get((seed as usize) % learned.len().max(1)) else {
        return Err("no band was learned".to_owned());
    };
    let mut copies: Vec<Series> = runs.iter().map(|run| (*run).clone()).collect();
    let point = copies.last_mut().and_then(|series| series.points.get_mut(chosen.index));
    let Some(point) = point else { return Err(format!("no run has point {} of the band", chosen.index)) };
    point.value = if point.value == 0.0 { 1.0 } else { point.value * 2.0 };
    let what = format!("{} at point {} of a copy of a run was doubled", accepted.series.metric, chosen.index);
    match judge(accepted, &copies.iter().collect::<Vec<_>>()) {
        Some(finding) if finding.verdict != Verdict::Agreed => Ok(what),
        _ => Err(format!("{what}, and it still lies inside the band of {} runs", accepted.runs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::baseline::AcceptedOutcome;
    use crate::gate::sketch;
    use crate::model::{Point, Role};

    fn series(values: &[f64]) -> Series {
        let mut series = Series::new("loss", Role::TrainingLoss);
        series.points = values.iter().zip(0..).map(|(v, step)| Point::printed(step, &v.to_string(), 1)).collect();
        series
    }

    fn accepted(runs: &[Series]) -> Accepted {
        let all: Vec<&Series> = runs.iter().collect();
        let mut record = sketch::record(&runs[0], true);
        learn(&mut record, &all);
        Accepted {
            id: "reference".to_owned(),
            settings: Default::default(),
            runs: runs.len(),
            outcome: AcceptedOutcome::Parts,
            parts: None,
            points: 5,
            series: record,
            others: Vec::new(),
        }
    }

    fn verdict(accepted: &Accepted, runs: &[Series]) -> Verdict {
        judge(accepted, &runs.iter().collect::<Vec<_>>()).map_or(Verdict::Agreed, |finding| finding.verdict)
    }

    #[test]
    fn knows_the_tails_of_students_t() {
        // Two-sided 5 % and 0.1 % points of the usual table.
        for (degrees, t, chance) in [
            (1, 12.706, 0.05),
            (2, 4.303, 0.05),
            (4, 2.776, 0.05),
            (9, 4.781, 0.001),
            (10, 4.587, 0.001),
            (30, 2.042, 0.05),
        ] {
            let found = tail(t, degrees);
            assert!((found / chance - 1.0).abs() < 0.01, "{degrees}: {found}");
        }
    }

    #[test]
    fn passes_inside_fails_far_outside_and_leaves_the_rest_open() {
        let base: Vec<Series> = [1.00, 1.01, 0.99, 1.02, 0.98].map(|x| series(&[2.0, x])).to_vec();
        let accepted = accepted(&base);
        assert_eq!(verdict(&accepted, &[series(&[2.0, 1.03])]), Verdict::Agreed);
        assert_eq!(verdict(&accepted, &[series(&[2.0, 1.12])]), Verdict::Unresolved);
        assert_eq!(verdict(&accepted, &[series(&[2.0, 1.9])]), Verdict::Diverged);
        assert_eq!(verdict(&accepted, &[series(&[2.0, f64::NAN])]), Verdict::Diverged);
        assert_eq!(verdict(&accepted, &[series(&[2.0])]), Verdict::Unresolved);
    }

    #[test]
    fn where_nothing_varied_one_odd_run_is_inconclusive_and_all_alike_have_moved() {
        let accepted = accepted(&vec![series(&[0.1]); 5]);
        assert_eq!(verdict(&accepted, &[series(&[0.1]), series(&[0.1])]), Verdict::Agreed);
        assert_eq!(verdict(&accepted, &[series(&[0.1]), series(&[0.2])]), Verdict::Unresolved);
        assert_eq!(verdict(&accepted, &[series(&[0.2]), series(&[0.2])]), Verdict::Diverged);
    }

    #[test]
    fn a_band_that_lets_everything_pass_cannot_fail() {
        let base: Vec<Series> = [1.0, 5.0, 9.0, 2.0, 3.0].map(|x| series(&[x])).to_vec();
        let wide = accepted(&base);
        assert!(can_fail(&wide, &[&base[0]], 7).is_err());
        let base: Vec<Series> = [1.0, 1.001, 0.999, 1.0005, 0.9995].map(|x| series(&[x])).to_vec();
        assert!(can_fail(&accepted(&base), &[&base[0]], 7).is_ok());
    }
}
