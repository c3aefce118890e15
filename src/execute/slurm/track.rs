//! One run on the cluster: what its record shows, what Slurm says of it, and what is told of it.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::files::{self, Attempt, Begin, End};
use super::follow::Follow;
use super::next::{self, Next, Queued, Recorded, Sight};
use super::queue::{Row, State};
use crate::error::Result;
use crate::execute::capture::file_name;
use crate::execute::desk::{Desk, Order, Orders};
use crate::model::{self, RunEvent, Status, Stream, Trial};

/// Where a run stands in the submissions of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Name of the submission.
    pub name: String,
    /// The submission's folder.
    pub folder: PathBuf,
    /// Slurm's id of the array, where it came back.
    pub job: Option<String>,
    /// Index in the array.
    pub index: usize,
}

/// The last answer of Slurm.
#[derive(Default)]
pub struct Answer {
    /// When it was asked for.
    pub asked: Option<Instant>,
    /// The tasks.
    pub rows: Vec<Row>,
}

/// A run that is not over.
pub struct Track<'a> {
    /// The run.
    pub trial: &'a Trial,
    /// Where it was submitted last.
    pub task: Task,
    /// How often it was submitted again.
    pub resubmitted: u32,
    orders: Rc<Orders>,
    ordered: Option<(Order, Instant)>,
    attempt: Option<Current>,
    started: bool,
    queued: Option<(State, String)>,
    absent: bool,
    recorded_since: Instant,
    unchanged_since: Instant,
    notes: Vec<String>,
}

/// The newest attempt.
struct Current {
    attempt: Attempt,
    begin: Begin,
    follow: Follow,
    end: Option<End>,
    born: Instant,
}

impl<'a> Track<'a> {
    /// A run that was submitted as `task`.
    pub fn new(trial: &'a Trial, task: Task, orders: Rc<Orders>) -> Self {
        let now = Instant::now();
        Self {
            trial,
            task,
            resubmitted: 0,
            orders,
            ordered: None,
            attempt: None,
            started: false,
            queued: None,
            absent: false,
            recorded_since: now,
            unchanged_since: now,
            notes: Vec::new(),
        }
    }

    /// It was submitted again, as `task`.
    pub fn submitted_again(&mut self, task: Task, why: &str) {
        self.task = task;
        self.resubmitted += 1;
        self.notes.push(format!("submitted again: {why}"));
        self.queued = None;
        self.absent = false;
        self.touch(Instant::now());
    }

    /// An order that is new since this was last asked.
    pub fn new_order(&mut self) -> Option<Order> {
        let order = self.orders.current();
        let known = self.ordered.map_or(Order::Go, |(order, _)| order);
        (order > known).then(|| {
            self.ordered = Some((order, Instant::now()));
            order
        })
    }

    /// Whether Slurm means to start it once more.
    pub fn waits_again(&self) -> bool {
        self.queued.as_ref().is_some_and(|(state, _)| *state == State::Pending)
    }

    /// Whether it was told to end.
    pub fn is_ordered(&self) -> bool {
        self.ordered.is_some()
    }

    /// Whether Slurm's answer of `asked` is older than what the record shows, and so tells nothing of it.
    pub fn wants_newer(&self, asked: Option<Instant>) -> bool {
        let ended = self.attempt.as_ref().is_some_and(|current| current.end.is_some());
        let since = self.ordered.map_or(self.recorded_since, |(_, at)| at.max(self.recorded_since));
        (ended || self.is_ordered()) && asked.is_none_or(|asked| asked < since)
    }

    fn touch(&mut self, now: Instant) {
        self.recorded_since = now;
        self.unchanged_since = now;
    }

    /// Looks at its record and tells what is new; true where there may be more at once.
    pub fn look(&mut self, desk: &Desk<'_>) -> Result<bool> {
        self.find_newest(desk)?;
        let run = self.trial.run.as_str();
        let Some(current) = &mut self.attempt else { return Ok(false) };
        // Its end first: what was written before it is then read to the end.
        let end: Option<End> = match &current.end {
            Some(_) => None,
            None => files::read(&self.trial.launch.record.join(current.attempt.folder()).join(files::END))?,
        };
        let more = current.follow.read(|stream, bytes| desk.tell(&RunEvent::Wrote { run, stream, bytes }));
        if end.is_some() {
            current.end = end;
            self.touch(Instant::now());
        }
        Ok(more)
    }

    /// Turns to the newest attempt that has begun.
    fn find_newest(&mut self, desk: &Desk<'_>) -> Result<()> {
        let folder = &self.trial.launch.record;
        let known = self.attempt.as_ref().map(|current| current.attempt.clone());
        let newer = files::attempts(folder).into_iter().rev().take_while(|attempt| Some(attempt) > known.as_ref());
        for attempt in newer {
            let place = folder.join(attempt.folder());
            let Some(begin) = files::read::<Begin>(&place.join(files::BEGIN))? else { continue };
            self.turn_to(attempt, begin, &place, desk);
            break;
        }
        Ok(())
    }

    fn turn_to(&mut self, attempt: Attempt, begin: Begin, place: &Path, desk: &Desk<'_>) {
        let run = self.trial.run.as_str();
        if self.started {
            let note = format!("attempt {} on {} takes the place of an earlier one", attempt.id(), begin.node);
            desk.tell(&RunEvent::Restarted { run });
            desk.tell(&RunEvent::Noted { run, note: &note });
            self.notes.push(note);
        } else {
            desk.tell(&RunEvent::Started { run, process: 0 });
        }
        self.started = true;
        for stream in [Stream::Output, Stream::Error] {
            show(&self.trial.launch.record, &attempt, file_name(stream));
        }
        self.attempt = Some(Current { attempt, begin, follow: Follow::new(place), end: None, born: Instant::now() });
        self.touch(Instant::now());
    }

    /// Takes Slurm's answer.
    pub fn hear(&mut self, answer: &Answer, desk: &Desk<'_>) {
        let mine = |row: &&Row| row.name == self.task.name && row.index == self.task.index;
        let row = answer.rows.iter().find(mine);
        let (queued, absent) = (row.map(|row| (row.state, row.reason.clone())), row.is_none());
        if (&queued, absent) != (&self.queued, self.absent) {
            if let Some((State::Pending, reason)) = &queued
                && !matches!(reason.as_str(), "None" | "")
            {
                let note = format!("waits in the queue: {reason}");
                desk.tell(&RunEvent::Noted { run: &self.trial.run, note: &note });
            }
            (self.queued, self.absent) = (queued, absent);
            self.unchanged_since = Instant::now();
        }
    }

    /// What is to be done about it.
    pub fn next(&self, asked: Option<Instant>, grace: Duration) -> Next {
        let now = Instant::now();
        let unchanged = now.duration_since(self.unchanged_since);
        let end = self.attempt.as_ref().and_then(|current| Some((current, current.end.as_ref()?)));
        let mut recorded = if self.attempt.is_some() { Recorded::Begun } else { Recorded::Nothing };
        if let Some((current, end)) = end {
            match current.follow.is_whole(end) {
                Ok(true) => recorded = Recorded::Ended(end),
                Ok(false) if unchanged < grace => return Next::Wait,
                Ok(false) => {
                    let why = format!("its log has not come whole: {} bytes of it are here", current.follow.bytes());
                    return Next::Over { status: Status::Lost, why: Some(why) };
                }
                Err(why) => return Next::Over { status: Status::Lost, why: Some(why) },
            }
        }
        next::next(&Sight {
            recorded,
            queued: match (&self.queued, self.absent) {
                _ if asked.is_none_or(|asked| asked < self.recorded_since) => Queued::Unknown,
                (Some((state, reason)), _) => Queued::Is(*state, reason),
                (None, true) => Queued::Absent,
                (None, false) => Queued::Unknown,
            },
            unchanged,
            grace,
            order: self.ordered.map_or((Order::Go, Duration::ZERO), |(order, at)| (order, now.duration_since(at))),
            resubmitted: self.resubmitted,
            submitted: self.task.job.is_some(),
        })
    }

    /// Tells how it ended.
    pub fn tell_end(mut self, status: Status, why: Option<String>, desk: &Desk<'_>) {
        let attempts = self.attempts();
        if self.attempt.is_none() && status == Status::Lost {
            self.notes.extend(self.words_of_slurm());
        }
        self.notes.extend(why);
        let current = self.attempt;
        let end = current.as_ref().and_then(|current| current.end.clone());
        if let Some(end) = &end {
            self.notes.extend(end.notes.iter().cloned());
        }
        let duration = match (&end, &current) {
            (Some(end), _) => end.duration(),
            (None, Some(current)) => current.born.elapsed(),
            (None, None) => Duration::ZERO,
        };
        desk.tell(&RunEvent::Ended {
            run: &self.trial.run,
            status,
            exit_code: end.as_ref().and_then(|end| end.exit_code),
            signal: end.as_ref().and_then(|end| end.signal),
            duration,
            node: current.as_ref().map_or("", |current| &current.begin.node),
            attempts: &attempts,
            notes: &self.notes,
        });
    }

    /// Every attempt, as its own record tells it.
    fn attempts(&self) -> Vec<model::Attempt> {
        let folder = &self.trial.launch.record;
        let told = |attempt: Attempt| {
            let place = folder.join(attempt.folder());
            let begin: Option<Begin> = files::read(&place.join(files::BEGIN)).ok().flatten();
            let end: Option<End> = files::read(&place.join(files::END)).ok().flatten();
            model::Attempt {
                id: attempt.id(),
                node: begin.map(|begin| begin.node).unwrap_or_default(),
                state: end.as_ref().map_or("lost", |end| end.how.word()).to_owned(),
                reason: end.map(|end| end.reason).unwrap_or_default(),
            }
        };
        files::attempts(folder).into_iter().map(told).collect()
    }

    /// What Slurm wrote where a run that never began would have written.
    fn words_of_slurm(&self) -> Option<String> {
        let job = self.task.job.as_ref()?;
        let path = self.task.folder.join(format!("slurm-{job}_{}.out", self.task.index));
        let said = std::fs::read(&path).ok()?;
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().rfind(|line| !line.trim().is_empty())?;
        Some(format!("Slurm's output ends with: {}", last.chars().take(300).collect::<String>()))
    }
}

/// Shows the attempt's log as the run's. Where links cannot be made the attempt's folder still holds it.
fn show(run: &Path, attempt: &Attempt, name: &str) {
    let (link, other) = (run.join(name), run.join(format!(".{name}.{:016x}", super::random())));
    let made = std::os::unix::fs::symlink(Path::new(&attempt.folder()).join(name), &other);
    let _ = made.and_then(|()| std::fs::rename(&other, &link));
}
