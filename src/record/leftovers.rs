//! The files that the runs of an audit left in its working folder, and a folder that shows all but those.
//!
//! A file counts as left by a run where it changed after the audit began, by the clock of the file system: what was there
//! before and has been written to since is left out too, since what it held is gone. Files are linked and not copied.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A working folder with more entries than this is not looked through.
const MOST: usize = 200_000;

/// What runs left in a working folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    root: PathBuf,
    /// Files, and folders with all that is in them, that were not there or were other ones when the audit began.
    left: BTreeSet<PathBuf>,
    /// Folders that were there and hold some of those.
    holders: BTreeSet<PathBuf>,
    /// The audits' own folder, which nobody sees.
    records: PathBuf,
    seen: usize,
    /// Whether a folder that was there gained or lost an entry since.
    touched: bool,
}

impl Leftovers {
    /// Looks through `root`. `began` is the metadata of a file that was written as the audit began; `audit` is the audit's
    /// folder.
    ///
    /// # Errors
    /// Where the folder cannot be read, or holds too much to be looked through.
    pub fn find(root: &Path, began: &Metadata, audit: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(root)?;
        let records = audit.parent().filter(|base| *base != root && base.starts_with(&root)).unwrap_or(audit);
        let mut found = Self { records: records.to_owned(), root: root.clone(), ..Self::default() };
        found.look_through(&root, began)?;
        Ok(found)
    }

    /// Whether there is anything that a run left.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Whether anything changed since the audit began, even if it is gone again.
    pub fn has_changed(&self) -> bool {
        self.touched || !self.is_empty()
    }

    /// What was left before one of these moments and read since: files by the time at which they changed last and that at
    /// which they were read, as far as the file system keeps the latter. Paths are relative to the working folder.
    pub fn read_since(&self, moments: &[SystemTime]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open: Vec<PathBuf> = self.left.iter().rev().cloned().collect();
        let mut seen = 0;
        while let Some(path) = open.pop() {
            seen += 1;
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() && seen < MOST && !is_compiled(&path) {
                open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            }
            let Some((written, read)) = metadata.modified().ok().zip(metadata.accessed().ok()) else { continue };
            if metadata.is_file() && moments.iter().any(|moment| written < *moment && *moment <= read) {
                found.push(path.strip_prefix(&self.root).map_or(path.clone(), Path::to_owned));
            }
        }
        found.sort();
        found
    }

    /// Makes the folder `into`, in which everything of the working folder is linked but for what runs left.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn hide(&self, into: &Path) -> io::Result<()> {
        self.mirror(&self.root, into)
    }

    /// Whether the folder holds anything that runs left.
    fn look_through(&mut self, folder: &Path, began: &Metadata) -> io::Result<bool> {
        let mut holds = false;
        self.touched |= changed_after(&fs::metadata(folder)?, began);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, metadata) = (entry.path(), entry.metadata()?);
            if path == self.records || is_compiled(&path) {
                continue;
            }
            self.seen += 1;
            if self.seen > MOST {
                return Err(io::Error::other(format!(
                    "{} holds more than {MOST} files, too many to look through for those that runs left",
                    self.root.display()
                )));
            }
            let is_new = if metadata.is_dir() { born_after(&metadata, began) } else { changed_after(&metadata, began) };
            if is_new {
                self.left.insert(path);
                holds = true;
            } else if metadata.is_dir() {
                // What may not be read was not written by a job of the same user either.
                holds |= self.look_through(&path, began).or_else(forbidden)?;
            }
        }
        if holds {
            self.holders.insert(folder.to_owned());
        }
        Ok(holds)
    }

    fn mirror(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let path = entry?.path();
            if path == self.records || self.left.contains(&path) {
                continue;
            }
            let Some(name) = path.file_name() else { continue };
            match self.holders.contains(&path) {
                true => self.mirror(&path, &to.join(name))?,
                false => link(&path, &to.join(name))?,
            }
        }
        Ok(())
    }
}

/// What Python compiles is read by everyone and changes nothing.
fn is_compiled(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "__pycache__")
}

fn forbidden(error: io::Error) -> io::Result<bool> {
    if error.kind() == io::ErrorKind::PermissionDenied { Ok(false) } else { Err(error) }
}

/// A folder changes with whatever is put into it; only its birth tells whether a run made it. Where the file system keeps
/// none, it counts as old, and what is in it is looked at.
fn born_after(folder: &Metadata, began: &Metadata) -> bool {
    folder.created().ok().zip(began.created().ok()).is_some_and(|(born, began)| born > began)
}

#[cfg(unix)]
fn changed_after(file: &Metadata, began: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (file.ctime(), file.ctime_nsec()) > (began.ctime(), began.ctime_nsec())
}

#[cfg(not(unix))]
fn changed_after(file: &Metadata, began: &Metadata) -> bool {
    file.modified().ok().zip(began.modified().ok()).is_some_and(|(changed, began)| changed > began)
}

#[cfg(unix)]
fn link(target: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "files are linked on Unix only"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names below a folder, those of linked folders included.
    fn names(folder: &Path) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                found.extend(names(&path).iter().map(|inner| format!("{name}/{inner}")));
            }
            found.push(name);
        }
        found.sort();
        found
    }

    #[test]
    fn shows_all_that_was_there_and_nothing_that_was_written_since() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("work");
        for folder in ["data", "out", "empty", "records/a"] {
            fs::create_dir_all(root.join(folder)).expect("made");
        }
        for file in ["job.py", "data/x", "out/old", "out/last.pt"] {
            fs::write(root.join(file), "1").expect("written");
        }
        let audit = root.join("records/a");
        fs::write(audit.join("audit.json"), "{}").expect("written");
        std::thread::sleep(std::time::Duration::from_millis(20)); // the clock of a file system ticks slowly
        let began = fs::metadata(audit.join("audit.json")).expect("there");
        let find = || Leftovers::find(&root, &began, &fs::canonicalize(&audit).expect("there")).expect("found");
        assert!(find().is_empty() && !find().has_changed());
        fs::write(root.join("data/passing"), "2").expect("written");
        fs::remove_file(root.join("data/passing")).expect("removed");
        assert!(find().is_empty() && find().has_changed(), "it came and went");

        fs::write(root.join("out/last.pt"), "2").expect("written");
        fs::write(root.join("cache.pt"), "2").expect("written");
        fs::create_dir_all(root.join("runs/version_0")).expect("made");
        fs::write(root.join("runs/version_0/metrics.csv"), "2").expect("written");
        fs::create_dir(root.join("__pycache__")).expect("made");
        fs::write(root.join("__pycache__/job.pyc"), "2").expect("written");
        assert!(!find().is_empty());

        let shown = place.path().join("shown");
        find().hide(&shown).expect("made");
        let seen: Vec<String> = names(&shown).into_iter().filter(|name| !name.contains("__pycache__")).collect();
        assert_eq!(seen, ["data", "data/x", "empty", "job.py", "out", "out/old"]);
        fs::write(shown.join("out/new"), "3").expect("written");
        assert!(!root.join("out/new").exists(), "what a run writes stays in its own folder");
    }
}
