//! The life of one run, from the start of its process to the last byte and the last process of it.

use std::cell::Cell;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use tokio::process::Child;
use tokio::time::Instant;

use super::capture::{self, Capture};
use super::desk::{Desk, Order, Orders};
use super::ranks::{self, Ranks};
use super::terminal::Terminal;
use super::tree::{Mark, Process};
use super::{RUN_VARIABLE, kernel, signal};
use crate::error::Error;
use crate::model::{Launch, RunEvent, Status, Stream, Trial};

/// How often the processes of a run that is coming to its end are looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How often those of a run that goes on are: who dies unseen by its parent is reaped, who may be orphaned is remembered.
const SWEEP: Duration = Duration::from_secs(10);
/// How often it is looked whether a launcher keeps the outputs of ranks apart.
const RANKS_APPEAR: Duration = Duration::from_millis(500);
/// How often those are read: much less often than a step takes, for as many ranks as one machine holds.
const RANKS_WRITE: Duration = Duration::from_millis(50);
/// How long what a run leaves behind may go on by itself; a `tee` that still writes needs it.
const LINGER: Duration = Duration::from_millis(500);
/// How long it may go on while it still writes.
const LONGEST_LINGER: Duration = Duration::from_secs(5);
/// How long an output may stay silent once all processes of the run are gone: only a stranger can still hold it open.
const DRAIN: Duration = Duration::from_millis(200);
/// How long it is read at all then.
const LONGEST_DRAIN: Duration = Duration::from_secs(2);
/// How long a process is waited for that has been ended and does not go (it hangs in the kernel, or is another user's).
const PATIENCE: Duration = Duration::from_secs(5);

/// What all runs of an audit have in common.
pub struct Common<'a> {
    /// Where to report.
    pub desk: &'a Desk<'a>,
    /// Between asking a run to end and ending it.
    pub grace: Duration,
    /// Host we are on.
    pub node: &'a str,
    /// Whether a process is somebody else's: the watchdog, the main process of another run.
    pub others: &'a dyn Fn(u32, &str) -> bool,
    /// Processes that the kernel had ended for want of memory when this was last looked at.
    pub killed: &'a Cell<Option<u64>>,
    /// Whether every orphan must be this run's, since no other run is going.
    pub sole: &'a dyn Fn() -> bool,
}

/// A run that is going.
pub struct Life<'a> {
    trial: &'a Trial,
    child: Child,
    mark: Mark,
    born: Instant,
    output: Capture,
    error: Capture,
    ranks: Ranks,
    orders: Rc<Orders>,
    notes: Vec<String>,
}

/// How far its end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Going,
    Asked { until: Instant },
    Ended { until: Instant },
}

/// Where runs write to.
#[derive(Clone, Copy, Debug)]
pub struct Outputs {
    /// A terminal.
    pub pty: bool,
    /// Their files, without us in between.
    pub straight: bool,
}

/// Starts the process of a trial. `card` is the only card that it may see.
pub fn start<'a>(
    trial: &'a Trial,
    orders: Rc<Orders>,
    nonce: String,
    card: Option<&str>,
    outputs: Outputs,
) -> Result<Life<'a>, Error> {
    let launch = &trial.launch;
    let mut notes = Vec::new();
    if let Err(why) = make_folder(&launch.record) {
        notes.push(format!("the run's folder {} could not be made: {why}", launch.record.display()));
    }
    let mut command = command(launch, &nonce, card)?;
    let terminal = if outputs.pty { Some(Terminal::open(&mut command)?) } else { None };
    if outputs.straight && terminal.is_none() {
        command.stdout(capture::create(&launch.record, Stream::Output)?);
        command.stderr(capture::create(&launch.record, Stream::Error)?);
    }
    let program = launch.command.first().cloned().unwrap_or_default();
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Error::Launch { program, source })?;
    let born = Instant::now();
    let main = child.id().unwrap_or_default();
    let output: Option<capture::Pipe> = match terminal {
        Some(terminal) => Some(Box::new(terminal.reader()?)),
        None => child.stdout.take().map(|pipe| Box::new(pipe) as _),
    };
    let error = child.stderr.take().map(|pipe| Box::new(pipe) as _);
    Ok(Life {
        trial,
        child,
        mark: Mark::new(main, nonce),
        born,
        output: Capture::new(Stream::Output, output, &launch.record),
        error: Capture::new(Stream::Error, error, &launch.record),
        ranks: Ranks::new(&launch.record),
        orders,
        notes,
    })
}

fn command(launch: &Launch, nonce: &str, card: Option<&str>) -> Result<Command, Error> {
    let Some((program, arguments)) = launch.command.split_first() else {
        return Err(Error::Misuse("there is no command to run; give one after `--`".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(folder) = &launch.folder {
        // Without this a folder that is not there would read as a program that is not there.
        fs::read_dir(folder).map_err(Error::file("enter", folder))?;
        command.current_dir(folder);
    }
    if let Some(card) = card {
        command.env(super::cards::VARIABLE, card);
    }
    for (name, value) in &launch.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    for (name, value) in ranks::variables(&launch.record, &launch.environment) {
        command.env(name, value);
    }
    command.env(RUN_VARIABLE, nonce);
    kernel::isolate(&mut command);
    Ok(command)
}

impl Life<'_> {
    /// The main process.
    pub fn process(&self) -> u32 {
        self.mark.main()
    }

    /// Drains and watches the run until nothing of it is left, and tells how it ended.
    pub async fn live(mut self, common: &Common<'_>) {
        let run = &self.trial.run;
        let (desk, orders) = (common.desk, Rc::clone(&self.orders));
        desk.tell(&RunEvent::Started { run, process: self.mark.main() });

        let mut phase = Phase::Going;
        let mut order = Order::Go;
        let mut cause: Option<Status> = None;
        let mut exit: Option<(Option<ExitStatus>, Instant)> = None;
        let mut empty_since: Option<Instant> = None;
        let mut heard = self.born;
        let mut next_look: Option<Instant> = None;
        let mut next_sweep = self.born + SWEEP;
        let mut next_ranks = self.born + RANKS_APPEAR;
        let deadline = self.trial.launch.timeout.and_then(|timeout| self.born.checked_add(timeout));

        loop {
            let wake = next_look.unwrap_or_else(|| deadline.map_or(next_sweep, |deadline| deadline.min(next_sweep)));
            let wake = wake.min(next_ranks);
            tokio::select! {
                count = self.output.read(), if self.output.is_open() => {
                    hear(desk, run, self.output.keep(count));
                    heard = Instant::now();
                }
                count = self.error.read(), if self.error.is_open() => {
                    hear(desk, run, self.error.keep(count));
                    heard = Instant::now();
                }
                status = self.child.wait(), if exit.is_none() => {
                    let now = Instant::now();
                    // An error here means that somebody else reaped it: then its status is not to be had.
                    exit = Some((status.ok(), now));
                    next_look = Some(now);
                }
                () = orders.changed() => {}
                () = tokio::time::sleep_until(wake) => {}
            }

            let now = Instant::now();
            if now >= next_ranks {
                let there = self.ranks.are_there();
                self.ranks.read(|stream, bytes| hear(desk, run, (stream, bytes)));
                next_ranks = now + if there { RANKS_WRITE } else { RANKS_APPEAR };
            }
            if next_look.is_none() && now >= next_sweep {
                self.living(common);
                next_sweep = now + SWEEP;
            }
            if exit.is_none() && cause.is_none() && deadline.is_some_and(|deadline| now >= deadline) {
                cause = Some(Status::TimedOut);
                phase = self.ask(common, now);
                next_look = Some(now + LOOK);
            }
            if orders.current() > order {
                order = orders.current();
                if exit.is_none() {
                    let asked = if order == Order::Stop { Status::Stopped } else { Status::Lost };
                    cause.get_or_insert(asked);
                }
                if order == Order::Kill {
                    phase = Phase::Ended { until: now + PATIENCE };
                } else if phase == Phase::Going {
                    phase = self.ask(common, now);
                }
                next_look = Some(now);
            }
            if next_look.is_some_and(|look| now >= look) {
                let living = self.living(common);
                if living.is_empty() && exit.is_some() {
                    empty_since.get_or_insert(now);
                } else {
                    empty_since = None;
                    phase = self.press(common, phase, &living, exit.map_or(now, |(_, at)| at), heard, now);
                    if let Phase::Ended { until } = phase
                        && now >= until
                    {
                        self.notes.push(format!("{} could not be ended", processes(living.len().max(1))));
                        break;
                    }
                }
                next_look = Some(now + LOOK);
            }
            if let Some(since) = empty_since {
                if !self.output.is_open() && !self.error.is_open() {
                    break;
                }
                if now >= since.max(heard) + DRAIN || now >= since + LONGEST_DRAIN {
                    self.notes
                        .push("a process that is not of this run holds its output open; no longer read".to_owned());
                    break;
                }
            }
        }
        self.ranks.read(|stream, bytes| hear(desk, run, (stream, bytes)));
        self.report(common, cause, exit);
    }

    fn living(&mut self, common: &Common<'_>) -> Vec<Process> {
        let run = &self.trial.run;
        self.mark.living(&|process| (common.others)(process, run), (common.sole)())
    }

    /// Asks everything of the run to end.
    fn ask(&mut self, common: &Common<'_>, now: Instant) -> Phase {
        let living = self.living(common);
        signal::ask_group(self.mark.main());
        for process in &living {
            if !process.is_in_group(self.mark.main()) {
                signal::ask(process.id);
            }
        }
        Phase::Asked { until: now + common.grace }
    }

    /// Brings the end of what still lives one step nearer.
    fn press(
        &mut self,
        common: &Common<'_>,
        phase: Phase,
        living: &[Process],
        gone: Instant,
        heard: Instant,
        now: Instant,
    ) -> Phase {
        match phase {
            Phase::Going if now >= (gone.max(heard) + LINGER).min(gone + LONGEST_LINGER) => {
                self.notes.push(format!("left {} behind, ended", processes(living.len())));
                self.ask(common, now)
            }
            Phase::Asked { until } if now >= until => {
                self.notes.push(format!("did not end within {:?} of being asked to, killed", common.grace));
                self.end(living);
                Phase::Ended { until: now + PATIENCE }
            }
            Phase::Ended { until } => {
                self.end(living);
                Phase::Ended { until }
            }
            phase => phase,
        }
    }

    /// Ends everything of the run; called again until nothing is left, since a dying process may yet start another.
    fn end(&self, living: &[Process]) {
        if living.iter().any(|process| process.is_in_group(self.mark.main())) {
            signal::end_group(self.mark.main());
        }
        for process in living {
            signal::end(process.id);
        }
    }

    fn report(mut self, common: &Common<'_>, cause: Option<Status>, exit: Option<(Option<ExitStatus>, Instant)>) {
        let status = exit.and_then(|(status, _)| status);
        let (exit_code, signal) = (status.and_then(|status| status.code()), status.and_then(|status| status.signal()));
        let own = match (exit_code, signal) {
            (Some(0), _) => Status::Finished,
            (None, None) => Status::Lost,
            _ => Status::Crashed,
        };
        if let (None, Some(number)) = (cause, signal) {
            self.notes.push(format!("ended by {}, which the audit did not send", signal::name(number)));
            if signal::may_be_out_of_memory(number) {
                let killed = out_of_memory_kills();
                if killed > common.killed.replace(killed) {
                    self.notes.push("the kernel has ended a process for want of memory".to_owned());
                }
            }
        }
        self.notes.extend(self.output.trouble());
        self.notes.extend(self.error.trouble());
        let ended = exit.map_or_else(Instant::now, |(_, at)| at);
        common.desk.tell(&RunEvent::Ended {
            run: &self.trial.run,
            status: cause.unwrap_or(own),
            exit_code,
            signal,
            duration: ended.duration_since(self.born),
            node: common.node,
            attempts: &[],
            notes: &self.notes,
        });
    }
}

fn hear(desk: &Desk<'_>, run: &str, (stream, bytes): (Stream, &[u8])) {
    if !bytes.is_empty() {
        desk.tell(&RunEvent::Wrote { run, stream, bytes });
    }
}

fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// How many processes the kernel has ended for want of memory since it was started.
pub fn out_of_memory_kills() -> Option<u64> {
    let counters = fs::read_to_string("/proc/vmstat").ok()?;
    counters.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
