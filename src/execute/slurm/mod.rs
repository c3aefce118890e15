//! Runs on the nodes of a Slurm cluster, through its command line.
//!
//! The truth about a run is the record that [`run_on_node`] writes on the shared file system, attempt by attempt; the
//! newest attempt counts. Slurm's own states, exit codes and log files were each seen to lie: Slurm only explains what is
//! missing from the record, and is asked to start and to cancel.

mod client;
mod environment;
mod files;
mod follow;
mod next;
mod node;
mod queue;
mod round;
mod submit;
mod track;

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::desk::Desk;
use super::signal::{Interrupt, Interrupts};
use super::{Entry, Executor, Finish, Listener};
use crate::error::{Error, Result};
use crate::model::Trial;

pub use node::run as run_on_node;
pub use submit::{Ask, shown as shown_submission};

/// Its line in the list.
pub const ENTRY: Entry = Entry {
    id: "slurm",
    summary: "jobs of a Slurm cluster, an array for each round; the record's folder must be on a file system that the nodes share",
    selectable: true,
};

/// How trials are carried out on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The audit's folder, absolute, on a file system that the nodes share.
    pub audit: PathBuf,
    /// Where runs are started that name no folder, absolute.
    pub folder: PathBuf,
    /// The program that runs on the nodes: this one, unless tests say otherwise.
    pub runner: PathBuf,
    /// What is asked of Slurm.
    pub ask: Ask,
    /// Whether to submit only, and not to wait.
    pub detach: bool,
    /// Whether runs write their standard output to a terminal.
    pub pty: bool,
    /// How often the record is looked at.
    pub look_every: Duration,
    /// How often Slurm is asked.
    pub ask_every: Duration,
    /// How long the file system may take to show what was written on a node.
    pub grace: Duration,
}

impl Options {
    /// The usual way, for the audit in `folder`, of jobs that run where this process does.
    ///
    /// # Errors
    /// Where the system does not say where we are or what we are.
    pub fn new(audit: &Path, ask: Ask) -> Result<Self> {
        let system = |doing: &str| {
            let doing = doing.to_owned();
            move |source| Error::System { doing, source }
        };
        Ok(Self {
            audit: audit.to_owned(),
            folder: std::env::current_dir().map_err(system("find the working folder"))?,
            runner: std::env::current_exe().map_err(system("find this program"))?,
            ask,
            detach: false,
            pty: false,
            look_every: Duration::from_millis(500),
            ask_every: Duration::from_secs(5),
            grace: Duration::from_secs(60),
        })
    }
}

/// Carries trials out as jobs of a cluster.
pub struct Slurm {
    options: Options,
    shared: PathBuf,
    runtime: Runtime,
    interrupts: Interrupts,
}

impl Slurm {
    /// Gets ready; submits nothing yet.
    ///
    /// # Errors
    /// Where an argument for `sbatch` is one that we give, or the system refuses what this needs.
    pub fn new(options: Options) -> Result<Self> {
        options.ask.check()?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::System { doing: "make ready to start programs".to_owned(), source })?;
        let interrupts = {
            let _inside = runtime.enter();
            Interrupts::listen()?
        };
        Ok(Self { shared: options.audit.join(files::SHARED), options, runtime, interrupts })
    }

    /// Makes ready what all submissions of the audit share.
    fn prepare(&self) -> Result<()> {
        let runner = self.shared.join("bin/repro-audit");
        files::folder(&self.shared.join("bin"))?;
        // A new name first: a runner that starts meanwhile finds the whole program or none.
        if !runner.exists() {
            let other = runner.with_extension(format!("{:016x}", random()));
            let made = fs::hard_link(&self.options.runner, &other)
                .or_else(|_| fs::copy(&self.options.runner, &other).map(drop));
            made.and_then(|()| fs::rename(&other, &runner)).map_err(Error::file("write", &runner))?;
        }
        environment::keep(&self.shared)
    }
}

impl Executor for Slurm {
    fn execute(&mut self, trials: &[Trial], listener: &mut dyn Listener) -> Result<Finish> {
        self.prepare()?;
        let desk = Desk::new(trials, listener);
        let mut round = round::Round::new(&self.options, &self.shared, &desk, trials)?;
        self.runtime.block_on(round.run(&mut self.interrupts))
    }

    /// As many as the cluster has room for, unless the user says how many.
    fn side_by_side(&mut self, _trials: &[Trial], asked: Option<usize>) -> Option<String> {
        self.options.ask.jobs = asked;
        None
    }

    fn interrupted(&mut self) -> Option<Interrupt> {
        self.runtime.block_on(tokio::task::yield_now());
        self.interrupts.pending()
    }

    fn holds(&self, trial: &Trial) -> bool {
        round::recover(&self.shared, trial).is_some()
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        if !self.options.detach {
            // It holds the user's secrets, and no run needs it any more.
            let _ = fs::remove_file(environment::path(&self.shared));
        }
    }
}

/// A number that nobody else has.
fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}
