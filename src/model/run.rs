//! What happened when a trial was executed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Level, SettingId};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It ended by itself with exit code 0.
    Finished,
    /// We stopped it, because what it could show had been seen.
    Stopped,
    /// It ended with another exit code or by a signal that we did not send.
    Crashed,
    /// It outlived its time limit and was ended.
    TimedOut,
    /// What became of it is not known: the node was lost, the audit was interrupted.
    Lost,
    /// It was never started.
    Skipped,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Finished, Self::Stopped, Self::Crashed, Self::TimedOut, Self::Lost, Self::Skipped];

    /// The word used in every report and record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
            Self::TimedOut => "timed-out",
            Self::Lost => "lost",
            Self::Skipped => "skipped",
        }
    }
}

/// One attempt at a trial, where a scheduler may start it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What it is known by: `12.0` is job 12 of a scheduler, never restarted. Empty where it has no id.
    pub id: String,
    /// Where it ran.
    pub node: String,
    /// How it ended: `finished`, `interrupted`, `fenced`, `lost`, …
    pub state: String,
    /// Why, where that is known.
    pub reason: String,
}

/// What happened when a trial was executed.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// `r1`, `r2`, …
    pub id: String,
    /// Id of its treatment.
    pub treatment: String,
    /// Which repeat of the treatment, counted from 1.
    pub replicate: u32,
    /// The levels asked for.
    pub settings: BTreeMap<SettingId, Level>,
    /// The levels that were seen to be in effect.
    pub read_back: BTreeMap<SettingId, Level>,
    /// How it ended.
    pub status: Status,
    /// The exit code, where it ended with one.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Points of the primary metric.
    pub points: usize,
    /// From start to end.
    pub duration: Duration,
    /// Host it ran on.
    pub node: String,
    /// Attempts at it, oldest first, where there was more than one or a scheduler made them.
    pub attempts: Vec<Attempt>,
    /// Its standard output, relative to the audit's folder.
    pub log: PathBuf,
    /// The last lines of its standard error, for a run that crashed; untrusted text.
    pub last_words: Vec<String>,
}

impl Run {
    /// Whether it came to its own end and showed no result.
    pub fn is_silent(&self) -> bool {
        self.status == Status::Finished && self.points == 0
    }
}
