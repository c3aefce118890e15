//! One level for every setting.

use std::collections::BTreeMap;

use super::{Level, Outcome, SettingId};

/// One level for every setting that is not left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// `reference`, or what differs from it: `num_workers=4`.
    pub id: String,
    /// The levels, settings left `as-is` not listed.
    pub settings: BTreeMap<SettingId, Level>,
}

impl Treatment {
    /// The id of the treatment that all others are compared with.
    pub const REFERENCE: &'static str = "reference";
}

/// What the runs of one treatment showed.
#[derive(Clone, Debug, PartialEq)]
pub struct TreatmentResult {
    /// The treatment.
    pub treatment: Treatment,
    /// Whether its replicates agree with one another; `None` where it was skipped.
    pub outcome: Option<Outcome>,
    /// Why it was skipped or what was not applied, one line each.
    pub notes: Vec<String>,
    /// Ids of its runs.
    pub runs: Vec<String>,
}
