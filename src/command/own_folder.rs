//! A folder that each run has for itself, below its own, and that the job's command names by a placeholder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::Trial;

/// What the folder is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnFolder {
    /// In the command.
    pub placeholder: &'static str,
    /// Below the run's own.
    pub name: &'static str,
}

impl OwnFolder {
    /// Whether a command names it.
    pub fn is_in(&self, command: &[String]) -> bool {
        command.iter().any(|word| word.contains(self.placeholder))
    }

    /// Gives each trial the path of its own.
    ///
    /// # Errors
    /// Where the folder that the audit is started in is gone.
    pub fn fill(&self, trials: &mut [Trial]) -> Result<()> {
        for trial in trials {
            let folder = self.of(&trial.launch.record)?.display().to_string();
            trial.launch.command.iter_mut().for_each(|word| *word = word.replace(self.placeholder, &folder));
        }
        Ok(())
    }

    /// Makes that of a run which is about to start.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make(&self, trial: &Trial) -> Result<()> {
        let folder = self.of(&trial.launch.record)?;
        fs::create_dir_all(&folder).map_err(Error::file("create", &folder))
    }

    fn of(&self, run: &Path) -> Result<PathBuf> {
        std::path::absolute(run).map(|run| run.join(self.name)).map_err(Error::file("find", run))
    }
}
