//! The only place that knows signals: what the audit is told by them, and what it tells others.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use nix::sys::signal::{SigAction, Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::signal::unix::{self, SignalKind};

use super::kernel;
use crate::error::Error;

/// What a process gets that did not end when asked.
pub const LAST_WORD: Signal = Signal::SIGKILL;

/// A request to end the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// The terminal or connection is gone.
    HungUp,
}

impl Interrupt {
    /// The signal's number.
    pub fn number(self) -> i32 {
        self.signal() as i32
    }

    fn signal(self) -> Signal {
        match self {
            Self::Interrupted => Signal::SIGINT,
            Self::Terminated => Signal::SIGTERM,
            Self::HungUp => Signal::SIGHUP,
        }
    }
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signal().as_str())
    }
}

/// Where requests to end the audit come from; one without sources never hears any.
#[derive(Default)]
pub struct Interrupts {
    sources: Vec<(Interrupt, unix::Signal)>,
}

impl Interrupts {
    /// Listens from now on, until this is dropped: then a signal ends the process again. Must be called inside a runtime.
    ///
    /// A signal that was ignored when the audit was started (`nohup`, a background job of a script) stays ignored.
    pub fn listen() -> Result<Self, Error> {
        let ignored = ignored();
        let mut sources = Vec::new();
        for interrupt in [Interrupt::Interrupted, Interrupt::Terminated, Interrupt::HungUp] {
            if ignored & (1 << (interrupt.number() - 1)) != 0 {
                continue;
            }
            let source = unix::signal(SignalKind::from_raw(interrupt.number()))
                .map_err(|source| Error::System { doing: format!("listen to {interrupt}"), source })?;
            // The runtime puts its handler in place once in the life of a process.
            if let Some(handler) = taken().remove(&interrupt.number()) {
                kernel::earlier_effect(interrupt.signal(), &handler);
            }
            sources.push((interrupt, source));
        }
        Ok(Self { sources })
    }

    /// A request that has come and that nobody has waited for.
    pub fn pending(&mut self) -> Option<Interrupt> {
        let mut context = Context::from_waker(Waker::noop());
        let come = |(interrupt, source): &mut (Interrupt, unix::Signal)| {
            source.poll_recv(&mut context).is_ready().then_some(*interrupt)
        };
        self.sources.iter_mut().find_map(come)
    }

    /// Waits for the next request.
    pub async fn next(&mut self) -> Interrupt {
        std::future::poll_fn(|context| {
            for (interrupt, source) in &mut self.sources {
                if source.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*interrupt);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        for (interrupt, _) in &self.sources {
            if let Some(handler) = kernel::default_effect(interrupt.signal()) {
                taken().insert(interrupt.number(), handler);
            }
        }
    }
}

/// The runtime's handlers that were taken out, by the signal's number.
fn taken() -> MutexGuard<'static, BTreeMap<i32, SigAction>> {
    static TAKEN: Mutex<BTreeMap<i32, SigAction>> = Mutex::new(BTreeMap::new());
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The set of ignored signals, bit `n - 1` for signal `n`.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Asks a process to end.
pub fn ask(process: u32) {
    send(process, Signal::SIGTERM);
}

/// Asks the process group that `leader` leads to end.
pub fn ask_group(leader: u32) {
    if let Some(leader) = pid(leader) {
        // It may be gone by now.
        let _ = killpg(leader, Signal::SIGTERM);
    }
}

/// Ends a process, whatever it does about it.
pub fn end(process: u32) {
    send(process, LAST_WORD);
}

/// Ends the process group that `leader` leads.
pub fn end_group(leader: u32) {
    if let Some(leader) = pid(leader) {
        let _ = killpg(leader, LAST_WORD);
    }
}

fn send(process: u32, signal: Signal) {
    if let Some(process) = pid(process) {
        let _ = kill(process, signal);
    }
}

/// Never 0 or negative: those mean whole groups, our own among them.
fn pid(process: u32) -> Option<Pid> {
    i32::try_from(process).ok().filter(|&process| process > 1).map(Pid::from_raw)
}

/// A signal's name: `SIGKILL`.
pub fn name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

/// Whether a run that died of `signal` may have been picked by the kernel for want of memory.
pub fn may_be_out_of_memory(signal: i32) -> bool {
    signal == Signal::SIGKILL as i32
}
