//! The answer of a whole audit.

/// The answer of a whole audit; what the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Something was compared, and it agrees.
    Agreed,
    /// It does not repeat, or determinism regressed.
    Diverged,
    /// Nothing could be said: nothing to compare, a crash, a setting that did not take effect.
    Unresolved,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Agreed, Self::Diverged, Self::Unresolved];

    /// The word used in every report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Agreed => "agreed",
            Self::Diverged => "diverged",
            Self::Unresolved => "unresolved",
        }
    }
}
