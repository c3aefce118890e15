//! The smallest difference that a comparison could have shown.

/// Where the compared values came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Digits printed by the job: a difference below the last digit is invisible.
    Printed,
    /// Exact bits: a flight record, an event file, JSON with all digits.
    Exact,
}

impl Source {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Printed, Self::Exact];

    /// The word used in every report and record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::Exact => "exact",
        }
    }
}

/// The smallest difference that a comparison could have shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// Where the values came from.
    pub source: Source,
    /// Decimals of the printed values, where they were printed.
    pub decimals: Option<u32>,
    /// The same as one sentence: "6 decimals printed: a difference below 5e-7 cannot be seen".
    pub note: String,
}
