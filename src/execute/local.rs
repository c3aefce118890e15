//! Real processes on this machine.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::cards::Cards;
use super::desk::{Desk, Order};
use super::life::{self, Common, Outputs};
use super::signal::{Interrupt, Interrupts};
use super::watchdog::Watchdog;
use super::{Entry, Executor, Finish, Listener, jobs, kernel};
use crate::error::Error;
use crate::model::{RunEvent, Status, Trial};

/// Its line in the list.
pub const ENTRY: Entry =
    Entry { id: "local", summary: "processes on this machine, `--jobs` of them side by side", selectable: true };

/// How often it is asked whether the runs are still wanted.
const LOOK: Duration = Duration::from_secs(1);

/// How trials are carried out on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many runs go side by side.
    pub jobs: usize,
    /// How long a run may take to end after it was asked to.
    pub grace: Duration,
    /// Whether the audit is all that this process does: then it listens to signals, and every orphan is a run's.
    pub sole: bool,
    /// Whether runs write their standard output to a terminal.
    pub pty: bool,
    /// Whether runs write straight to their files. Nothing that they write is heard then, and what several processes write
    /// at once stays whole, line by line.
    pub straight: bool,
    /// The cards to hand out, one to each run, when runs go side by side; see [`super::visible_cards`].
    pub cards: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { jobs: 1, grace: Duration::from_secs(3), sole: false, pty: false, straight: false, cards: Vec::new() }
    }
}

/// Carries trials out as processes on this machine.
///
/// From its making on, orphans of this process's descendants become its children. Drop it when the last trial is done:
/// that ends its watchdog.
pub struct Local {
    options: Options,
    runtime: Runtime,
    interrupts: Interrupts,
    watchdog: RefCell<Option<Watchdog>>,
    nonce: String,
    node: String,
    killed: Cell<Option<u64>>,
    started: u64,
    wanted: Box<dyn FnMut() -> bool>,
}

impl Local {
    /// Asks `wanted` every second from now on whether the runs are still wanted; those that are not are stopped.
    pub fn while_wanted(&mut self, wanted: impl FnMut() -> bool + 'static) {
        self.wanted = Box::new(wanted);
    }

    /// A request to end the audit that came within this time, after the last run was over.
    pub fn interrupted_within(&mut self, time: Duration) -> Option<Interrupt> {
        let interrupts = &mut self.interrupts;
        self.runtime.block_on(async { tokio::time::timeout(time, interrupts.next()).await.ok() })
    }

    /// Gets ready; starts no run yet.
    pub fn new(options: Options) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::System { doing: "make ready to start processes".to_owned(), source })?;
        let interrupts = if options.sole {
            let _inside = runtime.enter();
            Interrupts::listen()?
        } else {
            Interrupts::default()
        };
        kernel::adopt_orphans();
        let nonce = nonce();
        let watchdog = RefCell::new(Watchdog::start(&nonce));
        Ok(Self {
            options,
            runtime,
            interrupts,
            watchdog,
            nonce,
            node: node(),
            killed: Cell::new(life::out_of_memory_kills()),
            started: 0,
            wanted: Box::new(|| true),
        })
    }
}

impl Executor for Local {
    fn execute(&mut self, trials: &[Trial], listener: &mut dyn Listener) -> Result<Finish, Error> {
        let desk = Desk::new(trials, listener);
        let going = RefCell::new(HashMap::new());
        let watchdog = &self.watchdog;
        let guard = watchdog.borrow().as_ref().map(Watchdog::id);
        let sole = self.options.sole;
        let common = Common {
            desk: &desk,
            grace: self.options.grace,
            node: &self.node,
            killed: &self.killed,
            others: &|process, run| {
                Some(process) == guard || going.borrow().get(&process).is_some_and(|owner: &String| owner != run)
            },
            sole: &|| sole && going.borrow().len() == 1,
        };
        let jobs = self.options.jobs.max(1);
        let cards = Cards::new(if jobs > 1 { &self.options.cards } else { &[] });
        let limit = cards.limit().map_or(jobs, |limit| jobs.min(limit));
        let (interrupts, nonce) = (&mut self.interrupts, &self.nonce);
        let outputs = Outputs { pty: self.options.pty, straight: self.options.straight };
        let (started, wanted) = (&mut self.started, &mut self.wanted);

        self.runtime.block_on(async {
            let mut crew = Crew::default();
            let mut waiting = trials.iter();
            let mut interrupt: Option<Interrupt> = None;
            let mut look = tokio::time::interval(LOOK);
            loop {
                while crew.len() < limit
                    && let Some(trial) = waiting.next()
                {
                    let orders = desk.orders(&trial.run);
                    if orders.current() > Order::Go {
                        skip(&desk, trial, &self.node, interrupt);
                        continue;
                    }
                    let card = cards.take(trial);
                    let mark = format!("{nonce}-{started:06}");
                    match life::start(trial, orders, mark, card.name(), outputs) {
                        Ok(life) => {
                            *started += 1;
                            let process = life.process();
                            going.borrow_mut().insert(process, trial.run.clone());
                            tell(watchdog, |watchdog| watchdog.started(process));
                            let common = &common;
                            let going = &going;
                            crew.take_on(async move {
                                life.live(common).await;
                                going.borrow_mut().remove(&process);
                                tell(watchdog, |watchdog| watchdog.ended(process));
                                drop(card);
                            });
                        }
                        Err(why) if *started == 0 => return Err(why),
                        Err(why) => not_started(&desk, trial, &self.node, &why),
                    }
                }
                if crew.len() == 0 {
                    break;
                }
                tokio::select! {
                    () = crew.next() => {}
                    _ = look.tick() => if !wanted() {
                        desk.close();
                    },
                    received = interrupts.next() => {
                        let order = if interrupt.is_none() { Order::Interrupt } else { Order::Kill };
                        interrupt.get_or_insert(received);
                        desk.give_all(order);
                    }
                }
            }
            Ok(match interrupt {
                Some(interrupt) => Finish::Interrupted(interrupt),
                None if desk.is_closed() => Finish::Stopped,
                None => Finish::Complete,
            })
        })
    }

    fn interrupted(&mut self) -> Option<Interrupt> {
        // The runtime hears of signals only while it runs.
        self.runtime.block_on(tokio::task::yield_now());
        self.interrupts.pending()
    }

    fn side_by_side(&mut self, trials: &[Trial], asked: Option<usize>) -> Option<String> {
        self.options.jobs = asked.unwrap_or_else(|| jobs::default_jobs(trials));
        jobs::sharing(trials, self.options.jobs)
    }
}

fn tell(watchdog: &RefCell<Option<Watchdog>>, what: impl FnOnce(&mut Watchdog)) {
    if let Some(watchdog) = &mut *watchdog.borrow_mut() {
        what(watchdog);
    }
}

fn skip(desk: &Desk<'_>, trial: &Trial, node: &str, interrupt: Option<Interrupt>) {
    let notes: Vec<String> =
        interrupt.map(|interrupt| format!("the audit was ended by {interrupt}")).into_iter().collect();
    unstarted(desk, trial, node, Status::Skipped, &notes);
}

fn not_started(desk: &Desk<'_>, trial: &Trial, node: &str, why: &Error) {
    unstarted(desk, trial, node, Status::Crashed, &[why.to_string()]);
}

fn unstarted(desk: &Desk<'_>, trial: &Trial, node: &str, status: Status, notes: &[String]) {
    let (run, duration) = (trial.run.as_str(), Duration::ZERO);
    let attempts = &[];
    desk.tell(&RunEvent::Ended { run, status, exit_code: None, signal: None, duration, node, attempts, notes });
}

/// The runs that are going. There are few, so all are looked at whenever one of them has something to do.
#[derive(Default)]
struct Crew<'a>(Vec<Pin<Box<dyn Future<Output = ()> + 'a>>>);

impl<'a> Crew<'a> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn take_on(&mut self, life: impl Future<Output = ()> + 'a) {
        self.0.push(Box::pin(life));
    }

    /// Waits until one of them is over.
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            match self.0.iter_mut().position(|life| life.as_mut().poll(context).is_ready()) {
                Some(over) => {
                    drop(self.0.swap_remove(over));
                    Poll::Ready(())
                }
                None => Poll::Pending,
            }
        })
        .await;
    }
}

/// A name that no other audit has, the same length for all.
fn nonce() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}

fn node() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
