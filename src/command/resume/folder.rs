//! The folder in which checkpoints lie: the one that stands for `{checkpoints}` in the command lines, or a working folder for a
//! job that keeps its own. It is the audit's own, so that every resumed run finds it as the interrupted one left it, and none
//! finds what an earlier run left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::super::words::CHECKPOINTS;
use crate::record::Leftovers;

/// The folder, and a copy of it as the run that leaves the checkpoint left it.
pub struct Folder {
    live: PathBuf,
    left: PathBuf,
    /// What a run that starts from nothing is not to see of the working folder, which this one stands for.
    hidden: Option<Leftovers>,
}

impl Folder {
    /// Below the folder of an audit; nothing is made yet.
    pub fn below(audit: &Path) -> Self {
        let audit = fs::canonicalize(audit).unwrap_or_else(|_| audit.to_owned());
        Self { live: audit.join("checkpoints"), left: audit.join("checkpoints-left"), hidden: None }
    }

    /// The same as a working folder: all is linked there but what is hidden.
    pub fn to_work_in(audit: &Path, hidden: Leftovers) -> Self {
        Self { hidden: Some(hidden), ..Self::below(audit) }
    }

    /// The working folder, where it stands for one.
    pub fn working(&self) -> Option<&Path> {
        self.hidden.is_some().then_some(self.live.as_path())
    }

    /// A command line with the folder in its place.
    pub fn fill(&self, command: &[String]) -> Vec<String> {
        command.iter().map(|word| word.replace(CHECKPOINTS, &self.live.display().to_string())).collect()
    }

    /// Empties it, for a run that starts from nothing.
    pub fn clear(&self) -> Result<()> {
        remove(&self.live).map_err(Error::file("clear", &self.live))?;
        match &self.hidden {
            Some(hidden) => hidden.hide(&self.live),
            None => fs::create_dir_all(&self.live),
        }
        .map_err(Error::file("create", &self.live))
    }

    /// Keeps what a run left in it, for those that resume.
    pub fn keep(&self) -> Result<()> {
        remove(&self.left).map_err(Error::file("clear", &self.left))?;
        fs::rename(&self.live, &self.left).map_err(Error::file("move", &self.live))
    }

    /// Puts what was kept back, for one run that resumes.
    pub fn restore(&self) -> Result<()> {
        remove(&self.live).map_err(Error::file("clear", &self.live))?;
        copy(&self.left, &self.live).map_err(Error::file("copy", &self.left))
    }

    /// Leaves only what the interrupted run left, as it was.
    pub fn finish(&self) -> Result<()> {
        if self.left.exists() {
            remove(&self.live).map_err(Error::file("clear", &self.live))?;
            fs::rename(&self.left, &self.live).map_err(Error::file("move", &self.left))?;
        }
        Ok(())
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies a folder and all below it; links stay links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&from, &to)?;
        } else if kind.is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(fs::read_link(&from)?, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resumed_run_finds_what_the_interrupted_one_left() {
        let audit = tempfile::tempdir().expect("a folder");
        let folder = Folder::below(audit.path());
        let live = PathBuf::from(&folder.fill(&["{checkpoints}".to_owned()])[0]);
        folder.clear().expect("cleared");
        fs::create_dir(live.join("step-1")).expect("made");
        fs::write(live.join("step-1/w"), "1").expect("written");
        folder.keep().expect("kept");
        for _ in 0..2 {
            folder.restore().expect("restored");
            assert_eq!(fs::read_to_string(live.join("step-1/w")).expect("there"), "1");
            assert!(!live.join("step-2").exists());
            fs::write(live.join("step-1/w"), "changed").expect("written");
            fs::create_dir(live.join("step-2")).expect("made");
        }
        folder.finish().expect("finished");
        assert_eq!(fs::read_to_string(live.join("step-1/w")).expect("there"), "1");
        folder.clear().expect("cleared");
        assert_eq!(fs::read_dir(&live).expect("there").count(), 0);
    }
}
