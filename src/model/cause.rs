//! Why runs part: the causes, and how far the evidence carries each.

use std::path::PathBuf;

use super::{Level, SettingId};

/// How far the evidence carries a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Holding the set makes the runs agree, and releasing any one member makes them part again.
    Proved,
    /// The record or the matrix points to it alone.
    Likely,
    /// Consistent with what was seen.
    Suspected,
}

impl Grade {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Proved, Self::Likely, Self::Suspected];

    /// The word used in every report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Likely => "likely",
            Self::Suspected => "suspected",
        }
    }
}

/// A line of the user's code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceLine {
    /// The file: relative where it lies in the folder in which the job was started, else as the process named it.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: u32,
}

/// What a pin costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// Median step time with the pin over that of the reference.
    pub step_time_ratio: f64,
    /// Lowest and highest ratio over the runs.
    pub spread: (f64, f64),
}

/// What to do about a cause: code or a command, limited to what was proved necessary.
pub type Remedy = String;

/// One cause of a divergence.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// One of the published cause ids.
    pub id: String,
    /// How far the evidence carries it.
    pub grade: Grade,
    /// One line.
    pub summary: String,
    /// What was seen, one statement each.
    pub evidence: Vec<String>,
    /// What to do about it.
    pub remedy: Remedy,
    /// The user's line that brings it in.
    pub location: Option<SourceLine>,
    /// What the cure costs, where it could be measured.
    pub price: Option<Price>,
}

/// The answer to "why", with what it took to find out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blame {
    /// The causes, the most likely first.
    pub causes: Vec<Cause>,
    /// The smallest set of settings that, held, makes the job repeat.
    pub pins: Vec<(SettingId, Level)>,
    /// Runs it took, the first repeats included.
    pub runs_used: usize,
    /// Training steps (points of the primary metric) of those runs.
    pub steps_used: u64,
    /// What was tried, in order, one line each.
    pub history: Vec<String>,
}
