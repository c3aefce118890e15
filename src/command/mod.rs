//! One file per subcommand; the only place where stages meet.

mod blame;
mod campaign;
mod checkpoint;
mod diff;
mod dry_run;
mod env;
mod exec_trial;
mod executor;
mod explain;
mod findings;
mod gate;
mod inside;
mod inspect;
mod judge;
mod leftovers;
mod lockstep;
mod metric_files;
mod nodes;
mod objections;
mod observe;
mod order;
mod output;
mod outputs;
mod overall;
mod own_folder;
mod probe;
mod project;
mod proof;
mod ranks;
mod report;
mod request;
mod resume;
mod run;
mod saved;
mod settings;
mod stored;
pub mod watch;
mod window;
mod without_card;
mod words;

use std::ffi::OsString;
use std::io;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};
use crate::error::{Error, Result};
use crate::exit;

/// Runs the command line `arguments` (program name first) and gives the exit code.
///
/// # Errors
/// Where the tool itself failed or was misused; a job that crashes or parts is no error.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Result<u8> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(told) => {
            // clap knows which stream and colours its own text wants; a closed reader is not our failure.
            let _ = told.print();
            return Ok(if told.use_stderr() { exit::FAILED } else { exit::AGREED });
        }
    };
    match cli.command {
        Command::Run(typed) => run::run(&typed),
        Command::Gate(typed) => gate::gate(&typed),
        Command::Diff(typed) => diff::diff(&typed),
        Command::Resume(typed) => resume::resume(&typed),
        Command::Inspect(typed) => inspect::inspect(&typed),
        Command::Report(typed) => report::report(&typed),
        Command::Settings(typed) => settings::settings(&typed),
        Command::Env(typed) => env::env(&typed),
        Command::Probe(typed) => probe::probe(&typed),
        Command::ExecTrial(typed) => exec_trial::exec_trial(&typed),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "repro-audit", &mut io::stdout().lock());
            Ok(exit::AGREED)
        }
        Command::Man => {
            let page = clap_mangen::Man::new(Cli::command());
            let written = page.render(&mut io::stdout().lock());
            written.map_err(|source| Error::System { doing: "write to standard output".to_owned(), source })?;
            Ok(exit::AGREED)
        }
    }
}
