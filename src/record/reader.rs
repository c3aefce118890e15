//! Reading a record back. It may be half written, moved, or somebody else's: nothing in it is believed beyond its shape.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::shape::{AnyFile, AuditFile, PlanFile, RunFile};
use super::traceback::{ends_in_traceback, telling};
use super::{FORMAT, Header, id};
use crate::error::{Error, Result};
use crate::model::{Attempt, Run, Status, Treatment, Trial};

/// Name of the link to the newest audit.
pub const LATEST: &str = "latest";
/// Name of the file that tells how a run ended.
pub const RUN: &str = "run.json";

const LONGEST_JSON: u64 = 256 << 20;
const LONGEST_RUN: u64 = 4 << 20;
const LONGEST_TAIL: u64 = 16 << 10;
const LONGEST_LINE: usize = 400;
const MOST_PLANS: u32 = 100_000;

/// An audit as its folder tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The audit's folder.
    pub folder: PathBuf,
    /// Who started it, and how.
    pub header: Header,
    /// The treatments, in the order in which they were planned.
    pub treatments: Vec<Treatment>,
    /// The trials, in the order in which they were planned; their folders point into this record.
    pub trials: Vec<Trial>,
    /// One run for each trial, in the same order; `lost` where its end was not recorded, `skipped` where it has no log.
    pub runs: Vec<Run>,
    /// What there is to note of runs, by their id.
    pub notes: BTreeMap<String, Vec<String>>,
    /// What a reader should know of the record itself, one line each.
    pub warnings: Vec<String>,
    pub(super) plans: u32,
}

impl Recorded {
    /// The trials whose runs are not recorded: what is left to do.
    pub fn unfinished(&self) -> Vec<Trial> {
        let open = |run: &Run| matches!(run.status, Status::Lost | Status::Skipped);
        self.trials.iter().zip(&self.runs).filter(|(_, run)| open(run)).map(|(trial, _)| trial.clone()).collect()
    }

    /// A file of a run by its name (`stdout.log`, `stderr.log`, a flight record), where it is there.
    pub fn file(&self, run: &str, name: &str) -> Result<Option<PathBuf>> {
        if !id::is_plain(run) || !id::is_plain(name) {
            return Err(malformed(&self.folder, format!("{run}/{name} is no name of a run's file")));
        }
        inside(&self.folder, &Path::new("runs").join(run).join(name))
    }

    /// A document that was kept with the audit, where it is there.
    pub fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        if !id::is_plain(name) {
            return Err(malformed(&self.folder, format!("{name:?} is no name of a document")));
        }
        match inside(&self.folder, Path::new(name))? {
            Some(path) => read(&path, LONGEST_JSON).map(Some),
            None => Ok(None),
        }
    }
}

/// Opens the record at `path`: an audit's folder, its `audit.json`, or a folder of audits, whose newest is meant.
pub fn open(path: &Path) -> Result<Recorded> {
    let folder = find(path)?;
    let header: Header = load_or_fail::<AuditFile>(&folder.join("audit.json"))?.into();
    let mut recorded = Recorded {
        folder,
        header,
        treatments: Vec::new(),
        trials: Vec::new(),
        runs: Vec::new(),
        notes: BTreeMap::new(),
        warnings: Vec::new(),
        plans: 0,
    };
    read_plans(&mut recorded)?;
    for index in 0..recorded.trials.len() {
        let run = read_run(&mut recorded, index)?;
        recorded.runs.push(run);
    }
    Ok(recorded)
}

/// The end of a file, at most so many bytes of it, as text; empty where it cannot be read.
pub fn tail(path: &Path, most: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// The last lines of a log, for a run that crashed, or what its traceback tells in as few: `most` at most, each cut to a sane
/// length; untrusted text.
///
/// Empty where there is no log: what is to be said of a crash must not fail for that.
pub fn last_lines(log: &Path, most: usize) -> Vec<String> {
    let text = tail(log, LONGEST_TAIL);
    telling(&text, most).iter().map(|line| line.chars().take(LONGEST_LINE).collect()).collect()
}

/// The output of a run, or what it wrote to standard error beside it, where that ends in the traceback of a Python error,
/// whatever the exit code of its command says.
pub fn broke_off(log: &Path) -> Option<PathBuf> {
    let both = [log.to_owned(), log.with_file_name("stderr.log")];
    both.into_iter().find(|log| ends_in_traceback(&tail(log, LONGEST_TAIL)))
}

/// Name of the file that holds a plan, counted from 1.
pub fn plan_name(number: u32) -> String {
    format!("plan-{number}.json")
}

fn find(path: &Path) -> Result<PathBuf> {
    let meta = fs::metadata(path).map_err(Error::file("read", path))?;
    if meta.is_file() && path.file_name().is_some_and(|name| name == "audit.json") {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        return Ok(parent.unwrap_or(Path::new(".")).to_owned());
    }
    if path.join("audit.json").is_file() {
        return Ok(path.to_owned());
    }
    let latest = path.join(LATEST);
    let audit = match fs::read_link(&latest) {
        Ok(target) => target.to_string_lossy().into_owned(),
        Err(_) => read(&latest, 256).map(|text| String::from_utf8_lossy(&text).trim().to_owned()).unwrap_or_default(),
    };
    if id::is_plain(&audit) && path.join(&audit).join("audit.json").is_file() {
        return Ok(path.join(audit));
    }
    Err(malformed(path, "is not a record of repro-audit: it holds no audit.json".to_owned()))
}

fn read_plans(recorded: &mut Recorded) -> Result<()> {
    let mut runs = HashSet::new();
    let mut treatments = HashSet::new();
    for number in 1..=MOST_PLANS {
        let path = recorded.folder.join(plan_name(number));
        if fs::symlink_metadata(&path).is_err() {
            break;
        }
        let plan: PlanFile = load_or_fail(&path)?;
        for treatment in plan.treatments.into_iter().map(Treatment::from) {
            if treatments.insert(treatment.id.clone()) {
                recorded.treatments.push(treatment);
            }
        }
        for mut trial in plan.trials.into_iter().map(Trial::from) {
            if !id::is_plain(&trial.run) {
                return Err(malformed(&path, format!("{:?} cannot be the id of a run", trial.run)));
            }
            if !runs.insert(trial.run.clone()) {
                return Err(malformed(&path, format!("run {} is planned twice", trial.run)));
            }
            trial.launch.record = recorded.folder.join("runs").join(&trial.run);
            recorded.trials.push(trial);
        }
        recorded.plans = number;
    }
    Ok(())
}

fn read_run(recorded: &mut Recorded, index: usize) -> Result<Run> {
    let trial = &recorded.trials[index];
    let relative = Path::new("runs").join(&trial.run);
    let attempts = lost_attempts(&recorded.folder, &trial.run);
    let Some(path) = inside(&recorded.folder, &relative.join(RUN))? else {
        let began = recorded.folder.join(&relative).join("stdout.log").exists();
        return Ok(open_run(trial, if began { Status::Lost } else { Status::Skipped }, attempts));
    };
    let read = match load_run(&path) {
        Ok(file) => file.into_run(),
        // A machine that lost power may leave a file empty that was renamed a moment before.
        Err(Flaw::Damaged(what)) => Err(what),
        Err(flaw) => return Err(flaw.of(&path)),
    };
    match read {
        Ok((mut run, notes)) => {
            if run.id != trial.run || run.treatment != trial.treatment {
                return Err(malformed(&path, format!("tells of another run than {}", trial.run)));
            }
            if run.log.is_absolute() || !run.log.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(malformed(&path, format!("the log {} is not in the record", run.log.display())));
            }
            run.attempts.splice(0..0, attempts);
            if !notes.is_empty() {
                recorded.notes.insert(run.id.clone(), notes);
            }
            Ok(run)
        }
        Err(what) => {
            recorded.warnings.push(format!("{}: {what}; the run counts as lost", path.display()));
            Ok(open_run(trial, Status::Lost, attempts))
        }
    }
}

/// A run whose end is not recorded.
fn open_run(trial: &Trial, status: Status, attempts: Vec<Attempt>) -> Run {
    Run {
        id: trial.run.clone(),
        treatment: trial.treatment.clone(),
        replicate: trial.replicate,
        settings: trial.settings.clone(),
        read_back: BTreeMap::new(),
        status,
        exit_code: None,
        signal: None,
        points: 0,
        duration: Duration::ZERO,
        node: String::new(),
        attempts,
        log: Path::new("runs").join(&trial.run).join("stdout.log"),
        last_words: Vec::new(),
    }
}

/// The attempts at a run that were put aside.
fn lost_attempts(folder: &Path, run: &str) -> Vec<Attempt> {
    let lost = |number: &u32| folder.join("lost").join(format!("{run}-{number}")).is_dir();
    let attempt =
        |_| Attempt { id: String::new(), node: String::new(), state: "lost".to_owned(), reason: String::new() };
    (1..).take_while(lost).map(attempt).collect()
}

/// The path of a regular file inside the record, links followed; `None` where it is not there.
fn inside(folder: &Path, relative: &Path) -> Result<Option<PathBuf>> {
    let path = folder.join(relative);
    let Ok(meta) = fs::metadata(&path) else { return Ok(None) };
    let real = fs::canonicalize(&path).map_err(Error::file("find", &path))?;
    let root = fs::canonicalize(folder).map_err(Error::file("find", folder))?;
    if !real.starts_with(root) || !meta.is_file() {
        return Err(malformed(&path, "is not a file inside the record".to_owned()));
    }
    Ok(Some(path))
}

/// What keeps a file from being read as part of a record.
enum Flaw {
    /// It cannot be read at all, or is of a version that this one does not know.
    Foreign(Error),
    /// It is not, or no longer, what it should be.
    Damaged(String),
}

impl Flaw {
    fn of(self, path: &Path) -> Error {
        match self {
            Self::Foreign(error) => error,
            Self::Damaged(what) => malformed(path, what),
        }
    }
}

/// Whether the end of a run is recorded in the file at `path`.
pub fn is_recorded(path: &Path) -> bool {
    match load_run(path) {
        Ok(_) => true,
        Err(Flaw::Foreign(_)) => path.exists(),
        Err(Flaw::Damaged(_)) => false,
    }
}

/// The end of a run, as far as its log, beside it, is all there: what is missing from it would be taken for a difference.
fn load_run(path: &Path) -> Result<RunFile, Flaw> {
    let file = load::<RunFile>(path, LONGEST_RUN)?;
    let log = path.with_file_name("stdout.log");
    match (file.log_bytes, fs::metadata(&log).map_or(0, |log| log.len())) {
        (Some(whole), now) if now < whole => {
            Err(Flaw::Damaged(format!("its log has {now} bytes of the {whole} that the run left")))
        }
        _ => Ok(file),
    }
}

fn load_or_fail<T: DeserializeOwned>(path: &Path) -> Result<T> {
    load(path, LONGEST_JSON).map_err(|flaw| flaw.of(path))
}

fn load<T: DeserializeOwned>(path: &Path, longest: u64) -> Result<T, Flaw> {
    let bytes = read(path, longest).map_err(Flaw::Foreign)?;
    let any: AnyFile =
        serde_json::from_slice(&bytes).map_err(|why| Flaw::Damaged(format!("is not a record: {why}")))?;
    let version = any.schema.strip_prefix("repro-audit.record/").and_then(|version| version.parse::<u32>().ok());
    match version {
        Some(version) if version > FORMAT => {
            let what =
                format!("was written by a newer repro-audit (format {version}, this one reads {FORMAT}); update");
            Err(Flaw::Foreign(malformed(path, what)))
        }
        Some(1..) => serde_json::from_slice(&bytes).map_err(|why| Flaw::Damaged(format!("is damaged: {why}"))),
        _ => Err(Flaw::Damaged(format!("is not a record: its schema is {:?}", any.schema))),
    }
}

fn read(path: &Path, longest: u64) -> Result<Vec<u8>> {
    let meta = fs::metadata(path).map_err(Error::file("read", path))?;
    if !meta.is_file() {
        return Err(malformed(path, "is not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::file("read", path))?;
    file.take(longest + 1).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    if bytes.len() as u64 > longest {
        return Err(malformed(path, format!("is longer than any record's ({longest} bytes)")));
    }
    Ok(bytes)
}

fn malformed(path: &Path, what: String) -> Error {
    Error::Malformed { path: path.to_owned(), what }
}
