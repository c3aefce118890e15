//! The floating-point format that values came from.

/// The floating-point format that a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// IEEE 754 binary32, what a loss usually is.
    Single,
    /// IEEE 754 binary64.
    Double,
}

impl Precision {
    /// The precision that values came from, each with the text it was read from: single, unless their digits say more than
    /// single precision can hold.
    ///
    /// Nine significant digits identify every binary32 value (IEEE 754-2019, §5.12.2); longer text that no binary32 value
    /// rounds to can only have come from a binary64 one.
    pub fn of<'t>(values: impl IntoIterator<Item = (&'t str, f64)>) -> Self {
        let wide = |(text, value): (&str, f64)| significant_digits(text) > 9 && !rounded_single(text, value);
        if values.into_iter().any(wide) { Self::Double } else { Self::Single }
    }

    /// Its usual short name: `f32` or `f64`.
    pub fn short(self) -> &'static str {
        match self {
            Self::Single => "f32",
            Self::Double => "f64",
        }
    }
}

fn significant_digits(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count()
}

/// Whether a binary32 value, written with as many decimals as the text has, gives that text.
fn rounded_single(text: &str, value: f64) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let decimals = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let last = i32::try_from(decimals).ok().zip(exponent.parse::<i32>().ok());
    let half = last.map_or(0.0, |(decimals, exponent)| 0.5 * 10_f64.powi(exponent.saturating_sub(decimals)));
    // Both are given as binary64, which is coarser than the text where that has very many digits.
    (f64::from(value as f32) - value).abs() <= half.max(value.abs() * f64::EPSILON)
}
