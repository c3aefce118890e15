//! The JSON of a record, as it stands in the files; converted by hand from and to the model.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Header;
use crate::model::{Attempt, Environment, Launch, Level, Run, SettingId, Status, Treatment, Trial};

/// `repro-audit.record/1`: what every file of a record begins with.
pub const SCHEMA: &str = "repro-audit.record/1";

type Settings = BTreeMap<String, String>;

/// The first thing that is read of a file.
#[derive(Deserialize)]
pub struct AnyFile {
    /// Format and version.
    pub schema: String,
}

/// `audit.json`.
#[derive(Serialize, Deserialize)]
pub struct AuditFile {
    schema: String,
    audit: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    started: String,
    #[serde(default)]
    command_line: Vec<String>,
    #[serde(default)]
    job: Vec<String>,
    #[serde(default)]
    folder: String,
    #[serde(default)]
    metric: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tolerance: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<u64>,
    #[serde(default)]
    invariant: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoints: Option<String>,
    #[serde(default)]
    inherited: String,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

impl From<&Header> for AuditFile {
    fn from(header: &Header) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            audit: header.audit.clone(),
            version: header.version.clone(),
            started: header.started.clone(),
            command_line: header.command_line.clone(),
            job: header.job.clone(),
            folder: header.folder.to_string_lossy().into_owned(),
            metric: header.metric.clone(),
            pattern: header.pattern.clone(),
            tolerance: Some(header.tolerance.to_string()),
            steps: header.steps,
            invariant: header.invariant,
            checkpoints: header.checkpoints.clone(),
            inherited: header.inherited.clone(),
            environment: header.environment.facts.clone(),
        }
    }
}

impl From<AuditFile> for Header {
    fn from(file: AuditFile) -> Self {
        Self {
            audit: file.audit,
            version: file.version,
            started: file.started,
            command_line: file.command_line,
            job: file.job,
            folder: PathBuf::from(file.folder),
            metric: file.metric,
            pattern: file.pattern,
            tolerance: file.tolerance.and_then(|rule| rule.parse().ok()).unwrap_or_default(),
            steps: file.steps,
            invariant: file.invariant,
            checkpoints: file.checkpoints,
            inherited: file.inherited,
            environment: Environment { facts: file.environment },
        }
    }
}

/// `plan-N.json`.
#[derive(Serialize, Deserialize)]
pub struct PlanFile {
    schema: String,
    /// Treatments that no earlier plan named.
    pub treatments: Vec<TreatmentShape>,
    /// Trials, in the order in which they were planned.
    pub trials: Vec<TrialShape>,
}

impl PlanFile {
    /// The plan of these treatments and trials.
    pub fn new(treatments: &[Treatment], trials: &[Trial]) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            treatments: treatments.iter().map(TreatmentShape::from).collect(),
            trials: trials.iter().map(TrialShape::from).collect(),
        }
    }
}

/// A treatment.
#[derive(Serialize, Deserialize)]
pub struct TreatmentShape {
    id: String,
    #[serde(default)]
    settings: Settings,
}

impl From<&Treatment> for TreatmentShape {
    fn from(treatment: &Treatment) -> Self {
        Self { id: treatment.id.clone(), settings: written(&treatment.settings) }
    }
}

impl From<TreatmentShape> for Treatment {
    fn from(shape: TreatmentShape) -> Self {
        Self { id: shape.id, settings: read(shape.settings) }
    }
}

/// A trial. Its folder in the record follows from the run's id, so that a record can be moved.
#[derive(Serialize, Deserialize)]
pub struct TrialShape {
    run: String,
    treatment: String,
    replicate: u32,
    #[serde(default)]
    settings: Settings,
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, Option<String>>,
    #[serde(default)]
    folder: Option<String>,
    #[serde(default)]
    timeout_seconds: Option<f64>,
}

impl From<&Trial> for TrialShape {
    fn from(trial: &Trial) -> Self {
        let launch = &trial.launch;
        Self {
            run: trial.run.clone(),
            treatment: trial.treatment.clone(),
            replicate: trial.replicate,
            settings: written(&trial.settings),
            command: launch.command.clone(),
            environment: launch.environment.clone(),
            folder: launch.folder.as_ref().map(|folder| folder.to_string_lossy().into_owned()),
            timeout_seconds: launch.timeout.map(|timeout| timeout.as_secs_f64()),
        }
    }
}

impl From<TrialShape> for Trial {
    fn from(shape: TrialShape) -> Self {
        Self {
            run: shape.run,
            treatment: shape.treatment,
            replicate: shape.replicate,
            settings: read(shape.settings),
            launch: Launch {
                command: shape.command,
                environment: shape.environment,
                folder: shape.folder.map(PathBuf::from),
                record: PathBuf::new(),
                timeout: shape.timeout_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
                flight: None,
            },
        }
    }
}

/// `run.json`.
#[derive(Serialize, Deserialize)]
pub struct RunFile {
    schema: String,
    id: String,
    treatment: String,
    replicate: u32,
    #[serde(default)]
    settings: Settings,
    #[serde(default)]
    read_back: Settings,
    status: String,
    #[serde(default)]
    exit_code: Option<i32>,
    #[serde(default)]
    signal: Option<i32>,
    #[serde(default)]
    points: usize,
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    node: String,
    #[serde(default)]
    attempts: Vec<AttemptShape>,
    log: String,
    /// Length of the log when the run ended, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
    #[serde(default)]
    last_words: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct AttemptShape {
    #[serde(default)]
    id: String,
    node: String,
    state: String,
    #[serde(default)]
    reason: String,
}

impl RunFile {
    /// How `run` ended, with what there is to note of it, and the length of its log in bytes.
    pub fn new(run: &Run, notes: &[String], log_bytes: Option<u64>) -> Self {
        let attempt = |attempt: &Attempt| {
            let Attempt { id, node, state, reason } = attempt.clone();
            AttemptShape { id, node, state, reason }
        };
        Self {
            schema: SCHEMA.to_owned(),
            id: run.id.clone(),
            treatment: run.treatment.clone(),
            replicate: run.replicate,
            settings: written(&run.settings),
            read_back: written(&run.read_back),
            status: run.status.word().to_owned(),
            exit_code: run.exit_code,
            signal: run.signal,
            points: run.points,
            seconds: run.duration.as_secs_f64(),
            node: run.node.clone(),
            attempts: run.attempts.iter().map(attempt).collect(),
            log: run.log.to_string_lossy().into_owned(),
            log_bytes,
            last_words: run.last_words.clone(),
            notes: notes.to_vec(),
        }
    }

    /// The run and its notes; what is wrong with them otherwise.
    pub fn into_run(self) -> Result<(Run, Vec<String>), String> {
        let status = Status::ALL
            .into_iter()
            .find(|status| status.word() == self.status)
            .ok_or_else(|| format!("there is no status {:?}", self.status))?;
        let attempt = |shape: AttemptShape| {
            let AttemptShape { id, node, state, reason } = shape;
            Attempt { id, node, state, reason }
        };
        let run = Run {
            id: self.id,
            treatment: self.treatment,
            replicate: self.replicate,
            settings: read(self.settings),
            read_back: read(self.read_back),
            status,
            exit_code: self.exit_code,
            signal: self.signal,
            points: self.points,
            duration: Duration::try_from_secs_f64(self.seconds).unwrap_or_default(),
            node: self.node,
            attempts: self.attempts.into_iter().map(attempt).collect(),
            log: PathBuf::from(self.log),
            last_words: self.last_words,
        };
        Ok((run, self.notes))
    }
}

fn written(settings: &BTreeMap<SettingId, Level>) -> Settings {
    settings.iter().map(|(id, level)| (id.as_str().to_owned(), level.as_str().to_owned())).collect()
}

fn read(settings: Settings) -> BTreeMap<SettingId, Level> {
    settings.into_iter().map(|(id, level)| (SettingId::new(id), Level::new(level))).collect()
}
