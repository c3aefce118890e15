//! Live progress on standard error while trials are executed; drawn from the same events that the record keeps.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{untrusted, words};
use crate::model::{Point, RunEvent, Status};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressKind {
    /// One moving line per run, for a terminal.
    Live,
    /// A line when a run starts and when it ends, for a CI log.
    Lines,
    /// Nothing.
    Quiet,
}

/// Redraws at most this often: a job may print thousands of points a second.
const REDRAW: Duration = Duration::from_millis(100);

/// The progress of an audit.
pub struct Progress {
    kind: ProgressKind,
    total: usize,
    started: usize,
    ended: usize,
    bars: MultiProgress,
    runs: BTreeMap<String, Live>,
}

/// What is shown of a run that is going on.
struct Live {
    bar: ProgressBar,
    drawn: Option<Instant>,
    points: usize,
    metric: String,
    last: Option<Point>,
}

impl Progress {
    /// Progress over `total` planned runs; more may come.
    pub fn new(kind: ProgressKind, total: usize) -> Self {
        let target = match kind {
            ProgressKind::Live => ProgressDrawTarget::stderr(),
            ProgressKind::Lines | ProgressKind::Quiet => ProgressDrawTarget::hidden(),
        };
        let bars = MultiProgress::with_draw_target(target);
        Self { kind, total, started: 0, ended: 0, bars, runs: BTreeMap::new() }
    }

    /// More runs were planned.
    pub fn plan(&mut self, total: usize) {
        self.total = self.total.max(total);
    }

    /// Something happened to a run.
    pub fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Started { run, .. } => self.start(run),
            RunEvent::Restarted { run } => self.restart(run),
            RunEvent::Noted { run, note } => self.say(&untrusted::plain(&format!("{run}: {note}"))),
            RunEvent::Wrote { .. } => {}
            RunEvent::Ended { run, status, exit_code, signal, duration, notes, .. } => {
                self.end(run, &end_words(*status, *exit_code, *signal, *duration), notes);
            }
        }
    }

    /// A run showed a value of the metric that is compared.
    pub fn point(&mut self, run: &str, metric: &str, point: &Point) {
        let Some(live) = self.runs.get_mut(run) else { return };
        live.points += 1;
        live.last = Some(point.clone());
        if live.metric != metric {
            metric.clone_into(&mut live.metric);
        }
        if self.kind == ProgressKind::Live && live.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            live.drawn = Some(Instant::now());
            live.bar.set_message(point_words(metric, point));
        }
    }

    /// A line for the reader.
    pub fn message(&mut self, text: &str) {
        self.say(&untrusted::plain(text));
    }

    /// Clears what moves; what was said stays.
    pub fn finish(&mut self) {
        for (_, live) in std::mem::take(&mut self.runs) {
            live.bar.finish_and_clear();
        }
        // A terminal that is gone needs no clearing.
        let _ = self.bars.clear();
    }

    fn start(&mut self, run: &str) {
        self.started += 1;
        self.total = self.total.max(self.started);
        let bar = self.bars.add(ProgressBar::no_length());
        // The template is ours and fixed, so that it cannot fail to parse.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<6} {elapsed:>5}  {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(untrusted::plain(run).into_owned());
        bar.set_message("started");
        if self.kind == ProgressKind::Live {
            bar.enable_steady_tick(REDRAW);
        }
        let live = Live { bar, drawn: None, points: 0, metric: String::new(), last: None };
        self.runs.insert(run.to_owned(), live);
        if self.kind == ProgressKind::Lines {
            self.say(&format!("{run} started ({} of {})", self.started, self.total));
        }
    }

    fn restart(&mut self, run: &str) {
        if let Some(live) = self.runs.get_mut(run) {
            live.points = 0;
            live.last = None;
            live.bar.set_message("started again");
        }
    }

    fn end(&mut self, run: &str, how: &str, notes: &[String]) {
        self.ended += 1;
        let shown = match self.runs.remove(run) {
            Some(live) => {
                live.bar.finish_and_clear();
                self.bars.remove(&live.bar);
                let points = words::count(live.points, "point");
                let last =
                    live.last.map_or(String::new(), |last| format!(", last {}", point_words(&live.metric, &last)));
                format!(", {points}{last}")
            }
            // One that others made needless before it started is not worth a line.
            None if how.starts_with(SKIPPED) && notes.is_empty() => return,
            None => String::new(),
        };
        self.say(&untrusted::plain(&format!("{run} {how}{shown} ({} of {} done)", self.ended, self.total)));
        for note in notes {
            self.say(&untrusted::plain(&format!("{run}: {note}")));
        }
    }

    fn say(&self, text: &str) {
        let text = untrusted::no_command(text);
        match self.kind {
            ProgressKind::Quiet => {}
            // Nothing can be done about a terminal that does not take the text.
            ProgressKind::Live => drop(self.bars.println(text.as_ref())),
            ProgressKind::Lines => line_to_stderr(&text),
        }
    }
}

#[expect(clippy::print_stderr, reason = "progress is the one thing that a stage writes by itself")]
fn line_to_stderr(text: &str) {
    eprintln!("{text}");
}

/// "step 12 (epoch 1), loss 2.301".
fn point_words(metric: &str, point: &Point) -> String {
    let metric = untrusted::plain(metric);
    match (point.position.step, point.position.epoch) {
        (None, None) => format!("{metric} {}", point.text),
        _ => format!("{}, {metric} {}", words::brief_place(&point.position), point.text),
    }
}

const SKIPPED: &str = "skipped";

/// "finished in 3.2 s", "crashed in 0.1 s, exit code 1".
fn end_words(status: Status, exit_code: Option<i32>, signal: Option<i32>, duration: Duration) -> String {
    let word = match status {
        Status::Finished => "finished",
        Status::Stopped => "stopped",
        Status::Crashed => "crashed",
        Status::TimedOut => "timed out",
        Status::Lost => "lost",
        Status::Skipped => SKIPPED,
    };
    let cause = match (status, exit_code, signal) {
        (Status::Crashed, _, Some(signal)) => format!(", signal {signal}"),
        (Status::Crashed, Some(code), _) => format!(", exit code {code}"),
        _ => String::new(),
    };
    format!("{word} after {:.1} s{cause}", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_with_their_cause() {
        let end = |status, code, signal| end_words(status, code, signal, Duration::from_millis(3210));
        assert_eq!(end(Status::Finished, Some(0), None), "finished after 3.2 s");
        assert_eq!(end(Status::Crashed, None, Some(9)), "crashed after 3.2 s, signal 9");
    }

    #[test]
    fn points_name_their_place_and_hide_nothing() {
        let point = Point::printed(12, "2.301", 1);
        assert_eq!(point_words("lo\x1b[2Jss", &point), "step 12, lo␛[2Jss 2.301");
    }
}
