//! What can happen while trials are executed: the one closed list that joins work to display and record.

use std::time::Duration;

use super::{Attempt, Status};

/// Which of its two outputs a run wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
    /// Standard output of one of several ranks, where their launcher keeps them apart.
    Rank(u32),
}

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent<'a> {
    /// Its process was started.
    Started {
        /// Id of the run.
        run: &'a str,
        /// Process id; 0 where it is on another machine.
        process: u32,
    },
    /// Another attempt at it has begun: what it wrote before counts no more.
    Restarted {
        /// Id of the run.
        run: &'a str,
    },
    /// Something that a reader should see now: where it waits, why it is attempted again.
    Noted {
        /// Id of the run.
        run: &'a str,
        /// What; untrusted.
        note: &'a str,
    },
    /// It wrote these bytes, in this order, cut anywhere.
    Wrote {
        /// Id of the run.
        run: &'a str,
        /// Where to.
        stream: Stream,
        /// What; untrusted.
        bytes: &'a [u8],
    },
    /// It is gone, its outputs are drained and its files are closed.
    Ended {
        /// Id of the run.
        run: &'a str,
        /// How.
        status: Status,
        /// The exit code, where it ended with one.
        exit_code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// From start to end.
        duration: Duration,
        /// Host it ran on.
        node: &'a str,
        /// Every attempt at it, oldest first, where a scheduler may start it again.
        attempts: &'a [Attempt],
        /// Anything a reader must know: "left 2 processes behind, ended", "standard output could not be written: disk full".
        notes: &'a [String],
    },
}

/// What the listener wants after an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    #[default]
    Continue,
    /// Stop these runs; they end as [`Status::Stopped`].
    Stop(Vec<String>),
    /// Stop every run and start no more.
    StopAll,
}
