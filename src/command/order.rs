//! What is asked of a treatment, and what comes of it.

use crate::compare::Group;
use crate::model::{Outcome, SettingId, Treatment};
use crate::probe::{Checkpoint, Detail, Kill};

use super::watch::StopRule;

/// What is asked of one treatment.
pub struct Order<'o> {
    /// The treatment.
    pub treatment: &'o Treatment,
    /// How often.
    pub repeats: u32,
    /// When a run has shown enough.
    pub stop: StopRule,
    /// What the shim records; `None` where it is to enter only if a level needs it.
    pub recording: Option<Recording>,
}

/// What the shim records in a run.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// How much of each step.
    pub detail: Detail,
    /// Sources of variation whose lines in the user's code are wanted.
    pub trace: Vec<String>,
    /// The step whose operations are wanted one by one.
    pub drill: Option<u64>,
    /// What is kept at a checkpoint, and what is given back after one.
    pub checkpoint: Option<Checkpoint>,
    /// When the process is ended.
    pub kill: Option<Kill>,
    /// Seeds are given otherwise than asked for, and the run has shown enough once it parts from this one.
    pub disturbed_from: Option<String>,
}

impl Recording {
    /// Nothing: the shim enters for the sake of its levels alone.
    pub fn none() -> Self {
        Self { detail: Detail::Off, ..Self::default() }
    }

    /// What costs least: generators, batch, loss and learning rates of each step.
    pub fn light() -> Self {
        Self { detail: Detail::Light, ..Self::default() }
    }
}

/// What came of the repeats of one treatment.
pub struct Batch {
    /// Ids of the runs.
    pub runs: Vec<String>,
    /// What their comparison gave.
    pub group: Group,
    /// Settings that did not take effect, each with the reason.
    pub not_applied: Vec<(SettingId, String)>,
}

impl Batch {
    /// Of a treatment that was not carried out, because this level means nothing here.
    pub fn skipped(id: SettingId, why: &str) -> Self {
        Self::not_applied(Vec::new(), vec![(id, why.to_owned())])
    }

    /// Of a treatment whose levels did not take effect, each with the reason; the runs made for it prove nothing.
    pub fn not_applied(runs: Vec<String>, not_applied: Vec<(SettingId, String)>) -> Self {
        let mut reasons: Vec<&str> = not_applied.iter().map(|(_, reason)| reason.as_str()).collect();
        reasons.dedup();
        let group = Group {
            outcome: Outcome::Unresolved(reasons.join("; ")),
            others: Vec::new(),
            points: 0,
            apart: Vec::new(),
            classes: Vec::new(),
        };
        Self { runs, group, not_applied }
    }
}
