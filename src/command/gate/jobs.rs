//! Which jobs a gate runs and how: the command line first, then `repro-audit.toml`, then what was accepted.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use clap::Parser as _;
use toml::Value;

use crate::cli::{self, Cli, Command};
use crate::error::{Error, Result};
use crate::gate::project::{self, JobSpec};
use crate::gate::{Baseline, Policy};

/// The file beside a project's jobs.
const PROJECT: &str = "repro-audit.toml";
/// Options that say where and how runs are made, not what is compared: they are not part of what is accepted.
const LOCAL: &[&str] = &["record", "jobs", "max-runs", "no-blame"];
/// Options that say the same thing in different ways: one typed replaces all that a file holds.
const REPEATS: &[&str] = &["times", "confidence", "detect"];

/// A job that is to be run.
pub struct Job {
    /// Its name.
    pub name: String,
    /// What makes its gate fail.
    pub policy: Policy,
    /// Its command.
    pub command: Vec<String>,
    /// The options that are part of what is accepted.
    pub options: BTreeMap<String, Value>,
    /// Whether `--steps` was typed: then fewer points than accepted are no surprise.
    pub shortened: bool,
    /// The same as a `run`.
    pub run: cli::Run,
}

/// Finds out what to run.
///
/// # Errors
/// Where a file or the command line makes no sense, or no command is named anywhere.
pub fn resolve(typed: &cli::Gate, known: Option<&Baseline>) -> Result<Vec<Job>> {
    let mut specs = named(typed, known)?;
    if !typed.command.is_empty() {
        let [only] = specs.as_mut_slice() else {
            return Err(Error::Misuse(
                "there are several jobs: say which one the command is for with --job".to_owned(),
            ));
        };
        only.command.clone_from(&typed.command);
    }
    specs.into_iter().map(|spec| job(typed, spec, known)).collect()
}

/// The jobs by name, with what the files say of them.
fn named(typed: &cli::Gate, known: Option<&Baseline>) -> Result<Vec<JobSpec>> {
    let project = project_file(Path::new(PROJECT))?;
    let anew = typed.accept && !typed.command.is_empty();
    let specs = match project {
        Some(specs) => specs,
        // What is accepted anew begins with what was typed, so that an option can also be left out again.
        None if anew => Vec::new(),
        None => known.map(accepted).unwrap_or_default(),
    };
    let new = |name: &str| JobSpec { name: name.to_owned(), ..JobSpec::default() };
    match typed.job.as_slice() {
        [] if specs.is_empty() => Ok(vec![new(project::DEFAULT)]),
        [] => Ok(specs),
        [one] if specs.iter().all(|spec| spec.name != *one) && !typed.command.is_empty() => Ok(vec![new(one)]),
        names => {
            let find =
                |name: &String| {
                    let all: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
                    specs.iter().find(|spec| spec.name == *name).cloned().ok_or_else(|| {
                        Error::Misuse(format!("there is no job `{name}`; there are: {}", all.join(", ")))
                    })
                };
            names.iter().map(find).collect()
        }
    }
}

fn accepted(baseline: &Baseline) -> Vec<JobSpec> {
    let spec = |(name, record): (&String, &crate::gate::JobRecord)| JobSpec {
        name: name.clone(),
        command: record.command.clone(),
        policy: Some(record.policy),
        options: record.options.clone(),
    };
    baseline.job.iter().map(spec).collect()
}

fn project_file(path: &Path) -> Result<Option<Vec<JobSpec>>> {
    match fs::read_to_string(path) {
        Ok(text) => project::parse(&text).map(Some).map_err(|what| Error::Malformed { path: path.to_owned(), what }),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(Error::file("read", path)(why)),
    }
}

/// Whether what is run is what is always run: nothing was typed that would have to be accepted with it.
pub fn as_usual(typed: &cli::Gate) -> bool {
    typed.options.0.iter().all(|(name, _)| LOCAL.contains(&name.as_str()))
}

/// Lays what was typed over what the files say.
fn job(typed: &cli::Gate, spec: JobSpec, known: Option<&Baseline>) -> Result<Job> {
    let record = known.and_then(|known| known.job.get(&spec.name));
    let command =
        if spec.command.is_empty() { record.map(|r| r.command.clone()).unwrap_or_default() } else { spec.command };
    if command.is_empty() {
        return Err(Error::Misuse(format!(
            "no command is known for job {}: give it after `--`, or as `command` in {PROJECT}",
            spec.name
        )));
    }
    let mut options = spec.options;
    if typed.options.0.iter().any(|(name, _)| REPEATS.contains(&name.as_str())) {
        options.retain(|name, _| !REPEATS.contains(&name.as_str()));
    }
    options.extend(typed.options.0.iter().map(|(name, values)| (name.clone(), project::value(values))));
    let policy = typed.policy.map(policy).or(spec.policy).or(record.map(|record| record.policy)).unwrap_or_default();
    let run = parse(&spec.name, &options, &command)?;
    options.retain(|name, _| !LOCAL.contains(&name.as_str()));
    let shortened = !typed.accept && typed.options.0.iter().any(|(name, _)| name == "steps");
    Ok(Job { name: spec.name, policy, command, options, shortened, run })
}

/// The policy that was typed.
pub fn policy(typed: cli::GatePolicy) -> Policy {
    match typed {
        cli::GatePolicy::Repeatable => Policy::Repeatable,
        cli::GatePolicy::Invariant => Policy::Invariant,
        cli::GatePolicy::Golden => Policy::Golden,
        cli::GatePolicy::Envelope => Policy::Envelope,
        cli::GatePolicy::Known => Policy::Known,
    }
}

/// The options as `run` understands them.
fn parse(name: &str, options: &BTreeMap<String, Value>, command: &[String]) -> Result<cli::Run> {
    let wrong = |what: &str| Error::Misuse(format!("the options of job {name} make no sense: {what}"));
    let arguments = project::arguments(options).map_err(|what| wrong(&what))?;
    let line = ["repro-audit", "run"].map(str::to_owned).into_iter().chain(arguments);
    let line = line.chain(["--".to_owned()]).chain(command.iter().cloned());
    match Cli::try_parse_from(line) {
        Ok(Cli { command: Command::Run(run) }) => Ok(*run),
        Ok(_) => Err(wrong("they are none of `run`")),
        Err(told) => {
            let told = told.to_string();
            let first = told.lines().next().unwrap_or_default();
            Err(wrong(first.trim_start_matches("error: ")))
        }
    }
}
