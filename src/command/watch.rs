//! Reads runs while they write, shows their progress, and stops those whose answer is known.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::compare::{Cursor, End, Rule};
use crate::execute::Listener;
use crate::model::{Attempt, Control, Point, RunEvent, Series, Source, Status, Stream, Tolerance};
use crate::parse::{self, Observation};
use crate::report::Progress;

/// When a run has shown enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StopRule {
    /// Stop runs this many points after their group was seen to part; `None` lets them run to their end.
    pub after_divergence: Option<usize>,
    /// Once two runs part, start no further one either.
    pub first_divergence_ends_all: bool,
    /// Stop a run after this many points of the primary metric.
    pub after_points: Option<u64>,
    /// What counts as equal.
    pub tolerance: Tolerance,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub status: Option<Status>,
    /// The exit code, where it ended with one.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// From start to end.
    pub duration: Duration,
    /// Host it ran on.
    pub node: String,
    /// Attempts at it, oldest first.
    pub attempts: Vec<Attempt>,
    /// Anything a reader must know.
    pub notes: Vec<String>,
    /// Times between successive points, as they arrived.
    pub step_times: Vec<Duration>,
}

/// Watches a group of replicates.
pub struct Watch<'a> {
    rule: StopRule,
    progress: &'a mut Progress,
    options: parse::Options,
    /// Runs in the order in which they started; the first is what the others are compared with.
    runs: Vec<Live>,
    /// Index of the first point at which any two runs part.
    parted: Option<usize>,
    /// How each run ended.
    pub endings: BTreeMap<String, Ending>,
    /// Told how a run ended as soon as it has, with the number of points that were seen.
    told: Option<&'a mut Told<'a>>,
    /// What [`Status::Finished`] runs beyond the group may be compared with while they run.
    fresh: Vec<Observation>,
}

/// Hears how a run ended, and how many points of it were seen.
pub type Told<'a> = dyn FnMut(&str, &Ending, usize) + 'a;

/// An output that is being read: a run's, or that of one of its ranks.
struct Live {
    run: String,
    /// The rank, where its launcher keeps ranks apart.
    rank: Option<u32>,
    output: parse::Live,
    points: Vec<Point>,
    metric: Option<usize>,
    /// Points seen before the metric was chosen.
    early: Vec<Observation>,
    sampled: bool,
    cursor: Cursor,
    last: Option<Instant>,
    step_times: Vec<Duration>,
    open: bool,
    stopped: bool,
}

/// Points of any metric after which the one to follow is chosen.
const ENOUGH_TO_CHOOSE: usize = 4;
/// Most step times kept of one run: their median needs no more.
const MOST_TIMES: usize = 10_000;
/// Runs whose step times are kept: a price needs no more.
const MOST_TIMED: usize = 64;

impl Live {
    fn new(run: &str, rank: Option<u32>, options: &parse::Options) -> Self {
        Self {
            run: run.to_owned(),
            rank,
            output: parse::Live::new(options.clone()),
            points: Vec::new(),
            metric: None,
            early: Vec::new(),
            sampled: false,
            cursor: Cursor::default(),
            last: None,
            step_times: Vec::new(),
            open: true,
            stopped: false,
        }
    }

    /// Takes a point of the metric that is followed, with the time at which it was seen.
    fn take(&mut self, point: Point, now: Instant) {
        let last = self.last.replace(now);
        if let Some(last) = last.filter(|_| self.step_times.len() < MOST_TIMES) {
            self.step_times.push(now.duration_since(last));
        }
        self.points.push(point);
    }
}

impl<'a> Watch<'a> {
    /// Watches the runs of one treatment, read with `options`.
    pub fn new(rule: StopRule, options: parse::Options, progress: &'a mut Progress) -> Self {
        Self {
            rule,
            progress,
            options,
            runs: Vec::new(),
            parted: None,
            endings: BTreeMap::new(),
            told: None,
            fresh: Vec::new(),
        }
    }

    /// Compares what is watched with a run that has ended.
    pub fn compare_with(&mut self, run: &str, series: &Series) {
        let ended = Live::new(run, None, &self.options);
        self.runs.push(Live { points: series.points.clone(), sampled: series.sampled, open: false, ..ended });
    }

    /// Tells `told` how each run ended, as soon as it has.
    pub fn telling(self, told: &'a mut Told<'a>) -> Self {
        Self { told: Some(told), ..self }
    }

    /// Index of the first point at which runs were seen to part.
    pub fn parted(&self) -> Option<usize> {
        self.parted
    }

    fn read(&mut self, run: &str, rank: Option<u32>, bytes: &[u8]) -> Control {
        if rank.is_some() && !self.runs.iter().any(|live| live.run == run && live.rank == rank) {
            self.runs.push(Live::new(run, rank, &self.options));
        }
        let wanted = |live: &&mut Live| live.run == run && live.rank == rank;
        let Some(live) = self.runs.iter_mut().find(wanted) else { return Control::Continue };
        let now = Instant::now();
        self.fresh.clear();
        live.output.push(bytes, &mut self.fresh);
        live.early.append(&mut self.fresh);
        if live.metric.is_none() && live.early.len() >= ENOUGH_TO_CHOOSE {
            // The whole log is read again, in full, once it is there: this choice only decides when to stop.
            live.metric = live.output.summary().primary;
        }
        let Some(metric) = live.metric else { return Control::Continue };
        let (name, sampled) = match live.output.metrics().get(metric) {
            Some(known) => (known.name.clone(), known.sampled),
            None => return Control::Continue,
        };
        live.sampled |= sampled;
        for observation in std::mem::take(&mut live.early) {
            if observation.metric == metric {
                self.progress.point(run, &name, &observation.point);
                live.take(observation.point, now);
            }
        }
        self.compare(run);
        if self.rule.first_divergence_ends_all && self.parted.is_some() {
            return Control::StopAll;
        }
        Control::Stop(self.finished_early()).or_continue()
    }

    /// Forgets what an earlier attempt at a run wrote: two attempts are no run, and no difference of theirs counts.
    fn restart(&mut self, run: &str) {
        self.runs.retain(|live| live.run != run || live.rank.is_none());
        let first = self.runs.first().is_some_and(|first| first.run == run);
        for live in &mut self.runs {
            if live.run == run {
                *live = Live::new(run, None, &self.options);
            } else if first {
                live.cursor = Cursor::default();
            }
        }
        self.parted = None;
    }

    /// Advances a run against the first one, rank by rank, as far as both have come; every run where it is the first.
    fn compare(&mut self, run: &str) {
        if self.parted.is_some() || self.rule.after_divergence.is_none() {
            return;
        }
        let Some(reference) = self.runs.first().map(|first| first.run.clone()) else { return };
        let (firsts, others): (Vec<&mut Live>, Vec<&mut Live>) =
            self.runs.iter_mut().partition(|live| live.run == reference);
        for other in others.into_iter().filter(|other| run == reference || other.run == run) {
            let Some(first) = firsts.iter().find(|first| first.rank == other.rank) else { continue };
            let sampled = first.sampled || other.sampled;
            let rule = Rule { tolerance: self.rule.tolerance, source: Source::Printed, sampled };
            if let Some(gap) = other.cursor.advance(&first.points, &other.points, (End::Open, End::Open), rule) {
                self.parted = Some(self.parted.map_or(gap.left, |known| known.min(gap.left)));
            }
        }
    }

    /// Lets go of runs of which nothing more can be learned, so that memory does not grow with their number.
    fn let_go(&mut self) {
        let Some(reference) = self.runs.first().map(|first| first.run.clone()) else { return };
        if self.runs.iter().all(|live| live.run != reference || !live.open) {
            self.compare(&reference);
            self.runs.retain(|live| live.open || live.run == reference);
        }
    }

    /// Runs that have shown enough and were not stopped yet.
    fn finished_early(&mut self) -> Vec<String> {
        let limit_by_divergence =
            self.parted.zip(self.rule.after_divergence).map(|(index, after)| (index + after) as u64 + 1);
        let limit = [limit_by_divergence, self.rule.after_points].into_iter().flatten().min();
        let Some(limit) = limit else { return Vec::new() };
        let enough =
            self.runs.iter_mut().filter(|live| live.open && !live.stopped && live.points.len() as u64 >= limit);
        enough
            .map(|live| {
                live.stopped = true;
                live.run.clone()
            })
            .collect()
    }
}

trait OrContinue {
    fn or_continue(self) -> Self;
}

impl OrContinue for Control {
    /// Stopping nobody is going on.
    fn or_continue(self) -> Self {
        match self {
            Control::Stop(runs) if runs.is_empty() => Control::Continue,
            control => control,
        }
    }
}

impl Listener for Watch<'_> {
    fn on(&mut self, event: &RunEvent<'_>) -> Control {
        self.progress.event(event);
        match event {
            RunEvent::Started { run, .. } => {
                self.runs.push(Live::new(run, None, &self.options));
                Control::Continue
            }
            RunEvent::Wrote { run, stream: Stream::Output, bytes } => self.read(run, None, bytes),
            RunEvent::Wrote { run, stream: Stream::Rank(rank), bytes } => self.read(run, Some(*rank), bytes),
            RunEvent::Wrote { .. } => Control::Continue,
            RunEvent::Noted { .. } => Control::Continue,
            RunEvent::Restarted { run } => {
                self.restart(run);
                Control::Continue
            }
            RunEvent::Ended { run, status, exit_code, signal, duration, node, attempts, notes } => {
                let (mut step_times, mut points) = (Vec::new(), 0);
                for live in self.runs.iter_mut().filter(|live| live.run == *run) {
                    live.open = false;
                    points = points.max(live.points.len());
                    // Of several ranks the first one that showed any: they go in step.
                    if step_times.is_empty() {
                        step_times = std::mem::take(&mut live.step_times);
                    }
                }
                if self.endings.len() >= MOST_TIMED {
                    step_times.clear();
                    step_times.shrink_to_fit();
                }
                self.let_go();
                let ending = Ending {
                    status: Some(*status),
                    exit_code: *exit_code,
                    signal: *signal,
                    duration: *duration,
                    node: (*node).to_owned(),
                    attempts: attempts.to_vec(),
                    notes: notes.to_vec(),
                    step_times,
                };
                if let Some(told) = &mut self.told {
                    told(run, &ending, points);
                }
                self.endings.insert((*run).to_owned(), ending);
                Control::Continue
            }
        }
    }
}
