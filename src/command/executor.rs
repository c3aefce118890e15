//! Which executor carries an audit out, and how it is set up.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::execute::{self, Executor, Local, Slurm, SlurmAsk, SlurmOptions};
use crate::record::{Record, Recorded};

use super::request::{Place, Request};

/// The executor of an audit; one that is taken up goes on where it was begun.
///
/// # Errors
/// Where the system or the options for Slurm make it impossible.
pub fn of(request: &Request, record: &Record, recorded: Option<&Recorded>) -> Result<Box<dyn Executor>> {
    match &request.place {
        Place::Here => {
            let options = execute::Options {
                sole: true,
                pty: request.pty,
                cards: execute::visible_cards(),
                ..execute::Options::default()
            };
            Ok(Box::new(Local::new(options)?))
        }
        Place::Slurm { ask, detach } => {
            let options = SlurmOptions::new(record.folder(), ask.clone())?;
            let begun_in: Option<PathBuf> = recorded.map(|recorded| recorded.header.folder.clone());
            let options = SlurmOptions {
                folder: begun_in.unwrap_or_else(|| options.folder.clone()),
                detach: *detach,
                pty: request.pty,
                ..options
            };
            Ok(Box::new(Slurm::new(options)?))
        }
    }
}

/// What the options of a request ask of Slurm.
pub fn ask(request: &Request, arguments: &[String]) -> Result<SlurmAsk> {
    let ask =
        SlurmAsk { jobs: request.jobs, timeout: request.timeout, cores: cores(request), arguments: arguments.to_vec() };
    ask.check()?;
    Ok(ask)
}

/// The most threads that any treatment asks for. Every run gets as many cores: a job sees how many it has, and would start
/// another number of threads where that differs.
fn cores(request: &Request) -> Option<usize> {
    let levels = request.treatments.iter().flat_map(|treatment| &treatment.settings);
    levels.filter(|(id, _)| id.as_str() == "threads").filter_map(|(_, level)| level.as_str().parse().ok()).max()
}

/// Refuses options that belong to another executor.
///
/// # Errors
/// Names the option.
pub fn check(slurm: bool, arguments: &[String], detach: bool) -> Result<()> {
    let stray = [("--slurm-arg", !arguments.is_empty()), ("--detach", detach)];
    match stray.iter().find(|(_, given)| *given && !slurm) {
        Some((option, _)) => Err(Error::Misuse(format!("{option} goes with --executor slurm"))),
        None => Ok(()),
    }
}
