//! Reads runs while they write, shows their progress, and stops those whose answer is known.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::compare::{Cursor, End, Rule};
use crate::execute::Listener;
use crate::model::{Attempt, Control, Point, RunEvent, Series, Source, Status, Stream, Tolerance};
use crate::parse::{self, Observation};
use crate::report::Progress;

use super::outputs;

/// When a run has shown enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StopRule {
    /// Stop runs this many points after their group was seen to part; `None` lets them run to their end.
    pub after_divergence: Option<usize>,
    /// Once two runs part, start no further one either.
    pub first_divergence_ends_all: bool,
    /// Stop a run after this many points of the primary metric.
    pub after_points: Option<u64>,
    /// The output that shows the metric whose points are counted, where that is known; else standard output, or standard
    /// error where that alone shows any.
    pub counted: Option<Stream>,
    /// What counts as equal.
    pub tolerance: Tolerance,
}

impl StopRule {
    /// Lets every run go on to its end.
    pub fn never(tolerance: Tolerance) -> Self {
        Self { after_divergence: None, first_divergence_ends_all: false, after_points: None, counted: None, tolerance }
    }
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
    /// Whether it is one of standard error.
    parted_in_errors: bool,
    /// How each run ended.
    pub endings: BTreeMap<String, Ending>,
    /// Told how a run ended as soon as it has, with the number of points that were seen.
    told: Option<&'a mut Told<'a>>,
    /// What [`Status::Finished`] runs beyond the group may be compared with while they run.
    fresh: Vec<Observation>,
}

/// Hears how a run ended, and how many points of it were seen.
pub type Told<'a> = dyn FnMut(&str, &Ending, usize) + 'a;

/// An output that is being read.
struct Live {
    run: String,
    stream: Stream,
    output: parse::Live,
    points: Vec<Point>,
    metric: Option<usize>,
    /// Points seen before the metric was chosen.
    early: Vec<Observation>,
    /// So many of those came without a metric to follow that nobody waits for one any more.
    given_up: bool,
    sampled: bool,
    cursor: Cursor,
    last: Option<Instant>,
    step_times: Vec<Duration>,
    open: bool,
    stopped: bool,
}

/// Points of any metric after which the one to follow is chosen.
const ENOUGH_TO_CHOOSE: usize = 4;
/// Points kept while there is none to follow: an output that shows so many others is not read while it is written.
const MOST_EARLY: usize = 10_000;
/// Most step times kept of one run: their median needs no more.
const MOST_TIMES: usize = 10_000;
/// Runs whose step times are kept: a price needs no more.
const MOST_TIMED: usize = 64;

impl Live {
    fn new(run: &str, stream: Stream, options: &parse::Options) -> Self {
        Self {
            run: run.to_owned(),
            stream,
            output: parse::Live::new(options.clone()),
            points: Vec::new(),
            metric: None,
            early: Vec::new(),
            given_up: false,
            sampled: false,
            cursor: Cursor::default(),
            last: None,
            step_times: Vec::new(),
            open: true,
            stopped: false,
        }
    }

    fn is_errors(&self) -> bool {
        self.stream == Stream::Error
    }

    /// Chooses the metric to follow, once enough is there. The whole log is read again, in full, at the end: this choice only
    /// decides when to stop. Of standard error it is a loss or nothing, as nothing else of it counts beside another output.
    fn choose(&mut self) {
        if self.metric.is_some() || self.early.len() < ENOUGH_TO_CHOOSE {
            return;
        }
        let summary = self.output.summary();
        let counts = |&metric: &usize| !self.is_errors() || outputs::is_loss(summary.roles[metric]);
        self.metric = summary.primary.filter(counts);
        if self.metric.is_none() && self.early.len() > MOST_EARLY {
            self.given_up = true;
            self.early = Vec::new();
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
            parted_in_errors: false,
            endings: BTreeMap::new(),
            told: None,
            fresh: Vec::new(),
        }
    }

    /// Compares what is watched with a run that has ended.
    pub fn compare_with(&mut self, run: &str, series: &Series) {
        let ended = Live::new(run, series.stream.unwrap_or(Stream::Output), &self.options);
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

    fn read(&mut self, run: &str, stream: Stream, bytes: &[u8]) -> Control {
        if !self.runs.iter().any(|live| live.run == run && live.stream == stream) {
            self.runs.push(Live::new(run, stream, &self.options));
        }
        let wanted = |live: &&mut Live| live.run == run && live.stream == stream;
        let Some(live) = self.runs.iter_mut().find(wanted) else { return Control::Continue };
        if live.given_up {
            return Control::Continue;
        }
        let now = Instant::now();
        self.fresh.clear();
        live.output.push(bytes, &mut self.fresh);
        live.early.append(&mut self.fresh);
        live.choose();
        let Some(metric) = live.metric else { return Control::Continue };
        let (name, sampled) = match live.output.metrics().get(metric) {
            Some(known) => (known.name.clone(), known.sampled),
            None => return Control::Continue,
        };
        live.sampled |= sampled;
        let seen = std::mem::take(&mut live.early).into_iter().filter(|seen| seen.metric == metric);
        let points: Vec<Point> = seen.map(|seen| seen.point).collect();
        points.iter().for_each(|point| live.take(point.clone(), now));
        if self.counts(run, stream) {
            points.iter().for_each(|point| self.progress.point(run, &name, point));
        }
        self.compare(run);
        if self.rule.first_divergence_ends_all && self.parted.is_some() {
            return Control::StopAll;
        }
        Control::Stop(self.finished_early()).or_continue()
    }

    /// Forgets what an earlier attempt at a run wrote: two attempts are no run, and no difference of theirs counts.
    fn restart(&mut self, run: &str) {
        self.runs.retain(|live| live.run != run || live.stream == Stream::Output);
        let first = self.runs.first().is_some_and(|first| first.run == run);
        for live in &mut self.runs {
            if live.run == run {
                *live = Live::new(run, Stream::Output, &self.options);
            } else if first {
                live.cursor = Cursor::default();
            }
        }
        self.parted = None;
    }

    /// Advances a run against the first one, output by output, as far as both have come; every run where it is the first.
    fn compare(&mut self, run: &str) {
        if self.parted.is_some() || self.rule.after_divergence.is_none() {
            return;
        }
        let Some(reference) = self.runs.first().map(|first| first.run.clone()) else { return };
        let (firsts, others): (Vec<&mut Live>, Vec<&mut Live>) =
            self.runs.iter_mut().partition(|live| live.run == reference);
        for other in others.into_iter().filter(|other| run == reference || other.run == run) {
            let Some(first) = firsts.iter().find(|first| first.stream == other.stream) else { continue };
            let sampled = first.sampled || other.sampled;
            let rule = Rule { tolerance: self.rule.tolerance, source: Source::Printed, sampled };
            if let Some(gap) = other.cursor.advance(&first.points, &other.points, (End::Open, End::Open), rule) {
                self.parted_in_errors = other.is_errors() && (self.parted.is_none() || self.parted_in_errors);
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

    /// Whether points of this output of a run are those that are counted.
    fn counts(&self, run: &str, stream: Stream) -> bool {
        let known = self.rule.counted.map(|counted| counted == Stream::Error);
        let shown = |live: &Live| live.run == run && !live.is_errors() && live.metric.is_some();
        (stream == Stream::Error) == known.unwrap_or_else(|| !self.runs.iter().any(shown))
    }

    /// Runs that have shown enough and were not stopped yet.
    fn finished_early(&mut self) -> Vec<String> {
        let after_divergence =
            self.parted.zip(self.rule.after_divergence).map(|(index, after)| (index + after) as u64 + 1);
        let enough = |live: &Live| {
            let parted = after_divergence.filter(|_| live.is_errors() == self.parted_in_errors);
            let asked = self.rule.after_points.filter(|_| self.counts(&live.run, live.stream));
            [parted, asked].into_iter().flatten().any(|limit| live.points.len() as u64 >= limit)
        };
        let open = self.runs.iter().filter(|live| live.open && !live.stopped);
        let stopped: Vec<String> = open.filter(|live| enough(live)).map(|live| live.run.clone()).collect();
        for live in self.runs.iter_mut().filter(|live| stopped.contains(&live.run)) {
            live.stopped = true;
        }
        stopped
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
                self.runs.push(Live::new(run, Stream::Output, &self.options));
                Control::Continue
            }
            RunEvent::Wrote { run, stream, bytes } => self.read(run, *stream, bytes),
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
                    // Of several outputs the first one that showed any: ranks go in step.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ProgressKind;

    #[test]
    fn points_of_an_output_that_has_none_to_follow_are_not_kept_for_ever() {
        let mut progress = Progress::new(ProgressKind::Quiet, 1);
        let mut watch = Watch::new(StopRule::never(Tolerance::Exact), parse::Options::default(), &mut progress);
        for step in 0..2 * MOST_EARLY {
            watch.read("r1", Stream::Error, format!("step {step} accuracy 0.5\n").as_bytes());
        }
        assert!(
            watch.runs[0].given_up && watch.runs[0].early.is_empty(),
            "accuracies of standard error count for nothing"
        );
        for step in 0..10 {
            watch.read("r2", Stream::Error, format!("step {step} loss 0.5\n").as_bytes());
        }
        assert!(watch.runs[1].points.len() > 5, "and losses do");
    }
}
