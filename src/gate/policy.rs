//! What makes a gate fail.

use serde::{Deserialize, Serialize};

/// What makes a gate fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Runs of one treatment that part.
    #[default]
    Repeatable,
    /// Also a varied setting that changes the result.
    Invariant,
    /// Also values other than the accepted ones, in the same environment.
    Golden,
    /// Values outside the band that the accepted runs span; for jobs that cannot be exact.
    Envelope,
    /// Runs that part earlier than was accepted; for jobs that are known to part.
    Known,
}

impl Policy {
    /// Its name, as typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Repeatable => "repeatable",
            Self::Invariant => "invariant",
            Self::Golden => "golden",
            Self::Envelope => "envelope",
            Self::Known => "known",
        }
    }

    /// Whether runs of a treatment may part at all.
    pub fn lets_runs_part(self) -> bool {
        matches!(self, Self::Envelope | Self::Known)
    }
}
