//! One statement of the gate, and what it means for the verdict.

use crate::model::Verdict;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It repeated when it was accepted and parts now, or parts earlier.
    DeterminismRegressed,
    /// It repeats, with other numbers than accepted.
    ValuesMoved,
    /// Facts of the environment are not what they were.
    EnvironmentMoved,
    /// Something was not tested, or less than was accepted.
    NothingTested,
    /// It parted when it was accepted and repeats now, or parts later.
    Improved,
    /// It parts, and is to be accepted under a policy that accepts no such job.
    NotRepeatable,
    /// Neither inside the accepted band nor clearly outside.
    Inconclusive,
}

impl Kind {
    /// The words with which every message of this kind begins.
    pub fn words(self) -> &'static str {
        match self {
            Self::DeterminismRegressed => "determinism regressed",
            Self::ValuesMoved => "values moved",
            Self::EnvironmentMoved => "environment moved",
            Self::NothingTested => "nothing tested",
            Self::Improved => "improved",
            Self::NotRepeatable => "not repeatable",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One statement of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// What it alone would make of the verdict.
    pub verdict: Verdict,
    /// The rest of the sentence.
    pub what: String,
}

impl Finding {
    /// A finding.
    pub fn new(kind: Kind, verdict: Verdict, what: impl Into<String>) -> Self {
        Self { kind, verdict, what: what.into() }
    }

    /// The whole sentence.
    pub fn sentence(&self) -> String {
        format!("{}: {}", self.kind.words(), self.what)
    }
}

/// The worst finding decides: a regression stays one however much else was not tested.
pub fn verdict(findings: &[Finding]) -> Verdict {
    let any = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    if any(Verdict::Diverged) {
        Verdict::Diverged
    } else if any(Verdict::Unresolved) {
        Verdict::Unresolved
    } else {
        Verdict::Agreed
    }
}
