//! Writing a record, as it happens.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::shape::{AuditFile, PlanFile, RunFile};
use super::time::Utc;
use super::{Header, Leftovers, Recorded, atomic, id, reader, script};
use crate::error::{Error, Result};
use crate::model::{Run, Status, Treatment, Trial};

/// How often a new id is tried before we believe that something else is wrong.
const TRIES: u32 = 100;

/// The folder of an audit that is going on. Nobody else can write to it until this is dropped.
#[derive(Debug)]
pub struct Record {
    folder: PathBuf,
    header: Header,
    plans: u32,
    /// The trials of all plans so far.
    planned: HashSet<String>,
    /// Locked as long as it is open.
    _lock: File,
}

impl Record {
    /// Makes the folder of a new audit in `base` and writes its header; id, version and time are filled in.
    pub fn create(base: &Path, header: Header) -> Result<Self> {
        let ours = !base.exists();
        atomic::folder(base)?;
        let now = Utc::now();
        let (audit, folder) = new_folder(base, now)?;
        // Records hold what the user's environment and data gave away: they are not for version control. A folder that was
        // there before holds other things as well.
        if !base.join(".gitignore").exists() || !ours {
            atomic::write(&if ours { base } else { &folder }.join(".gitignore"), b"*\n")?;
        }
        // What starts the runs may change its working folder; the record stays where it is.
        let folder = fs::canonicalize(&folder).map_err(Error::file("find", &folder))?;
        let lock = lock(&folder, &audit)?;
        atomic::folder(&folder.join("runs"))?;
        let header = Header {
            audit: audit.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: now.extended(),
            ..header
        };
        write_json(&folder.join("audit.json"), &AuditFile::from(&header))?;
        atomic::link(&base.join(reader::LATEST), &audit)?;
        Ok(Self { folder, header, plans: 0, planned: HashSet::new(), _lock: lock })
    }

    /// Takes up an audit that was interrupted; refused while it is still going on.
    pub fn resume(path: &Path) -> Result<(Self, Recorded)> {
        let recorded = reader::open(path)?;
        let folder = fs::canonicalize(&recorded.folder).map_err(Error::file("find", &recorded.folder))?;
        let lock = lock(&folder, &recorded.header.audit)?;
        // Again, now that nobody else can write.
        let recorded = reader::open(&folder)?;
        let header = recorded.header.clone();
        let planned = recorded.trials.iter().map(|trial| trial.run.clone()).collect();
        Ok((Self { folder, header, plans: recorded.plans, planned, _lock: lock }, recorded))
    }

    /// The audit's folder, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The header as it was written.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the runs of this audit left in the folder that it was begun in.
    ///
    /// # Errors
    /// Where that cannot be told; the reason is for the reader.
    pub fn leftovers(&self) -> io::Result<Leftovers> {
        Leftovers::find(&self.header.folder, &fs::metadata(self.began())?, &self.folder)
    }

    /// A file that was written as the audit began and never since.
    pub fn began(&self) -> PathBuf {
        self.folder.join("audit.json")
    }

    /// The folder of a run, for [`crate::model::Launch::record`].
    pub fn run_folder(&self, run: &str) -> PathBuf {
        self.folder.join("runs").join(run)
    }

    /// Writes down what is going to be done: treatments and trials that no earlier plan named.
    pub fn plan(&mut self, treatments: &[Treatment], trials: &[Trial]) -> Result<()> {
        for trial in trials {
            if !id::is_plain(&trial.run) {
                return Err(Error::Misuse(format!("{:?} cannot be the id of a run", trial.run)));
            }
        }
        let new: Vec<Trial> = trials.iter().filter(|trial| !self.planned.contains(&trial.run)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        write_json(&self.folder.join(reader::plan_name(self.plans + 1)), &PlanFile::new(treatments, &new))?;
        self.plans += 1;
        self.planned.extend(new.into_iter().map(|trial| trial.run));
        Ok(())
    }

    /// Makes the folder of a run that is about to start, and what does it again by hand. What a lost attempt left is
    /// moved to `lost/`; a run that was recorded is not started again.
    pub fn begin(&self, trial: &Trial) -> Result<()> {
        let folder = self.run_folder(&trial.run);
        if reader::is_recorded(&folder.join(reader::RUN)) {
            return Err(Error::Misuse(format!("run {} of {} is recorded already", trial.run, self.folder.display())));
        }
        if folder.exists() {
            self.put_aside(&trial.run, &folder)?;
        }
        atomic::folder(&folder)?;
        atomic::write(&folder.join("repro-audit.env"), script::variables(trial).as_bytes())?;
        let command = script::command(trial, &self.header.folder);
        atomic::write_executable(&folder.join("command.sh"), command.as_bytes())
    }

    /// Writes down how a run ended. Runs that were lost or never started are left open, to be taken up again.
    pub fn end(&self, run: &Run, notes: &[String]) -> Result<()> {
        if matches!(run.status, Status::Lost | Status::Skipped) {
            return Ok(());
        }
        let path = self.run_folder(&run.id).join(reader::RUN);
        if reader::is_recorded(&path) {
            return Err(Error::Misuse(format!("run {} of {} is recorded already", run.id, self.folder.display())));
        }
        let log_bytes = fs::metadata(self.folder.join(&run.log)).ok().map(|log| log.len());
        write_json(&path, &RunFile::new(run, notes, log_bytes))
    }

    /// Keeps a document with the audit, in place of an earlier one of that name; gives its path.
    pub fn write_document(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        if !id::is_plain(name) {
            return Err(Error::Misuse(format!("{name:?} cannot be the name of a document")));
        }
        let path = self.folder.join(name);
        atomic::write(&path, bytes)?;
        Ok(path)
    }

    fn put_aside(&self, run: &str, folder: &Path) -> Result<()> {
        let lost = self.folder.join("lost");
        atomic::folder(&lost)?;
        let free = (1..).map(|number: u32| lost.join(format!("{run}-{number}"))).find(|path| !path.exists());
        let free = free.unwrap_or(lost);
        fs::rename(folder, &free).map_err(Error::file("move", folder))
    }
}

/// A folder that no other audit has, not even one that was started in the same second.
fn new_folder(base: &Path, now: Utc) -> Result<(String, PathBuf)> {
    for _ in 0..TRIES {
        let audit = format!("{}-{:04x}", now.compact(), atomic::random() & 0xffff);
        let folder = base.join(&audit);
        match atomic::new_folder(&folder) {
            Ok(()) => return Ok((audit, folder)),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(Error::file("create", &folder)(why)),
        }
    }
    Err(Error::Misuse(format!("no free name for a new audit in {}", base.display())))
}

fn lock(folder: &Path, audit: &str) -> Result<File> {
    let path = folder.join("lock");
    let file =
        File::options().create(true).write(true).truncate(false).open(&path).map_err(Error::file("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Misuse(format!("audit {audit} is still going on"))),
        // A file system without locks: two writers would still fail on each other's files.
        Err(fs::TryLockError::Error(_)) => Ok(file),
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(|why| Error::file("write", path)(io::Error::other(why)))?;
    atomic::write(path, &text)
}
