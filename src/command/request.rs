//! What was typed to what it means: options and defaults resolved once, before anything runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli;
use crate::error::{Error, Result};
use crate::execute::SlurmAsk;
use crate::model::{Environment, Level, Setting, SettingId, Tolerance, Treatment};
use crate::plan::{self, Catalogue, Design};
use crate::{blame, parse, probe};

use super::checkpoint::runs;
use super::executor;
use super::metric_files;
use super::own_folder::OwnFolder;
use super::watch::StopRule;
use super::words;

/// A resolved `run`.
pub struct Request {
    /// The whole command line, as a record keeps it to be continued.
    pub line: Vec<String>,
    /// The job's command, placeholders as typed.
    pub command: Vec<String>,
    /// What can be set and varied.
    pub catalogue: Catalogue,
    /// The treatments, reference first.
    pub treatments: Vec<Treatment>,
    /// Runs per treatment.
    pub times: u32,
    /// Whether a varied setting that changes the result makes the audit fail.
    pub invariant: bool,
    /// Runs at the same time; `None` for the default.
    pub jobs: Option<usize>,
    /// Longest time of one run.
    pub timeout: Option<Duration>,
    /// Variables for every run.
    pub environment: BTreeMap<String, String>,
    /// Where runs are carried out.
    pub place: Place,
    /// Whether each run gets a terminal.
    pub pty: bool,
    /// Where audits are kept.
    pub record: PathBuf,
    /// When a run has shown enough.
    pub stop: StopRule,
    /// How logs are read.
    pub reading: parse::Options,
    /// What counts as equal.
    pub tolerance: Tolerance,
    /// The single metric to compare, where one was asked for.
    pub metric: Option<String>,
    /// Whether the cause is searched for.
    pub blame: bool,
    /// Whether the job's process may be entered.
    pub shim: bool,
    /// How sure an acquittal has to be, where that was asked for.
    pub confidence: Option<f64>,
    /// The share of runs that part which must not go unseen, where that was asked for.
    pub detect: Option<f64>,
    /// Most runs in all, where that was asked for.
    pub max_runs: Option<usize>,
    /// How much recorded runs record, where that was asked for.
    pub level: Option<cli::RecordLevel>,
    /// Whether to prove that recording does not change the job.
    pub check_observer: bool,
    /// Which of the checkpoints that each run saves in its own folder are compared, where that was asked for.
    pub checkpoints: Option<String>,
    /// Whether each run writes metric files in its own folder, which are compared instead of what it prints.
    pub metric_files: bool,
}

/// Where runs are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Here,
    /// As jobs of a Slurm cluster.
    Slurm {
        /// What is asked of Slurm.
        ask: SlurmAsk,
        /// Whether to submit only, and not to wait.
        detach: bool,
    },
}

impl Request {
    /// The folders that each run has for itself.
    pub fn own_folders(&self) -> impl Iterator<Item = OwnFolder> {
        let checkpoints = self.checkpoints.as_ref().map(|_| runs::OWN);
        checkpoints.into_iter().chain(self.metric_files.then_some(metric_files::OWN))
    }

    /// Resolves the options of `run`.
    ///
    /// # Errors
    /// Where they make no sense: the message says what to type instead.
    pub fn new(typed: &cli::Run) -> Result<Self> {
        let catalogue = Catalogue::built_in()?;
        let set = typed.set.iter().map(|text| words::set(text, &catalogue)).collect::<Result<Vec<_>>>()?;
        let vary = typed.vary.iter().map(|text| words::vary(text, &catalogue)).collect::<Result<Vec<_>>>()?;
        check_once(set.iter().map(|(setting, _)| setting).chain(vary.iter().map(|(setting, _)| setting)))?;
        check_placeholders(set.iter().map(|(s, _)| s).chain(vary.iter().map(|(s, _)| s)), &typed.command)?;
        let set: Vec<(SettingId, Level)> = set.into_iter().map(|(setting, level)| (setting.id, level)).collect();
        let varied: Vec<(SettingId, Vec<Level>)> =
            vary.into_iter().map(|(setting, levels)| (setting.id, levels)).collect();
        let design = match typed.design {
            cli::Design::OneAtATime => Design::OneAtATime,
            cli::Design::Full => Design::Full,
        };
        if let Some(pattern) = &typed.checkpoints {
            runs::check(pattern, &typed.command)?;
        }
        if typed.metric_files {
            metric_files::check(&typed.command)?;
        }
        let tolerance = words::tolerance(typed.comparison.tolerance.as_deref())?;
        if typed.steps == Some(0) {
            return Err(Error::Misuse("--steps needs at least 1: no point leaves nothing to compare".to_owned()));
        }
        let slurm = typed.executor == "slurm";
        executor::check(slurm, &typed.slurm_arg, typed.detach)?;
        let mut request = Self {
            line: std::env::args().collect(),
            command: typed.command.clone(),
            treatments: plan::treatments(&set, &varied, design),
            times: times(typed)?,
            invariant: typed.policy == cli::Policy::Invariant,
            jobs: jobs(typed.jobs)?,
            timeout: typed.timeout.as_deref().map(words::duration).transpose()?,
            environment: words::variables(&typed.env)?,
            pty: typed.pty,
            record: typed.record.clone(),
            stop: StopRule {
                after_divergence: (!typed.full_length).then_some(typed.max_steps_after),
                first_divergence_ends_all: false,
                after_points: typed.steps,
                counted: None,
                tolerance,
            },
            reading: reading_options(typed.comparison.metric.as_deref(), typed.comparison.pattern.as_deref())?,
            tolerance,
            metric: typed.comparison.metric.clone(),
            blame: !typed.no_blame,
            shim: !typed.no_shim,
            confidence: typed.confidence,
            detect: typed.detect,
            max_runs: typed.max_runs,
            level: typed.level,
            check_observer: typed.check_observer,
            checkpoints: typed.checkpoints.clone(),
            metric_files: typed.metric_files,
            catalogue,
            place: Place::Here,
        };
        let planned = request.treatments.len() * request.times as usize;
        if let Some(most) = request.max_runs.filter(|most| *most < planned) {
            return Err(Error::Misuse(format!(
                "--max-runs {most} leaves no room for the {planned} runs that are asked for"
            )));
        }
        if slurm {
            request.place = Place::Slurm { ask: executor::ask(&request, &typed.slurm_arg)?, detach: typed.detach };
        }
        Ok(request)
    }

    /// Variables set for every run. Without PYTHONUNBUFFERED a Python job's lines arrive hundreds at a time, long after
    /// they were printed, and a run could not be stopped when it parts.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::from([("PYTHONUNBUFFERED".to_owned(), "1".to_owned())]);
        variables.extend(self.environment.clone());
        variables
    }

    /// The facts of the machine and the versions of what the job will use.
    pub fn surroundings(&self) -> Environment {
        let mut environment = probe::machine();
        let software = probe::software(&self.command, &self.environment);
        environment.facts.extend(software.map(|software| software.facts).unwrap_or_default());
        environment
    }

    /// The catalogue's entries for the levels of a treatment.
    ///
    /// # Errors
    /// Where a setting is not in the catalogue.
    pub fn levels(&self, settings: &BTreeMap<SettingId, Level>) -> Result<Vec<(Setting, Level)>> {
        settings.iter().map(|(id, level)| Ok((self.catalogue.find(id.as_str())?, level.clone()))).collect()
    }
}

/// How logs are read.
///
/// # Errors
/// Where the pattern is no regular expression or lacks the group `value`.
pub fn reading_options(metric: Option<&str>, pattern: Option<&str>) -> Result<parse::Options> {
    let pattern = pattern.map(parse::Pattern::new).transpose()?;
    Ok(parse::Options { metric: metric.map(str::to_owned), pattern })
}

fn times(typed: &cli::Run) -> Result<u32> {
    match (typed.times, typed.confidence, typed.detect) {
        (Some(times), ..) if times >= 2 => Ok(times),
        (Some(_), ..) => {
            Err(Error::Misuse("--times needs at least 2: one run has nothing to be compared with".to_owned()))
        }
        (None, Some(confidence), Some(detect)) => {
            let share = |x: f64| x > 0.0 && x < 1.0;
            if !share(confidence) || !share(detect) {
                return Err(Error::Misuse("--confidence and --detect take shares between 0 and 1".to_owned()));
            }
            let repeats = blame::repeats_for(confidence, detect).and_then(|repeats| u32::try_from(repeats).ok());
            repeats.ok_or_else(|| Error::Misuse("no sane number of repeats shows so rare a divergence".to_owned()))
        }
        _ => Ok(3),
    }
}

fn jobs(typed: Option<usize>) -> Result<Option<usize>> {
    match typed {
        Some(0) => Err(Error::Misuse("--jobs needs at least 1".to_owned())),
        jobs => Ok(jobs),
    }
}

fn check_once<'a>(settings: impl Iterator<Item = &'a Setting>) -> Result<()> {
    let mut seen: Vec<&SettingId> = Vec::new();
    for setting in settings {
        if seen.contains(&&setting.id) {
            return Err(Error::Misuse(format!("{} is set or varied twice", setting.id)));
        }
        seen.push(&setting.id);
    }
    Ok(())
}

/// To set or vary `arg.NAME` without `{NAME}` in the command can only be a mistake.
fn check_placeholders<'a>(settings: impl Iterator<Item = &'a Setting>, command: &[String]) -> Result<()> {
    for setting in settings {
        let Some(name) = setting.id.argument() else { continue };
        if !command.iter().any(|word| word.contains(&format!("{{{name}}}"))) {
            return Err(Error::Misuse(format!("{} is set or varied, but the command has no {{{name}}}", setting.id)));
        }
    }
    Ok(())
}
