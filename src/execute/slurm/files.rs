//! What lies on the shared file system: who writes which file, and its shape. Every file has one writer and is there whole
//! or not at all.
//!
//! ```text
//! <audit>/slurm/
//!   bin/repro-audit            the runner, the same version on every node
//!   environment                what the submitter's environment held; removed when the last run is over
//!   1-4f0c.../                 one submission (an array)
//!     intent.json              written before it is submitted: its name, and the run of each index
//!     job.json                 the job id that came back
//!     stop                     the submitter wants all of it to end
//!     slurm-12_0.out           what Slurm itself says, a diagnosis only
//! <audit>/runs/r1/
//!   spec.json                  what to run
//!   stop                       the submitter wants this run to end
//!   attempt-1-12.0/            submission 1, job 12, never restarted
//!     begin.json               the node, written before the job is started
//!     stdout.log stderr.log    what it wrote
//!     end.json                 how it ended
//!   stdout.log                 a link to the newest attempt's
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{Launch, Level, SettingId, Trial};

/// Folder of an audit that holds what all its submissions share.
pub const SHARED: &str = "slurm";
/// Name of a submission's intent.
pub const INTENT: &str = "intent.json";
/// Name of the file with the job id.
pub const JOB: &str = "job.json";
/// Name of the file that asks for an end.
pub const STOP: &str = "stop";
/// Name of a run's specification.
pub const SPEC: &str = "spec.json";
/// Name of the file that tells where an attempt runs.
pub const BEGIN: &str = "begin.json";
/// Name of the file that tells how an attempt ended.
pub const END: &str = "end.json";

const SCHEMA: &str = "repro-audit.slurm/1";
/// No file of ours is longer than this.
const LONGEST: u64 = 64 << 20;

/// What a submission is meant to be, written down before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    schema: String,
    /// The job's name: by it the submission is known, since ids come back.
    pub name: String,
    /// Which submission of the audit it is, counted from 1.
    pub number: u32,
    /// The run of each index.
    pub members: Vec<Member>,
}

/// One task of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Id of the run.
    pub run: String,
    /// Its folder.
    pub folder: PathBuf,
}

impl Intent {
    /// Submission `number`, of these trials.
    pub fn new(name: String, number: u32, trials: &[&Trial]) -> Self {
        let member = |trial: &&Trial| Member { run: trial.run.clone(), folder: trial.launch.record.clone() };
        Self { schema: SCHEMA.to_owned(), name, number, members: trials.iter().map(member).collect() }
    }

    /// The name of its folder.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.number, self.name)
    }
}

/// The job id that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    schema: String,
    /// The id of the array.
    pub id: String,
}

impl Job {
    /// The job with this id.
    pub fn new(id: String) -> Self {
        Self { schema: SCHEMA.to_owned(), id }
    }
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    schema: String,
    /// Id of the run.
    pub run: String,
    treatment: String,
    replicate: u32,
    settings: BTreeMap<String, String>,
    command: Vec<String>,
    environment: BTreeMap<String, Option<String>>,
    /// Where it is run.
    pub folder: PathBuf,
    timeout_seconds: Option<f64>,
    /// Whether it writes to a terminal.
    pub pty: bool,
    /// Where the processes of the run record what happens inside them.
    pub flight: Option<PathBuf>,
    /// What lay there before the first attempt.
    pub prepared: Vec<String>,
}

impl Spec {
    /// What `trial` asks for, in `folder` unless it names its own.
    pub fn new(trial: &Trial, folder: &Path, pty: bool) -> Self {
        let launch = &trial.launch;
        let settings = trial.settings.iter().map(|(id, level)| (id.to_string(), level.to_string()));
        Self {
            schema: SCHEMA.to_owned(),
            run: trial.run.clone(),
            treatment: trial.treatment.clone(),
            replicate: trial.replicate,
            settings: settings.collect(),
            command: launch.command.clone(),
            environment: launch.environment.clone(),
            folder: launch.folder.clone().unwrap_or_else(|| folder.to_owned()),
            timeout_seconds: launch.timeout.map(|timeout| timeout.as_secs_f64()),
            pty,
            flight: launch.flight.clone(),
            prepared: launch.flight.as_deref().map(names).unwrap_or_default(),
        }
    }

    /// Whether it asks for what `trial` asks for; where and when do not matter.
    pub fn is_of(&self, trial: &Trial) -> bool {
        let level = |(id, level): (&SettingId, &Level)| (id.to_string(), level.to_string());
        self.run == trial.run
            && self.treatment == trial.treatment
            && self.replicate == trial.replicate
            && self.settings == trial.settings.iter().map(level).collect()
            && self.command == trial.launch.command
    }

    /// The trial, with this environment, recorded in `attempt`.
    pub fn trial(&self, environment: BTreeMap<String, Option<String>>, attempt: &Path) -> Trial {
        Trial {
            run: self.run.clone(),
            treatment: self.treatment.clone(),
            replicate: self.replicate,
            settings: BTreeMap::new(),
            launch: Launch {
                command: self.command.clone(),
                environment: environment.into_iter().chain(self.environment.clone()).collect(),
                folder: Some(self.folder.clone()),
                record: attempt.to_owned(),
                timeout: self.timeout_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
                flight: self.flight.clone(),
            },
        }
    }
}

/// The names in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Where an attempt runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    schema: String,
    /// Name of the submission.
    pub name: String,
    /// The node, as Slurm calls it.
    pub node: String,
    /// What the machine is: boot id, processor, cores, cards, driver.
    pub machine: BTreeMap<String, String>,
}

impl Begin {
    /// An attempt of the submission `name` on `node`.
    pub fn new(name: String, node: String, machine: BTreeMap<String, String>) -> Self {
        Self { schema: SCHEMA.to_owned(), name, node, machine }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The job ended by itself, with an exit code or by a signal.
    Finished,
    /// It outlived our own time limit.
    TimedOut,
    /// The submitter wanted it to end.
    Stopped,
    /// A newer attempt had begun.
    Fenced,
    /// The runner was told to end by somebody else.
    Interrupted,
    /// It could not be started.
    Refused,
}

impl How {
    /// Its word in the record and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::TimedOut => "timed-out",
            Self::Stopped => "stopped",
            Self::Fenced => "fenced",
            Self::Interrupted => "interrupted",
            Self::Refused => "refused",
        }
    }
}

/// How an attempt ended, and what it left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    schema: String,
    /// How.
    pub how: How,
    /// The exit code, where the job ended with one.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    seconds: f64,
    /// Why, where that is not plain.
    pub reason: String,
    /// Anything a reader must know.
    pub notes: Vec<String>,
    /// Length and checksum of each log, by its path in the attempt's folder.
    pub logs: BTreeMap<String, LogSum>,
}

/// Length and checksum of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSum {
    /// Its bytes.
    pub bytes: u64,
    /// Their CRC-32C.
    pub crc32c: u32,
}

impl End {
    /// An end without a job.
    pub fn without_job(how: How, reason: String) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            how,
            exit_code: None,
            signal: None,
            seconds: 0.0,
            reason,
            notes: Vec::new(),
            logs: BTreeMap::new(),
        }
    }

    /// The same end of a job that took so long.
    pub fn after(self, duration: Duration) -> Self {
        Self { seconds: duration.as_secs_f64(), ..self }
    }

    /// From start to end.
    pub fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }
}

/// Which attempt at a run: the newest is the one that counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The submission, counted from 1.
    pub submission: u32,
    /// How often Slurm had restarted the job.
    pub restart: u32,
    /// Slurm's id of the job.
    pub job: String,
}

impl Attempt {
    /// Its id in reports: `12.0`.
    pub fn id(&self) -> String {
        format!("{}.{}", self.job, self.restart)
    }

    /// The name of its folder.
    pub fn folder(&self) -> String {
        format!("attempt-{}-{}", self.submission, self.id())
    }

    fn named(name: &str) -> Option<Self> {
        let (submission, rest) = name.strip_prefix("attempt-")?.split_once('-')?;
        let (job, restart) = rest.rsplit_once('.')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits(job).then_some(())?;
        Some(Self { submission: submission.parse().ok()?, restart: restart.parse().ok()?, job: job.to_owned() })
    }
}

/// The attempts at a run so far, oldest first.
pub fn attempts(run: &Path) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = names(run).iter().filter_map(|name| Attempt::named(name)).collect();
    attempts.sort();
    attempts
}

/// The submissions of an audit, oldest first, each with its folder.
pub fn submissions(shared: &Path) -> Vec<(PathBuf, Intent)> {
    let folders = names(shared).into_iter().map(|name| shared.join(name));
    let mut found: Vec<(PathBuf, Intent)> =
        folders.filter_map(|folder| Some((folder.clone(), read(&folder.join(INTENT)).ok()??))).collect();
    found.sort_by_key(|(_, intent)| intent.number);
    found
}

/// Writes a file that is there whole or not at all, even after the machine lost power.
pub fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(|why| Error::file("write", path)(io::Error::other(why)))?;
    write_bytes(path, &text)
}

/// The same for bytes.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let other = path.with_file_name(format!(".{name}.{:016x}", super::random()));
    let whole = File::options().write(true).create_new(true).mode(0o600).open(&other).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&other, path)
    });
    whole.map_err(|why| {
        let _ = fs::remove_file(&other);
        Error::file("write", path)(why)
    })
}

/// Reads a file of ours; `None` where it is not there (yet).
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
    match read {
        Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(why) => return Err(Error::file("read", path)(why)),
        Ok(_) => {}
    }
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|why| Error::Malformed { path: path.to_owned(), what: format!("is damaged: {why}") })
}

/// Makes a folder that only the user may enter, and that must not be there yet.
pub fn new_folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path).map_err(Error::file("create", path))
}

/// Makes a folder that only the user may enter, with those above it.
pub fn folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new().mode(0o700).recursive(true).create(path).map_err(Error::file("create", path))
}

/// Asks for an end.
pub fn ask_to_stop(folder: &Path) -> Result<()> {
    let path = folder.join(STOP);
    File::create(&path).map(drop).map_err(Error::file("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_attempt_is_of_the_latest_submission_then_of_the_latest_restart() {
        let folder = tempfile::tempdir().unwrap();
        // Job ids come back, so they say nothing of the order.
        for name in ["attempt-1-9.0", "attempt-1-9.10", "attempt-1-9.2", "attempt-2-3.0", "attempt-x", "attempt-1-.0"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let ids: Vec<String> = attempts(folder.path()).iter().map(Attempt::folder).collect();
        assert_eq!(ids, ["attempt-1-9.0", "attempt-1-9.2", "attempt-1-9.10", "attempt-2-3.0"]);
    }

    #[test]
    fn a_file_of_ours_is_missing_whole_or_damaged_and_never_half_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(END);
        assert_eq!(read::<End>(&path).unwrap(), None);
        let end = End::without_job(How::Refused, "no folder".to_owned());
        write(&path, &end).unwrap();
        assert_eq!(read::<End>(&path).unwrap(), Some(end));
        fs::write(&path, "{\"schema\"").unwrap();
        assert!(matches!(read::<End>(&path), Err(Error::Malformed { .. })));
        assert_eq!(names(folder.path()), [END], "nothing half written is left");
    }
}
