//! Which jobs a gate runs and how: the command line first, then `repro-audit.toml`, then what was accepted.

use std::collections::BTreeMap;

use toml::Value;

use crate::cli;
use crate::command::project::{self as file, FILE};
use crate::error::{Error, Result};
use crate::gate::project::{self, JobSpec};
use crate::gate::{Baseline, Policy};

/// Options that say how the answer is written.
const OUTPUT: &[&str] = &["format", "output", "color", "quiet"];
/// Options that say where and how runs are made, not what is compared: they are not part of what is accepted.
const LOCAL: &[&str] = &["record", "jobs", "max-runs", "no-blame"];

/// Options that say what is compared, and by which rule: where the file changed one since acceptance, another thing is tested.
const COMPARED: &[&str] = &["metric", "pattern", "tolerance", "steps", "level", "checkpoints", "metric-files"];

/// How the answer is written: as typed, then as the project file says for all jobs.
///
/// # Errors
/// Where the file makes no sense.
pub fn output(typed: &cli::Gate) -> Result<cli::Output> {
    let Some(project) = file::read()? else { return Ok(typed.output.clone()) };
    let mut options = file::over(project.common.options.clone(), &typed.typed.0);
    options.retain(|name, _| OUTPUT.contains(&name.as_str()));
    Ok(file::parse(&project.common, &options, &["job".to_owned()])?.output)
}

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
    /// Options that say what is compared, and that are not as accepted although nobody typed them.
    pub not_accepted: Vec<String>,
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

/// Jobs that were accepted, and that the project file, where there is one, no longer names.
///
/// # Errors
/// Where the file makes no sense.
pub fn no_longer_named(known: Option<&Baseline>) -> Result<Vec<String>> {
    let Some(project) = file::read()? else { return Ok(Vec::new()) };
    let is_named = |name: &&String| project.jobs.iter().any(|job| job.name == **name);
    let accepted = known.iter().flat_map(|known| known.job.keys());
    Ok(accepted.filter(|name| !is_named(name)).cloned().collect())
}

/// The jobs by name, with what the files say of them.
fn named(typed: &cli::Gate, known: Option<&Baseline>) -> Result<Vec<JobSpec>> {
    let project = file::read()?.map(|project| project.jobs);
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
        ..JobSpec::default()
    };
    baseline.job.iter().map(spec).collect()
}

/// Whether what is run is what is always run: nothing was typed that would have to be accepted with it.
pub fn as_usual(typed: &cli::Gate) -> bool {
    typed.options.0.iter().all(|(name, _)| LOCAL.contains(&name.as_str()))
}

/// Lays what was typed over what the files say.
fn job(typed: &cli::Gate, spec: JobSpec, known: Option<&Baseline>) -> Result<Job> {
    let record = known.and_then(|known| known.job.get(&spec.name));
    let accepted = || record.map(|record| record.command.clone()).unwrap_or_default();
    let command = if spec.command.is_empty() { accepted() } else { spec.command.clone() };
    if command.is_empty() {
        return Err(Error::Misuse(format!(
            "no command is known for job {}: give it after `--`, or as `command` in {FILE}",
            spec.name
        )));
    }
    let mut options = file::over(spec.options.clone(), &typed.options.0);
    options.retain(|name, _| !OUTPUT.contains(&name.as_str()));
    let policy = typed.policy.map(policy).or(spec.policy).or(record.map(|record| record.policy)).unwrap_or_default();
    let run = file::parse(&spec, &options, &command)?;
    options.retain(|name, _| !LOCAL.contains(&name.as_str()));
    let shortened = !typed.accept && typed.options.0.iter().any(|(name, _)| name == "steps");
    let changed = |name: &&&str| {
        let typed = typed.options.0.iter().any(|(typed, _)| typed == **name);
        !typed && record.is_some_and(|record| record.options.get(**name) != options.get(**name))
    };
    let not_accepted = COMPARED.iter().filter(changed).map(|name| (*name).to_owned()).collect();
    Ok(Job { name: spec.name, policy, command, options, not_accepted, shortened, run })
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
