//! `repro-audit.toml`: what it says is laid under what was typed.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use clap::Parser as _;
use toml::Value;

use crate::cli::{self, Cli, Command};
use crate::error::{Error, Result};
use crate::gate::Policy;
use crate::gate::project::{self, JobSpec, Project};

/// The file beside a project's jobs.
pub const FILE: &str = "repro-audit.toml";
/// Options that say the same thing in different ways: one typed replaces all that a file holds.
const REPEATS: &[&str] = &["times", "confidence", "detect"];

/// What the project file says; `None` where there is none.
///
/// # Errors
/// Where it cannot be read or makes no sense, with the line.
pub fn read() -> Result<Option<Project>> {
    let path = Path::new(FILE);
    match fs::read_to_string(path) {
        Ok(text) => project::parse(&text, &cli::project_options()).map(Some).map_err(malformed),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(Error::file("read", path)(why)),
    }
}

fn malformed(what: String) -> Error {
    Error::Malformed { path: Path::new(FILE).to_owned(), what }
}

/// A `run` with what the project file says wherever nothing was typed, and the command line that says the same by itself.
///
/// # Errors
/// Where the file makes no sense, or neither it nor the command line names a command.
pub fn run(typed: &cli::Run) -> Result<(cli::Run, Vec<String>)> {
    let project = read()?;
    if project.is_none() && typed.job.is_none() && !typed.command.is_empty() {
        return Ok((typed.clone(), std::env::args().collect()));
    }
    let spec = chosen(&project.unwrap_or_default(), typed)?;
    let command = if typed.command.is_empty() { spec.command.clone() } else { typed.command.clone() };
    if command.is_empty() {
        return Err(Error::Misuse(format!("no command: give it after `--`, or as `command` in {FILE}")));
    }
    let mut options = spec.options.clone();
    if spec.policy == Some(Policy::Invariant) {
        options.insert("policy".to_owned(), Value::String("invariant".to_owned()));
    }
    let options = over(options, &typed.typed.0);
    Ok((parse(&spec, &options, &command)?, line(&options, &command).map_err(Error::Misuse)?))
}

/// The job that is meant: the one named, the only one, or for a command of its own what counts for all.
fn chosen(project: &Project, typed: &cli::Run) -> Result<JobSpec> {
    let names = || project.jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>().join(", ");
    match (&typed.job, project.jobs.as_slice()) {
        (Some(name), jobs) => jobs.iter().find(|job| job.name == *name).cloned().ok_or_else(|| match jobs {
            [] => Error::Misuse(format!("--job names a job of {FILE}, and there is no such file here")),
            _ => Error::Misuse(format!("there is no job `{name}`; there are: {}", names())),
        }),
        (None, [only]) => Ok(only.clone()),
        (None, jobs) if jobs.is_empty() || !typed.command.is_empty() => Ok(project.common.clone()),
        (None, _) => Err(Error::Misuse(format!("there are several jobs: say which with --job: {}", names()))),
    }
}

/// Options of a file with those typed over them.
pub fn over(mut options: BTreeMap<String, Value>, typed: &[(String, Vec<String>)]) -> BTreeMap<String, Value> {
    if typed.iter().any(|(name, _)| REPEATS.contains(&name.as_str())) {
        options.retain(|name, _| !REPEATS.contains(&name.as_str()));
    }
    options.extend(typed.iter().map(|(name, values)| (name.clone(), project::value(values))));
    options
}

fn line(options: &BTreeMap<String, Value>, command: &[String]) -> std::result::Result<Vec<String>, String> {
    let arguments = project::arguments(options)?;
    let line = ["repro-audit", "run"].map(str::to_owned).into_iter().chain(arguments);
    Ok(line.chain(["--".to_owned()]).chain(command.iter().cloned()).collect())
}

/// Options as `run` understands them.
///
/// # Errors
/// Where it does not: with the line, where the option stands in the project file.
pub fn parse(spec: &JobSpec, options: &BTreeMap<String, Value>, command: &[String]) -> Result<cli::Run> {
    let wrong = |what: &str| {
        let named = |name: &str| [' ', '\'', '`'].iter().any(|end| what.contains(&format!("{name}{end}")));
        let at = spec.lines.iter().find(|(name, _)| named(&format!("--{name}")) || named(&format!("`{name}")));
        match at {
            Some((_, line)) => malformed(format!("line {line}: {what}")),
            None => Error::Misuse(format!("the options of job {} make no sense: {what}", spec.name)),
        }
    };
    match Cli::try_parse_from(line(options, command).map_err(|what| wrong(&what))?) {
        Ok(Cli { command: Command::Run(run) }) => Ok(*run),
        Ok(_) => Err(wrong("they are none of `run`")),
        Err(told) => {
            let told = told.to_string();
            Err(wrong(told.lines().next().unwrap_or_default().trim_start_matches("error: ")))
        }
    }
}
