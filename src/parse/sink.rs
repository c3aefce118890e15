//! Where readers put what they find: the table of metrics and the points of each, segments counted, redraws merged.

use std::collections::HashMap;

use super::names::{self, Meaning, Split};
use crate::model::{Point, Position, Source};

/// A log with more names than this is no log of a training.
const MOST_METRICS: usize = 2048;

/// A point of one metric, as it is found.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Index into the table of metrics.
    pub metric: usize,
    /// The point.
    pub point: Point,
}

/// One row of the table of metrics, filled as a log is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The name as the log spells it.
    pub name: String,
    /// What the name means.
    pub(crate) meaning: Meaning,
    /// The data it was taken on.
    pub(crate) split: Split,
    /// Whether it is a mean shown beside the step's own value.
    pub(crate) smoothed: bool,
    /// Whether it was seen in timed redraws with gaps that are not regular.
    pub sampled: bool,
    /// Whether its points are printed digits or exact bits.
    pub source: Source,
    /// How many points were handed on.
    pub points: u64,
    /// Points whose value has a fraction.
    pub(crate) fractions: u64,
    /// Points that have a step.
    pub(crate) placed: u64,
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

#[derive(Debug, Default)]
struct Track {
    last: Option<Position>,
    pending: Option<Point>,
    segment: u32,
    lap: u32,
    pending_lap: u32,
    /// Epochs with a fraction were seen, so that an epoch does not stand for a step.
    fractional: bool,
    gap: Option<i64>,
    fewest_decimals: Option<u32>,
}

/// What a reader writes to.
#[derive(Debug, Default)]
pub struct Sink {
    /// The metrics so far.
    pub(crate) metrics: Vec<Metric>,
    tracks: Vec<Track>,
    index: HashMap<Vec<u8>, usize>,
    /// Observations not yet taken.
    pub(crate) out: Vec<Observation>,
    /// Names of recognised noise, in order of appearance.
    pub(crate) noise: Vec<String>,
    /// What was skipped or doubtful.
    pub(crate) warnings: Vec<String>,
}

/// A value on its way into the sink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) value: f64,
    pub(crate) text: &'a str,
    pub(crate) line: u64,
    /// Drawn in place: a later drawing of the same position replaces it.
    pub(crate) redraw: bool,
}

impl Sink {
    /// The metric known under `key`, or a new one made by `make`.
    pub(crate) fn metric(&mut self, key: &[u8], make: impl FnOnce() -> Metric) -> usize {
        if let Some(&id) = self.index.get(key) {
            return id;
        }
        if self.metrics.len() >= MOST_METRICS {
            self.warn(format!("more than {MOST_METRICS} names of numbers: the others were left out"));
            return self.overflow();
        }
        let mut metric = make();
        metric.name = self.free_name(metric.name);
        let id = self.metrics.len();
        self.metrics.push(metric);
        self.tracks.push(Track::default());
        self.index.insert(key.to_vec(), id);
        id
    }

    /// Where the points of metrics beyond the limit go: nowhere that is compared.
    fn overflow(&mut self) -> usize {
        if let Some(&id) = self.index.get(&b"\0overflow"[..]) {
            return id;
        }
        self.metrics.push(Metric { meaning: Meaning::Config, ..Metric::named("") });
        self.tracks.push(Track::default());
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

    /// The name of a metric known by `name` alone.
    pub(crate) fn plain(&mut self, name: &str) -> usize {
        self.metric(name.as_bytes(), || Metric::named(name))
    }

    /// Notes a noise field.
    pub(crate) fn note_noise(&mut self, name: &str) {
        if self.noise.len() < 64 && !name.is_empty() && !self.noise.iter().any(|n| n == name) {
            self.noise.push(name.to_owned());
        }
    }

    /// Warns once.
    pub(crate) fn warn(&mut self, text: String) {
        if self.warnings.len() < 64 && !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// Takes one value in.
    pub(crate) fn record(&mut self, id: usize, place: Place, shown: Shown<'_>) {
        let track = &mut self.tracks[id];
        let whole = place.epoch.is_none_or(|e| e.fract() == 0.0);
        track.fractional |= place.step.is_none() && !whole;
        let step = place.step.or(match place.epoch {
            Some(epoch) if whole && !track.fractional => Some(epoch as i64),
            _ => None,
        });
        let position = Position { segment: 0, epoch: place.epoch, step };
        let point = Point { position, value: shown.value, text: shown.text.into(), line: shown.line };
        if let Some(pending) = &mut track.pending {
            if pending.position == position && track.pending_lap == place.lap {
                *pending = point;
                return;
            }
            self.flush(id);
        }
        if shown.redraw {
            self.tracks[id].pending = Some(point);
            self.tracks[id].pending_lap = place.lap;
        } else {
            self.emit(id, point, place.lap);
        }
    }

    fn flush(&mut self, id: usize) {
        let lap = self.tracks[id].pending_lap;
        if let Some(point) = self.tracks[id].pending.take() {
            let before = self.tracks[id].last;
            self.emit(id, point, lap);
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
                None => track.gap = Some(b - a),
                Some(gap) if gap != b - a => self.metrics[id].sampled = true,
                Some(_) => {}
            }
        }
    }

    fn emit(&mut self, id: usize, mut point: Point, lap: u32) {
        let track = &mut self.tracks[id];
        if let Some(last) = &track.last {
            let here = Position { segment: last.segment, ..point.position };
            let back = matches!(here.order(last), Some(std::cmp::Ordering::Less));
            if back || lap != track.lap {
                track.segment += 1;
            }
        }
        track.lap = lap;
        point.position.segment = track.segment;
        track.last = Some(point.position);
        let decimals = decimals(point.text.as_str());
        if let Some(decimals) = decimals {
            track.fewest_decimals = Some(track.fewest_decimals.map_or(decimals, |d| d.min(decimals)));
        }
        self.metrics[id].points += 1;
        self.metrics[id].placed += u64::from(point.position.step.is_some());
        self.metrics[id].fractions += u64::from(decimals.is_none_or(|d| d > 0));
        self.out.push(Observation { metric: id, point });
    }

    /// Hands over every redraw that was held back.
    pub(crate) fn flush_all(&mut self) {
        for id in 0..self.metrics.len() {
            self.flush(id);
        }
    }

    /// Whether `text`, the last thing in a log that ends without a line end, looks whole beside the points before it.
    pub(crate) fn looks_whole(&self, id: usize, text: &str) -> bool {
        match self.tracks[id].fewest_decimals {
            None => self.metrics[id].points == 0,
            Some(fewest) => crate::model::Token::new(text).decimals().is_none_or(|d| d >= fewest),
        }
    }
}

/// Decimals of a printed number; the common spelling without an exponent is counted at once.
fn decimals(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    let plain = bytes.len() < 22 && bytes.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    if !plain {
        return crate::model::Token::new(text).decimals();
    }
    Some(memchr::memrchr(b'.', bytes).map_or(0, |at| (bytes.len() - at - 1) as u32))
}

impl Metric {
    /// A metric whose meaning follows from its name.
    pub(crate) fn named(name: &str) -> Self {
        let tokens = names::tokens(name);
        Self {
            name: name.to_owned(),
            meaning: names::meaning(name),
            split: names::split(&tokens),
            smoothed: false,
            sampled: false,
            source: Source::Printed,
            points: 0,
            fractions: 0,
            placed: 0,
        }
    }
}
