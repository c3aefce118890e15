//! The settings that a search may hold, in the order in which it lets go of them.

use super::nominate::{Nomination, Strength};
use crate::model::{Level, Setting, SettingId};

/// A setting that a search may hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    /// Which.
    pub id: SettingId,
    /// The level that holds its source of variation still.
    pub hold: Level,
    /// Cause ids that holding it can cure.
    pub cures: Vec<String>,
    /// How strongly the record points to it; `None` where it does not.
    pub strength: Option<Strength>,
    /// What in the record points to it.
    pub why: Option<String>,
}

/// How bluntly a setting works: a blunt one also holds what a more specific one holds, and is let go of first so that the
/// specific one is named. The bluntest comes first.
const BLUNT: [&str; 5] = ["entropy", "threads", "cublas_workspace", "deterministic_algorithms", "cudnn.enabled"];

/// Among settings that are equally specific, those that are kept when another one cures the same: the last is kept
/// longest. Loader workers draw from torch's seed, so that is kept; a clock that feeds a seed is the cause of it.
const KEPT: [&str; 10] = [
    "uninitialised",
    "race",
    "order.filesystem",
    "seed.worker",
    "seed.python",
    "seed.numpy",
    "seed.torch",
    "hashseed",
    "clock",
    "dataloader.generator",
];

/// Settings that may change the result of a job that repeats: a run that differs without them may still repeat.
const ALTERING: [&str; 10] = [
    "threads",
    "deterministic_algorithms",
    "cublas_workspace",
    "cudnn.enabled",
    "cudnn.deterministic",
    "cuda.tf32",
    "sdpa.backend",
    "compile",
    "order.filesystem",
    "leftovers",
];

/// Whether letting go of the setting may give another result that repeats.
pub(super) fn is_altering(id: &SettingId) -> bool {
    ALTERING.contains(&id.as_str())
}

fn bluntness(id: &SettingId) -> usize {
    BLUNT.iter().position(|blunt| *blunt == id.as_str()).unwrap_or(BLUNT.len())
}

fn keeping(id: &SettingId) -> usize {
    KEPT.iter().position(|kept| *kept == id.as_str()).map_or(0, |at| at + 1)
}

/// The candidates among `settings`, first those to let go of first: the blunt, then those the record does not point to.
pub(super) fn candidates(settings: &[Setting], nominations: &[Nomination]) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = settings.iter().filter_map(|setting| candidate(setting, nominations)).collect();
    found.sort_by_key(|c| (bluntness(&c.id), c.strength, keeping(&c.id), c.id.clone()));
    found.dedup_by(|a, b| a.id == b.id);
    found
}

fn candidate(setting: &Setting, nominations: &[Nomination]) -> Option<Candidate> {
    let hold = setting.hold.clone()?;
    let strongest = nominations.iter().filter(|n| n.setting == setting.id.as_str()).max_by_key(|n| n.strength);
    Some(Candidate {
        id: setting.id.clone(),
        hold,
        cures: setting.cures.clone(),
        strength: strongest.map(|n| n.strength),
        why: strongest.map(|n| n.why.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::settings;
    use super::*;

    fn ids(nominations: &[Nomination]) -> Vec<String> {
        let settings = settings(&["seed.torch", "entropy", "race", "deterministic_algorithms", "threads"]);
        candidates(&settings, nominations).into_iter().map(|c| c.id.to_string()).collect()
    }

    #[test]
    fn blunt_settings_are_let_go_of_first() {
        assert_eq!(ids(&[]), ["entropy", "threads", "deterministic_algorithms", "race", "seed.torch"]);
    }

    #[test]
    fn what_the_record_points_to_is_kept_longest_among_equals() {
        let nomination = Nomination { setting: "race", strength: Strength::Fair, why: String::new() };
        assert_eq!(ids(&[nomination]), ["entropy", "threads", "deterministic_algorithms", "seed.torch", "race"]);
    }
}
