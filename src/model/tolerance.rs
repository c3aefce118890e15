//! The rule for "equal".

use std::fmt;
use std::str::FromStr;

/// The rule by which two values count as equal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Tolerance {
    /// The same value, sign of zero included; NaN equals NaN.
    #[default]
    Exact,
    /// At most this many representable steps apart, in the precision the values came from.
    Ulps(u64),
    /// At most this far apart relative to the larger magnitude.
    Relative(f64),
    /// At most this far apart.
    Absolute(f64),
}

/// As it is typed: `exact`, `ulps=N`, `rel=X` or `abs=X`.
impl fmt::Display for Tolerance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |most: &f64| format!("{most:?}").trim_end_matches(".0").to_owned();
        match self {
            Self::Exact => write!(out, "exact"),
            Self::Ulps(most) => write!(out, "ulps={most}"),
            Self::Relative(most) => write!(out, "rel={}", short(most)),
            Self::Absolute(most) => write!(out, "abs={}", short(most)),
        }
    }
}

/// Reads what [`Display`](fmt::Display) writes.
impl FromStr for Tolerance {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |digits: &str| digits.parse::<f64>().ok().filter(|x| x.is_finite() && *x >= 0.0).ok_or(());
        match text.split_once('=') {
            None if text == "exact" => Ok(Self::Exact),
            Some(("ulps", digits)) => digits.parse().map(Self::Ulps).map_err(drop),
            Some(("rel", digits)) => number(digits).map(Self::Relative),
            Some(("abs", digits)) => number(digits).map(Self::Absolute),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_is_written() {
        for rule in [Tolerance::Exact, Tolerance::Ulps(4), Tolerance::Relative(1e-6), Tolerance::Absolute(0.1)] {
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
        assert_eq!(Tolerance::Absolute(10.0).to_string(), "abs=10");
        assert_eq!("rel=1e-6".parse(), Ok(Tolerance::Relative(1e-6)));
        for bad in ["", "ulps", "ulps=-1", "rel=nan", "abs=-1", "close"] {
            assert!(bad.parse::<Tolerance>().is_err(), "{bad}");
        }
    }
}
