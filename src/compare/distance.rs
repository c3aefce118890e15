//! How far apart two values are, and whether that counts as equal.

use crate::model::{Point, Precision, Source, Tolerance};

/// The precision that two points came from.
pub fn precision(a: &Point, b: &Point) -> Precision {
    Precision::of([a, b].map(|point| (point.text.as_str(), point.value)))
}

/// Representable values between `a` and `b` in `precision`, monotone across zero; `None` where one is NaN.
///
/// The bits of a float of one sign are ordered as integers (Goldberg 1991; Dawson, "Comparing floating point numbers");
/// mirroring the negative half makes one line of both.
pub fn ulps(a: f64, b: f64, precision: Precision) -> Option<u64> {
    if a.is_nan() || b.is_nan() {
        return None;
    }
    Some(match precision {
        Precision::Single => u64::from(line32(a as f32).abs_diff(line32(b as f32))),
        Precision::Double => line64(a).abs_diff(line64(b)),
    })
}

fn line32(value: f32) -> i32 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { i32::MIN.wrapping_sub(bits) } else { bits }
}

fn line64(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

/// Whether two points count as equal under `tolerance`. NaN equals NaN and nothing else.
///
/// Exactly equal means the same number with the same sign; exact bits that were written as text are equal if the text is.
pub fn equal(a: &Point, b: &Point, tolerance: Tolerance, source: Source) -> bool {
    let (x, y) = (a.value, b.value);
    if x.is_nan() || y.is_nan() {
        // Two payloads of an exact source are different bits; in print both are just "nan".
        return x.is_nan() && y.is_nan() && (source == Source::Printed || x.to_bits() == y.to_bits());
    }
    if x.to_bits() == y.to_bits() {
        return true;
    }
    match tolerance {
        Tolerance::Exact => false,
        Tolerance::Ulps(most) => ulps(x, y, precision(a, b)).is_some_and(|distance| distance <= most),
        Tolerance::Relative(most) => relative(x, y).is_some_and(|distance| distance <= most),
        Tolerance::Absolute(most) => absolute(x, y).is_some_and(|distance| distance <= most),
    }
}

/// Distance of two finite values.
pub fn absolute(a: f64, b: f64) -> Option<f64> {
    let distance = (a - b).abs();
    distance.is_finite().then_some(distance)
}

/// Distance of two finite values relative to the larger magnitude; 0 where both are zero.
pub fn relative(a: f64, b: f64) -> Option<f64> {
    let larger = a.abs().max(b.abs());
    let distance = absolute(a, b)?;
    Some(if larger == 0.0 { 0.0 } else { distance / larger })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(text: &str) -> Point {
        Point::printed(0, text, 1)
    }

    fn same(a: &str, b: &str, tolerance: Tolerance) -> bool {
        equal(&point(a), &point(b), tolerance, Source::Printed)
    }

    #[test]
    fn nan_equals_nan_and_nothing_else() {
        assert!(same("nan", "nan", Tolerance::Exact));
        assert!(!same("nan", "1.0", Tolerance::Absolute(1e9)));
    }

    #[test]
    fn exactly_equal_is_about_the_value_and_the_sign_of_zero() {
        assert!(same("2.30", "2.3", Tolerance::Exact));
        assert!(!same("0.0", "-0.0", Tolerance::Exact));
        assert!(same("0.0", "-0.0", Tolerance::Ulps(0)));
    }

    #[test]
    fn counts_ulps_across_zero() {
        let tiny = f64::from(f32::from_bits(1));
        assert_eq!(ulps(tiny, -tiny, Precision::Single), Some(2));
        assert_eq!(ulps(1.0, f64::from(1.0_f32.next_up()), Precision::Single), Some(1));
        assert_eq!(ulps(1.0, 1.0_f64.next_up(), Precision::Double), Some(1));
        assert_eq!(ulps(f64::INFINITY, f64::NEG_INFINITY, Precision::Single), Some(2 * 0x7f80_0000));
    }

    #[test]
    fn takes_long_digits_for_double_precision_only_where_single_cannot_hold_them() {
        assert_eq!(precision(&point("2.304123"), &point("2.300169")), Precision::Single);
        assert_eq!(precision(&point("1.3842557668685913"), &point("1.3842557668685913")), Precision::Single);
        assert_eq!(precision(&point("0.12345678901234567"), &point("1")), Precision::Double);
        // A binary32 value with nine decimals has ten digits, and is no binary32 value any more.
        assert_eq!(precision(&point("3.357335329"), &point("3.366038084")), Precision::Single);
        assert_eq!(precision(&point("3.357335329e-3"), &point("3.357335400")), Precision::Double);
    }

    proptest! {
        #[test]
        fn ulp_distance_is_a_metric(a in any::<f32>(), b in any::<f32>(), c in any::<f32>()) {
            prop_assume!(!a.is_nan() && !b.is_nan() && !c.is_nan());
            let d = |x: f32, y: f32| ulps(f64::from(x), f64::from(y), Precision::Single).unwrap();
            prop_assert_eq!(d(a, b), d(b, a));
            prop_assert_eq!(d(a, b) == 0, a == b);
            prop_assert!(d(a, c) <= d(a, b) + d(b, c));
        }

        #[test]
        fn the_next_float_is_one_ulp_away(a in any::<f64>()) {
            prop_assume!(a.is_finite());
            prop_assert_eq!(ulps(a, a.next_up(), Precision::Double), Some(u64::from(a.next_up() != a)));
        }
    }
}
