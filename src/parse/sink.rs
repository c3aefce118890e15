//! Where readers put what they find: the table of metrics and the points of each, segments counted, redraws merged.

use std::collections::HashMap;

use super::bar::Settled;
use super::metric::Metric;
use super::names::Meaning;
use super::number::{self, Spelling};
use super::run::Run;
use super::track::{Borrowed, Track};
use crate::model::{Course, Point, Position, Token};

/// A log with more names than this is no log of a training.
const MOST_METRICS: usize = 2048;
/// Names of losses have that much more room.
const MOST_LOSSES: usize = 16 * MOST_METRICS;

/// A point of one metric, as it is found.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Index into the table of metrics.
    pub metric: usize,
    /// The point.
    pub point: Point,
}

/// Where the numbers of a line stand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Place {
    /// The epoch as shown.
    pub(crate) epoch: Option<f64>,
    /// The step as shown.
    pub(crate) step: Option<i64>,
    /// Counts the bars of a log: a new bar begins a new segment even where its first drawn step is higher.
    pub(crate) lap: u32,
}

/// What a reader writes to.
#[derive(Clone, Debug, Default)]
pub struct Sink {
    /// The metrics so far.
    pub(crate) metrics: Vec<Metric>,
    pub(super) tracks: Vec<Track>,
    index: HashMap<Vec<u8>, usize>,
    /// Observations not yet taken.
    pub(crate) out: Vec<Observation>,
    /// Names of recognised noise, in order of appearance.
    pub(crate) noise: Vec<String>,
    /// What was skipped or doubtful.
    pub(crate) warnings: Vec<String>,
    /// What was not looked at although it may hold results.
    pub(crate) left_out: Option<String>,
    /// Whether the course of every metric is kept.
    courses: bool,
    /// Nobody listens to points at all: only courses are kept.
    pub(crate) silent: bool,
    pub(super) run: Run,
    /// Values that were printed twice in a row at the same step.
    repeated: u64,
    /// Texts under the names of losses and other results that are no numbers, and the first of those names.
    unread: u64,
    unread_name: String,
}

/// A value on its way into the sink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) value: Worth,
    pub(crate) text: &'a [u8],
    pub(crate) line: u64,
    /// Drawn in place: a later drawing of the same position replaces it.
    pub(crate) redraw: bool,
}

/// The value of a printed number: known, or to be read from the text once somebody wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Worth {
    /// This value.
    Known(f64),
    /// What a text of this spelling says; it shows so many decimals.
    Spelled(Spelling, Option<u32>),
    /// This value, which was never printed.
    Exact(f64),
}

impl From<f64> for Worth {
    fn from(value: f64) -> Self {
        Self::Known(value)
    }
}

impl Shown<'_> {
    /// The point that it makes at a position.
    pub(super) fn point(&self, position: Position) -> Point {
        let value = match self.value {
            Worth::Known(value) | Worth::Exact(value) => value,
            Worth::Spelled(spelling, _) => number::value(self.text, spelling, false),
        };
        Point { position, value, text: Token::from_bytes(self.text), line: self.line }
    }
}

impl Sink {
    /// A sink that keeps the course of every metric beside handing on its points.
    pub(crate) fn with_courses() -> Self {
        Self { courses: true, ..Self::default() }
    }

    /// The course of a metric, where courses are kept.
    pub(crate) fn course(&self, id: usize) -> Option<&Course> {
        self.tracks.get(id)?.course.as_deref()
    }

    /// The courses of all metrics, to be told what they are to keep.
    pub(crate) fn courses(&mut self) -> impl Iterator<Item = &mut Course> {
        self.tracks.iter_mut().filter_map(|track| track.course.as_deref_mut())
    }

    /// Hands on no further point of this metric.
    pub(crate) fn mute(&mut self, id: usize) {
        if let Some(track) = self.tracks.get_mut(id) {
            track.mute = true;
            if let Some(course) = &mut track.course {
                course.trails = false;
            }
        }
    }

    /// Whether somebody listens to the points of a metric.
    pub(super) fn is_loud(&self, track: &Track) -> bool {
        !self.silent && !track.mute
    }

    pub(super) fn has_courses(&self) -> bool {
        self.courses
    }

    fn new_track(&self) -> Track {
        Track { course: self.courses.then(|| Box::new(Course::new())), ..Track::default() }
    }

    /// The metric known under `key`, or a new one made by `make`.
    pub(crate) fn metric(&mut self, key: &[u8], make: impl FnOnce() -> Metric) -> usize {
        if let Some(&id) = self.index.get(key) {
            return id;
        }
        let mut metric = make();
        let most = if metric.meaning == Meaning::Loss { MOST_LOSSES } else { MOST_METRICS };
        if self.metrics.len() >= most {
            if metric.may_count() {
                self.leave_out(format!("more than {MOST_METRICS} names of numbers: the others were left out"));
            }
            return self.overflow();
        }
        metric.name = self.free_name(metric.name);
        let id = self.metrics.len();
        self.metrics.push(metric);
        let track = self.new_track();
        self.tracks.push(track);
        self.index.insert(key.to_vec(), id);
        id
    }

    /// Where the points of metrics beyond the limit go: nowhere that is compared.
    fn overflow(&mut self) -> usize {
        if let Some(&id) = self.index.get(&b"\0overflow"[..]) {
            return id;
        }
        self.metrics.push(Metric { meaning: Meaning::Config, ..Metric::named("") });
        let track = self.new_track();
        self.tracks.push(track);
        self.index.insert(b"\0overflow".to_vec(), self.metrics.len() - 1);
        self.metrics.len() - 1
    }

    /// Two metrics never share a name: the second `loss` of a log becomes `loss (2)`.
    fn free_name(&self, name: String) -> String {
        let taken = |name: &str| self.metrics.iter().any(|m| m.name == name);
        if !taken(&name) {
            return name;
        }
        (2..).map(|n| format!("{name} ({n})")).find(|name| !taken(name)).unwrap_or(name)
    }

    /// The metric known by `name` alone.
    pub(crate) fn plain(&mut self, name: &str) -> usize {
        self.metric(name.as_bytes(), || Metric::named(name))
    }

    /// The metric of this name that the user's own pattern finds.
    pub(crate) fn asked(&mut self, name: &str) -> usize {
        self.metric(name.as_bytes(), || {
            let metric = Metric { asked: true, ..Metric::named(name) };
            // It is no noise: somebody wants to see it.
            let meaning = if metric.may_count() { metric.meaning } else { Meaning::Unknown };
            Metric { meaning, ..metric }
        })
    }

    /// Whether the last point of a metric stands at this very place.
    pub(crate) fn is_at(&mut self, id: usize, place: Place) -> bool {
        self.end_run();
        let track = &self.tracks[id];
        let last = track.pending.as_ref().map(|pending| pending.position).or(track.last);
        last.is_some_and(|last| last.step == place.step && last.epoch == place.epoch)
    }

    /// Notes a noise field.
    pub(crate) fn note_noise(&mut self, name: &str) {
        if self.noise.len() < 64 && !name.is_empty() && !self.noise.iter().any(|n| n == name) {
            self.noise.push(name.to_owned());
        }
    }

    /// Warns that something was not looked at which may hold results.
    pub(crate) fn leave_out(&mut self, what: String) {
        self.warn(what.clone());
        self.left_out.get_or_insert(what);
    }

    /// Counts a text under a name that promises a number, where it stands for one.
    pub(crate) fn note_unread(&mut self, name: &str, text: &[u8]) {
        if !number::is_nothing(text) {
            self.unread += 1;
            if self.unread == 1 {
                self.unread_name = name.to_owned();
            }
        }
    }

    /// Says how many texts were no numbers: where a loss has nothing else, there is nothing to compare it by.
    pub(crate) fn warn_of_unread(&mut self) {
        let (unread, name) = (std::mem::take(&mut self.unread), std::mem::take(&mut self.unread_name));
        if unread == 0 {
            return;
        }
        let what = format!("{unread} values under names of results, `{name}` first, are no numbers");
        if self.metrics.iter().any(|metric| metric.name == name) { self.warn(what) } else { self.leave_out(what) }
    }

    /// Warns once.
    pub(crate) fn warn(&mut self, text: String) {
        if self.warnings.len() < 64 && !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// Takes one value in.
    pub(crate) fn record(&mut self, id: usize, place: Place, shown: Shown<'_>) {
        self.end_run();
        self.take(id, place, shown);
    }

    pub(super) fn take(&mut self, id: usize, place: Place, shown: Shown<'_>) {
        let track = &mut self.tracks[id];
        let whole = place.epoch.is_none_or(is_whole);
        track.fractional |= place.step.is_none() && !whole;
        let step = place.step.or(match place.epoch {
            Some(epoch) if whole && !track.fractional => Some(epoch as i64),
            _ => None,
        });
        let position = Position { segment: 0, epoch: place.epoch, step };
        if let Some(pending) = &mut track.pending {
            // What says no place is drawn again on its own line only.
            let same = position.step.is_some() || position.epoch.is_some() || pending.line == shown.line;
            if same && pending.position == position && track.pending_lap == place.lap {
                *pending = shown.point(position);
                return;
            }
            self.flush(id);
        }
        let track = &mut self.tracks[id];
        if !matches!(shown.value, Worth::Exact(_)) {
            // Two handlers of one logger, or two ranks without a label, print the same line: it counts once.
            if position.step.is_some()
                && !shown.redraw
                && track.shown.is_some_and(|before| before == (position, place.lap))
                && track.shown_text == shown.text
                && track.last.is_some_and(|last| Position { segment: 0, ..last } == position)
            {
                self.repeated += u64::from(self.metrics[id].may_count());
                return;
            }
            track.shown = Some((position, place.lap));
            track.shown_text.clear();
            track.shown_text.extend_from_slice(shown.text);
        }
        if shown.redraw {
            let track = &mut self.tracks[id];
            track.pending = Some(shown.point(position));
            track.pending_lap = place.lap;
        } else {
            let decimals = match shown.value {
                Worth::Exact(value) => is_whole(value).then_some(0),
                Worth::Spelled(_, decimals) => decimals,
                _ => decimals(shown.text),
            };
            let is_printed = !matches!(shown.value, Worth::Exact(_));
            let fraction = decimals != Some(0) || is_printed && shown.text.len() > 8 && shown.text.contains(&b'.');
            self.emit(id, position, place.lap, (decimals, shown.text.len(), fraction), |position| {
                shown.point(position)
            });
        }
    }

    /// Takes in what a bar has proved of its earlier drawings.
    pub(crate) fn settle(&mut self, id: usize, settled: Settled) {
        self.end_run();
        if settled.withdraws {
            self.tracks[id].pending = None;
        }
        self.metrics[id].sampled |= settled.clocked;
        for Point { position, value, text, line } in settled.points {
            let place = Place { epoch: position.epoch, step: position.step, lap: 0 };
            self.take(id, place, Shown { value: value.into(), text: text.as_bytes(), line, redraw: true });
        }
    }

    /// Says that a value of a metric takes its step from a bar. A job logs at steps that are evenly apart, the first one and the end of
    /// the bar aside: where they are not, the clock has drawn the bar.
    pub(crate) fn borrow(&mut self, id: usize, step: i64, total: i64) {
        let begins = Borrowed { first: step, last: step, gap: None };
        let before = self.tracks[id].borrowed.unwrap_or(begins);
        let apart = step.saturating_sub(before.last);
        let next_bar = apart < 0;
        let gap = before.gap.or((apart > 0 && before.last > 1).then_some(apart));
        let known = self.tracks[id].borrowed.is_some();
        let even = if next_bar { step == before.first } else { gap.is_none_or(|gap| gap == apart) || step >= total };
        self.tracks[id].borrowed = Some(Borrowed { last: step, gap, ..before });
        if known && !even && !self.metrics[id].by_order {
            self.metrics[id].by_order = true;
            let name = self.metrics[id].name.clone();
            self.warn(format!(
                "`{name}` stands beside a bar that is drawn by the clock: it is compared by order, not by step"
            ));
        }
    }

    fn flush(&mut self, id: usize) {
        let lap = self.tracks[id].pending_lap;
        if let Some(point) = self.tracks[id].pending.take() {
            let before = self.tracks[id].last;
            let decimals = if point.text.is_empty() { None } else { decimals(point.text.as_bytes()) };
            let (position, length) = (point.position, point.text.len());
            self.emit(id, position, lap, (decimals, length, decimals != Some(0)), |position| Point {
                position,
                ..point
            });
            self.watch_gaps(id, before);
        }
    }

    /// A redrawn series whose steps are not on a regular grid is a sample.
    fn watch_gaps(&mut self, id: usize, before: Option<Position>) {
        let track = &mut self.tracks[id];
        let (Some(before), Some(now)) = (before, track.last) else { return };
        if before.segment != now.segment {
            // The first step of each segment belongs to the grid as well.
            if let (Some(gap), Some(step)) = (track.gap, now.step) {
                self.metrics[id].sampled |= step != gap && step != 1 && step != 0;
            }
            return;
        }
        if let (Some(a), Some(b)) = (before.step, now.step) {
            match track.gap {
                None => track.gap = Some(b.saturating_sub(a)),
                Some(gap) if gap != b.saturating_sub(a) => self.metrics[id].sampled = true,
                Some(_) => {}
            }
        }
    }

    /// Hands on a point, which is made only where somebody wants it.
    fn emit(
        &mut self,
        id: usize,
        mut position: Position,
        lap: u32,
        (decimals, length, fraction): (Option<u32>, usize, bool),
        make: impl FnOnce(Position) -> Point,
    ) {
        let track = &mut self.tracks[id];
        if let Some(last) = &track.last {
            let here = Position { segment: last.segment, ..position };
            let back = matches!(here.order(last), Some(std::cmp::Ordering::Less));
            if back || lap != track.lap {
                track.segment += 1;
            }
        }
        track.lap = lap;
        position.segment = track.segment;
        track.last = Some(position);
        if let Some(decimals) = decimals {
            track.fewest_decimals = Some(track.fewest_decimals.map_or(decimals, |d| d.min(decimals)));
        }
        let metric = &mut self.metrics[id];
        metric.points += 1;
        metric.placed += u64::from(position.step.is_some());
        metric.fractions += u64::from(fraction);
        let kept = track.course.as_mut().map(|course| course.skim(decimals, length));
        let listens = !self.silent && !track.mute;
        if kept != Some(true) && !listens {
            return;
        }
        let point = make(position);
        if let Some(course) = track.course.as_mut().filter(|_| kept == Some(true)) {
            course.keep(point.clone());
        }
        if listens {
            // Where courses are kept, a text is made only for the few points that are shown.
            let point = if self.courses { point } else { point.with_text() };
            self.out.push(Observation { metric: id, point });
        }
    }

    /// Hands over every redraw that was held back.
    pub(crate) fn flush_all(&mut self) {
        self.end_run();
        self.warn_of_unread();
        for id in 0..self.metrics.len() {
            self.flush(id);
        }
        if self.repeated > 0 {
            let repeated = std::mem::take(&mut self.repeated);
            self.warn(format!("{repeated} values were printed twice in a row at their step: they count once"));
        }
    }

    /// Whether `text`, the last thing in a log that ends without a line end, looks whole beside the points before it.
    pub(crate) fn looks_whole(&mut self, id: usize, text: &str) -> bool {
        self.end_run();
        match self.tracks[id].fewest_decimals {
            None => self.metrics[id].points == 0,
            Some(fewest) => Token::new(text).decimals().is_none_or(|d| d >= fewest),
        }
    }
}

/// Decimals of a printed number; the common spelling without an exponent is counted at once.
pub(super) fn decimals(text: &[u8]) -> Option<u32> {
    let plain = text.len() < 22 && text.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    if !plain {
        return Token::new(&String::from_utf8_lossy(text)).decimals();
    }
    Some(text.iter().rposition(|b| *b == b'.').map_or(0, |at| (text.len() - at - 1) as u32))
}

/// Whether a number has no fraction.
fn is_whole(value: f64) -> bool {
    value as i64 as f64 == value
}
