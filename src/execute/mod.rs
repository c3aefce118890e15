//! Trials to runs: starts each trial's process, drains its outputs, tells a listener what happens as run events.
//!
//! In: [`Trial`]s. Out: [`RunEvent`]s, in the order in which they happened, and per run the files `stdout.log` and
//! `stderr.log` in its folder. The call blocks; tokio stays inside. Whatever happens to the audit, nothing that a trial
//! started is left running.

mod capture;
mod cards;
mod desk;
mod jobs;
mod kernel;
mod life;
mod local;
mod ranks;
mod replay;
mod scripted;
mod signal;
mod slurm;
mod terminal;
mod tree;
mod watchdog;

pub use cards::visible_cards;
pub use local::{Local, Options};
pub use ranks::logs as rank_logs;
pub use replay::Replay;
pub use scripted::{Ending, Script, Scripted};
pub use signal::Interrupt;
pub use slurm::{Ask as SlurmAsk, Options as SlurmOptions, Slurm, run_on_node, shown_submission};

use crate::error::Error;
use crate::model::{Control, RunEvent, Trial};

/// Carries trials out. A run that crashes, hangs or is lost is a result; an error is a failure of the tool itself.
pub trait Executor {
    /// Carries out `trials`, in order as far as they do not go side by side, and tells `listener` what happens.
    ///
    /// Every trial gets exactly one [`RunEvent::Ended`], also one that was never started.
    fn execute(&mut self, trials: &[Trial], listener: &mut dyn Listener) -> Result<Finish, Error>;

    /// Settles how many of these trials go side by side from now on: as many as were `asked` for, or as many as do not
    /// disturb one another. Gives why they could all the same.
    fn side_by_side(&mut self, _trials: &[Trial], _asked: Option<usize>) -> Option<String> {
        None
    }

    /// A request to end the audit that came after the last run was over.
    fn interrupted(&mut self) -> Option<Interrupt> {
        None
    }

    /// Whether an earlier part of the audit has started this very trial and it may still be going on; executing it then
    /// means to wait for it.
    fn holds(&self, _trial: &Trial) -> bool {
        false
    }
}

/// Hears what happens, and decides what goes on.
pub trait Listener {
    /// Called for every event, in order, on the caller's thread; what takes long here slows the runs down.
    fn on(&mut self, event: &RunEvent<'_>) -> Control;
}

impl<F: FnMut(&RunEvent<'_>) -> Control> Listener for F {
    fn on(&mut self, event: &RunEvent<'_>) -> Control {
        self(event)
    }
}

/// How a call of [`Executor::execute`] came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Every trial was carried out or stopped one by one.
    Complete,
    /// The listener stopped them all.
    Stopped,
    /// The user or the system asked the audit to end; unfinished runs are lost, finished ones stay.
    Interrupted(Interrupt),
    /// The trials were handed over to a scheduler and are not waited for.
    Detached,
}

/// An entry of the list of executors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub id: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// Whether a user may ask for it with `--executor`.
    pub selectable: bool,
}

/// Every executor; all emit the same run events.
pub const EXECUTORS: &[Entry] = &[local::ENTRY, slurm::ENTRY, replay::ENTRY, scripted::ENTRY];

/// Name of the variable by which every process of a run can be known, whatever its session or parent.
pub const RUN_VARIABLE: &str = "REPRO_AUDIT_RUN";
