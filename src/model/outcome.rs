//! The outcome of one comparison.

use super::Divergence;

/// The outcome of one comparison, after delta debugging's pass, fail and unresolved.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Something was compared, and it agrees.
    Agreed,
    /// The first difference.
    Diverged(Divergence),
    /// Nothing could be said, and why.
    Unresolved(String),
}

impl Outcome {
    /// The divergence, where there is one.
    pub fn divergence(&self) -> Option<&Divergence> {
        match self {
            Self::Diverged(divergence) => Some(divergence),
            _ => None,
        }
    }
}
