//! Floating-point formats of 16 bits and fewer: their values, and rounding to them.

use crate::model::Dtype;

/// How a format says infinity and NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    /// As IEEE 754: the highest exponent.
    Ieee,
    /// No infinity; NaN is all ones.
    AllOnes,
    /// No infinity, no negative zero; NaN is what would be negative zero.
    NegativeZero,
}

/// A format: bits of exponent and mantissa, and the bias of the exponent.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    exponent: u32,
    mantissa: u32,
    bias: i32,
    special: Special,
}

/// The format of a type of 16 bits or fewer.
pub fn format(dtype: Dtype) -> Option<Format> {
    let (exponent, mantissa, bias, special) = match dtype {
        Dtype::F16 => (5, 10, 15, Special::Ieee),
        Dtype::Bf16 => (8, 7, 127, Special::Ieee),
        Dtype::F8E5m2 => (5, 2, 15, Special::Ieee),
        Dtype::F8E4m3fn => (4, 3, 7, Special::AllOnes),
        Dtype::F8E5m2fnuz => (5, 2, 16, Special::NegativeZero),
        Dtype::F8E4m3fnuz => (4, 3, 8, Special::NegativeZero),
        _ => return None,
    };
    Some(Format { exponent, mantissa, bias, special })
}

impl Format {
    /// The value of these bits.
    pub fn value(self, bits: u16) -> f64 {
        let sign_bit = 1 << (self.exponent + self.mantissa);
        let sign = if bits & sign_bit == 0 { 1.0 } else { -1.0 };
        let magnitude = bits & (sign_bit - 1);
        let highest = (1 << self.exponent) - 1;
        let (exponent, mantissa) = (magnitude >> self.mantissa, magnitude & ((1 << self.mantissa) - 1));
        match self.special {
            Special::Ieee if exponent == highest => {
                return if mantissa == 0 { sign * f64::INFINITY } else { f64::NAN };
            }
            Special::AllOnes if magnitude == sign_bit - 1 => return f64::NAN,
            Special::NegativeZero if bits == sign_bit => return f64::NAN,
            _ => {}
        }
        let unit = |power: i32| 2_f64.powi(power);
        let step = -(self.mantissa as i32);
        let size = if exponent == 0 {
            f64::from(mantissa) * unit(1 - self.bias + step)
        } else {
            f64::from(mantissa + (1 << self.mantissa)) * unit(i32::from(exponent) - self.bias + step)
        };
        sign * size
    }

    /// The largest finite value.
    fn largest(self) -> f64 {
        let all = (1_u16 << (self.exponent + self.mantissa)) - 1;
        match self.special {
            Special::Ieee => self.value(all - (1 << self.mantissa)),
            Special::AllOnes => self.value(all - 1),
            Special::NegativeZero => self.value(all),
        }
    }

    /// The nearest value of the format, ties to even; beyond the largest one infinity, or NaN where there is none.
    pub fn round(self, value: f64) -> f64 {
        if !value.is_finite() || value == 0.0 {
            return value;
        }
        let lowest = 1 - self.bias;
        // A power of two at most the value; its bits say it exactly (subnormal ones of binary64 are far below).
        let power = ((value.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(lowest);
        let step = 2_f64.powi(power - self.mantissa as i32);
        let rounded = (value / step).round_ties_even() * step;
        match (rounded.abs() > self.largest(), self.special) {
            (false, _) => rounded,
            (true, Special::Ieee) => f64::INFINITY.copysign(value),
            (true, _) => f64::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dtype: Dtype) -> Format {
        format(dtype).expect("a small format")
    }

    #[test]
    fn known_values() {
        assert_eq!(of(Dtype::F16).value(0x3c00), 1.0);
        assert_eq!(of(Dtype::F16).value(0x0001), 2_f64.powi(-24));
        assert_eq!(of(Dtype::F16).value(0xfc00), f64::NEG_INFINITY);
        assert_eq!(of(Dtype::Bf16).value(0x3f80), 1.0);
        assert_eq!(of(Dtype::F8E4m3fn).value(0x7e), 448.0);
        assert!(of(Dtype::F8E4m3fn).value(0x7f).is_nan());
        assert_eq!(of(Dtype::F8E5m2).value(0x7b), 57344.0);
        assert_eq!(of(Dtype::F8E4m3fnuz).value(0x7f), 240.0);
        assert!(of(Dtype::F8E5m2fnuz).value(0x80).is_nan());
    }

    #[test]
    fn every_value_rounds_to_itself_and_those_between_to_even() {
        for dtype in [Dtype::F16, Dtype::Bf16, Dtype::F8E4m3fn, Dtype::F8E5m2, Dtype::F8E4m3fnuz, Dtype::F8E5m2fnuz] {
            let format = of(dtype);
            let largest = if dtype.size() == 1 { 0xff } else { 0xffff };
            for bits in 0..=largest {
                let value = format.value(bits);
                assert!(value.is_nan() || format.round(value) == value, "{dtype:?} {bits:#x}");
            }
        }
        assert_eq!(of(Dtype::Bf16).round(1.0 + 2_f64.powi(-8)), 1.0);
        assert_eq!(of(Dtype::Bf16).round(1.0 + 3.0 * 2_f64.powi(-8)), 1.0 + 2_f64.powi(-6));
        assert_eq!(of(Dtype::F16).round(65520.0), f64::INFINITY);
        assert_eq!(of(Dtype::F16).round(65519.0), 65504.0);
    }
}
