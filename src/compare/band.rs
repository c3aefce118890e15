//! Two series from jobs whose arithmetic differs (another device, another number of threads): is their distance what
//! rounding explains?
//!
//! Sums taken in another order differ by some ULPs at first, and training then carries the difference on: from step to
//! step it grows by a factor, in either direction, until the two runs have nothing more to do with each other. A mistake
//! (another input, another rule, a lower precision) shows as a distance that is too large from the start, or that grows
//! faster than training carries anything. So the band follows what was seen: at each step it allows the widest distance
//! so far, widened by a factor for the step itself and by another for every step of training in between.

use crate::model::{Point, Position};

/// What counts as explained. All distances are relative to the larger magnitude of the two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// The relative size of one ULP.
    pub ulp: f64,
    /// ULPs that are explained without anything having been carried on: a loss is a sum over many rounded numbers.
    pub start: f64,
    /// The factor by which one comparison may exceed the widest distance before it.
    pub leap: f64,
    /// The factor by which training may carry a distance on in one step.
    pub growth: f64,
    /// From this distance on the runs have parted so far that rounding may explain anything.
    pub lost: f64,
}

impl Band {
    /// For numbers in single precision.
    pub const SINGLE: Self = Self { ulp: 1.0 / 8_388_608.0, start: 256.0, leap: 10.0, growth: 1.5, lost: 0.05 };
}

/// A distance, and where it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apart {
    /// Where.
    pub position: Position,
    /// Its number among the points compared, from 0.
    pub index: usize,
    /// Relative to the larger magnitude, what the printed digits cannot show left out.
    pub relative: f64,
    /// The same in ULPs.
    pub ulps: f64,
}

/// Whether rounding explains how far two series are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Explained {
    /// There is no point that both have.
    NothingCompared,
    /// It does, at every point.
    Within {
        /// Points compared.
        compared: usize,
        /// The widest distance; `None` where no two values differ.
        widest: Option<Apart>,
    },
    /// It does up to here, where the runs have nothing more to do with each other: what follows says nothing.
    Lost {
        /// The first distance that says nothing.
        from: Apart,
    },
    /// It does not.
    Leaves {
        /// The first distance that rounding does not explain.
        at: Apart,
        /// What it would have explained there.
        allowed: f64,
    },
}

/// Whether rounding explains how far `right` is from `left`, point by point.
pub fn explained(left: &[Point], right: &[Point], band: &Band) -> Explained {
    let mut widest: Option<Apart> = None;
    let mut last: Option<Position> = None;
    let mut compared = 0;
    let printed = [Printed::of(left), Printed::of(right)];
    for (a, b) in pairs(left, right) {
        let steps = last.map_or(0.0, |last| between(&last, &a.position));
        let relative = distance(a.value, b.value, &printed);
        let at = Apart { position: a.position, index: compared, relative, ulps: relative / band.ulp };
        let seen = widest.map_or(0.0, |widest| widest.relative).max(band.start * band.ulp);
        let first = last.is_none();
        let allowed = if first { seen } else { seen * band.leap * band.growth.powf(steps) };
        if relative > allowed.min(band.lost) {
            // Where even the band says nothing more, a wide distance is no mistake.
            return if allowed >= band.lost { Explained::Lost { from: at } } else { Explained::Leaves { at, allowed } };
        }
        if relative > widest.map_or(0.0, |widest| widest.relative) {
            widest = Some(at);
        }
        last = Some(a.position);
        compared += 1;
    }
    if compared == 0 { Explained::NothingCompared } else { Explained::Within { compared, widest } }
}

/// Points of the same place; by their order where the logs show no steps.
fn pairs<'p>(left: &'p [Point], right: &'p [Point]) -> Vec<(&'p Point, &'p Point)> {
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
        match a.position.order(&b.position) {
            Some(std::cmp::Ordering::Less) => i += 1,
            Some(std::cmp::Ordering::Greater) => j += 1,
            Some(std::cmp::Ordering::Equal) | None => {
                found.push((a, b));
                i += 1;
                j += 1;
            }
        }
    }
    found
}

/// Steps of training between two points; 1 where the log does not tell.
fn between(earlier: &Position, later: &Position) -> f64 {
    let steps = earlier.step.zip(later.step).map(|(a, b)| b.saturating_sub(a)).filter(|steps| *steps > 0);
    steps.unwrap_or(1) as f64
}

/// How finely a series was printed: at least with so many decimals, and with so many significant digits.
struct Printed {
    decimals: i32,
    digits: i32,
}

impl Printed {
    fn of(points: &[Point]) -> Self {
        let shown = |point: &Point| {
            let text = point.text.as_str();
            let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
            let digits = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
            let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let short = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
            (short(decimals).saturating_sub(exponent.parse().unwrap_or(0)), short(digits))
        };
        let all = points.iter().map(shown);
        let (decimals, digits) = all.fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1)));
        Self { decimals, digits }
    }

    /// One unit of the last digit that is shown of a value: two values may be that much closer than they look.
    fn unit(&self, value: f64) -> f64 {
        let leading = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
        10f64.powi(self.decimals.saturating_neg().max(leading.saturating_sub(self.digits).saturating_add(1)))
    }
}

/// The relative distance of two values, less what printing hides; infinite where only one of them is a number.
fn distance(a: f64, b: f64, printed: &[Printed; 2]) -> f64 {
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    let (apart, larger) = ((a - b).abs(), a.abs().max(b.abs()));
    if !apart.is_finite() {
        return f64::INFINITY;
    }
    let hidden = printed.iter().map(|printed| printed.unit(larger)).fold(0.0, f64::max);
    // Decimal fractions are not exact: a billionth of the last digit is none.
    (apart - hidden * (1.0 + 1e-9)).max(0.0) / larger
}

/// Relative distances that TF32 or half precision would explain where single precision does not.
const LOWER_PRECISION: f64 = 4.0 / 1024.0;

/// What was found, as one sentence for the reader.
pub fn sentence(found: &Explained) -> String {
    let size =
        |apart: &Apart| format!("{:.1e} of the value ({:.0} ULPs of single precision)", apart.relative, apart.ulps);
    match found {
        Explained::NothingCompared => "no value of both was compared".to_owned(),
        Explained::Within { widest: None, compared } => {
            format!("no difference above the printed digits in {compared} points")
        }
        Explained::Within { widest: Some(widest), compared } => format!(
            "within what rounding explains: in {compared} points they are at most {} apart, {}",
            size(widest),
            place(widest)
        ),
        Explained::Lost { from } => format!(
            "within what rounding explains as far as that can be told: {} the runs are {} apart and have nothing more to do \
             with each other",
            place(from),
            size(from)
        ),
        Explained::Leaves { at, allowed } => {
            let lower = at.index == 0 && at.relative <= LOWER_PRECISION;
            let hint = if lower {
                "; TF32 or half precision would explain it, so compare again with cuda.tf32=off"
            } else {
                ""
            };
            format!(
                "more than rounding explains: {} they are {} apart, where {allowed:.1e} would be explained{hint}",
                place(at),
                size(at)
            )
        }
    }
}

/// "at step 12".
fn place(apart: &Apart) -> String {
    match (apart.position.step, apart.position.epoch) {
        (Some(step), _) => format!("at step {step}"),
        (None, Some(epoch)) => format!("at epoch {epoch}"),
        (None, None) => format!("at point {}", apart.index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(values: &[f64]) -> Vec<Point> {
        values.iter().zip(0..).map(|(value, step)| Point::printed(step, &format!("{value:?}"), 1)).collect()
    }

    /// A falling loss.
    fn losses(count: usize) -> Vec<f64> {
        (0..count).map(|step| 2.3 / (1.0 + step as f64 / 10.0)).collect()
    }

    fn off_by(distances: &[f64]) -> Explained {
        let left = losses(distances.len());
        let right: Vec<f64> = left.iter().zip(distances).map(|(value, apart)| value * (1.0 - apart)).collect();
        explained(&points(&left), &points(&right), &Band::SINGLE)
    }

    #[test]
    fn rounding_that_training_carries_on_is_explained() {
        let growing: Vec<f64> = (0..30).map(|step| 1e-7 * 1.3f64.powi(step)).collect();
        let Explained::Within { compared, widest: Some(widest) } = off_by(&growing) else { panic!("it is explained") };
        assert_eq!((compared, widest.index), (30, 29));
    }

    #[test]
    fn a_wide_distance_from_the_first_step_on_is_not() {
        let Explained::Leaves { at, .. } = off_by(&[0.01, 0.01, 0.01]) else { panic!("it is not explained") };
        assert_eq!(at.index, 0);
    }

    #[test]
    fn a_distance_of_tf32_at_the_first_step_is_told_as_such() {
        assert!(sentence(&off_by(&[1e-3, 1e-3])).contains("cuda.tf32"));
        assert!(!sentence(&off_by(&[1e-1, 1e-1])).contains("cuda.tf32"));
    }

    #[test]
    fn runs_that_have_parted_for_good_are_no_mistake() {
        let chaos: Vec<f64> = (0..60).map(|step| (1e-7 * 1.4f64.powi(step)).min(0.3)).collect();
        let Explained::Lost { from } = off_by(&chaos) else { panic!("{:?}", off_by(&chaos)) };
        assert!(from.relative > Band::SINGLE.lost);
    }

    #[test]
    fn nan_on_one_side_alone_is_a_mistake() {
        let (left, right) = (points(&[1.0, 0.9]), points(&[1.0, f64::NAN]));
        assert!(matches!(explained(&left, &right, &Band::SINGLE), Explained::Leaves { at, .. } if at.index == 1));
        assert!(matches!(explained(&right, &right, &Band::SINGLE), Explained::Within { widest: None, .. }));
    }

    #[test]
    fn the_last_printed_digit_is_no_difference() {
        let one = [Point::printed(0, "2.30", 1)];
        let other = [Point::printed(0, "2.31", 1)];
        assert!(matches!(explained(&one, &other, &Band::SINGLE), Explained::Within { widest: None, .. }));
        assert!(matches!(explained(&one, &[], &Band::SINGLE), Explained::NothingCompared));
    }

    #[test]
    fn digits_that_a_print_drops_hide_nothing() {
        // `print(loss)` writes 2.3 for a value that has no more digits, among others with seventeen.
        let one = [Point::printed(0, "2.3", 1), Point::printed(1, "2.2999999523162842", 2)];
        let other = [Point::printed(0, "2.35", 1), Point::printed(1, "2.2999999523162842", 2)];
        assert!(matches!(explained(&one, &other, &Band::SINGLE), Explained::Leaves { at, .. } if at.index == 0));
        let short = [Point::printed(0, "2.30412", 1), Point::printed(1, "1.2e-05", 2)];
        let off = [Point::printed(0, "2.30413", 1), Point::printed(1, "1.2e-05", 2)];
        assert!(matches!(explained(&short, &off, &Band::SINGLE), Explained::Within { widest: None, .. }));
    }

    #[test]
    fn steps_that_only_one_log_shows_are_left_out() {
        let left = points(&losses(10));
        let right: Vec<Point> = left.iter().filter(|point| point.position.step != Some(3)).cloned().collect();
        let found = explained(&left, &right, &Band::SINGLE);
        assert!(matches!(found, Explained::Within { compared: 9, widest: None }), "{found:?}");
    }

    proptest! {
        /// Whatever the rate and the signs, carrying rounding on is never called a mistake, where no comparison shows less than a
        /// tenth of what is carried: values that cross may look equal for a moment, but not at one step after the other.
        #[test]
        fn no_growth_that_training_shows_is_called_a_mistake(
            rate in 1.0f64..1.45, start in 1e-8f64..1e-5,
            wobble in proptest::collection::vec((0.1f64..1.0, any::<bool>()), 2..120),
        ) {
            let sign = |up: &bool| if *up { 1.0 } else { -1.0 };
            let carried = |step| (start * rate.powi(step)).min(0.2);
            let distances: Vec<f64> =
                wobble.iter().zip(0..).map(|((part, up), step)| carried(step) * part * sign(up)).collect();
            let found = off_by(&distances);
            prop_assert!(!matches!(found, Explained::Leaves { .. }), "{found:?}");
        }

        /// A jump far above what was seen is found at its very step.
        #[test]
        fn a_jump_is_found_at_its_step(at in 0usize..40, size in 0.005f64..0.04) {
            let distances: Vec<f64> = (0..40).map(|step| if step >= at { size } else { 1e-7 }).collect();
            let found = off_by(&distances);
            prop_assert!(matches!(found, Explained::Leaves { at: found, .. } if found.index == at), "{found:?}");
        }

        #[test]
        fn is_symmetric(values in proptest::collection::vec((0.1f64..10.0, -1e-3f64..1e-3), 1..40)) {
            let left: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
            let right: Vec<f64> = values.iter().map(|(value, apart)| value * (1.0 + apart)).collect();
            let (left, right) = (points(&left), points(&right));
            let kind = |found: Explained| std::mem::discriminant(&found);
            prop_assert_eq!(
                kind(explained(&left, &right, &Band::SINGLE)),
                kind(explained(&right, &left, &Band::SINGLE))
            );
        }
    }
}
