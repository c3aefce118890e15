//! One planned execution.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Level, SettingId};

/// One planned execution of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// `r1`, `r2`, … in the order in which they were planned.
    pub run: String,
    /// Id of its treatment.
    pub treatment: String,
    /// Which repeat of the treatment, counted from 1.
    pub replicate: u32,
    /// The levels asked for.
    pub settings: BTreeMap<SettingId, Level>,
    /// The process to start.
    pub launch: Launch,
}

/// The process that carries a trial out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments, placeholders replaced.
    pub command: Vec<String>,
    /// Variables set on top of the auditor's own environment; `None` removes one.
    pub environment: BTreeMap<String, Option<String>>,
    /// Working folder; `None` for the auditor's own.
    pub folder: Option<PathBuf>,
    /// Where this run's files go (standard output, standard error, flight record); made by whoever executes it.
    pub record: PathBuf,
    /// Longest time it may take.
    pub timeout: Option<Duration>,
    /// Where processes of this run record what happens inside them; what an earlier attempt left there is put aside.
    pub flight: Option<PathBuf>,
}

impl Launch {
    /// The name of a working folder of the run's own, among its files.
    pub const OWN_FOLDER: &str = "folder";

    /// The working folder, where it is the run's own.
    pub fn own_folder(&self) -> Option<&Path> {
        self.folder.as_deref().filter(|folder| **folder == self.record.join(Self::OWN_FOLDER))
    }
}
