//! The rule for "equal".

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
