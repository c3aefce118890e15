//! Rows that go on evenly where nobody listens to their points: counted together, and not one value at a time.

use std::ops::Range;

use super::number::{self, Spelling};
use super::sink::{Place, Shown, Sink, Worth};
use crate::model::Position;

/// A value of a row: its metric, where the row shows it, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    pub(crate) id: usize,
    pub(crate) at: Range<usize>,
    pub(crate) spelling: Spelling,
    /// How many decimals it shows; `None` for what is no finite number.
    pub(crate) decimals: Option<u32>,
}

impl Slot {
    /// The number that a row shows here.
    pub(crate) fn number(&self, row: &[u8]) -> f64 {
        let shown = &row[self.at.clone()];
        match number::count(shown) {
            Some(count) if shown.len() < 16 => count as f64,
            _ => number::value(shown, self.spelling, false),
        }
    }
}

/// Rows of the same metrics whose positions rise, since their counts were last written down.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    values: Vec<Counted>,
    last: Place,
    rows: usize,
    /// How many rows may follow before somebody wants to see a point.
    left: usize,
}

/// What is counted of one metric.
#[derive(Clone, Debug)]
struct Counted {
    id: usize,
    loud: bool,
    most: Option<u32>,
    fewest: Option<u32>,
    longest: usize,
    fractions: u64,
}

impl Sink {
    /// Takes the values of a row, which are those of different metrics at one place.
    pub(crate) fn record_row(&mut self, place: Place, row: &[u8], slots: &[Slot], line: u64) {
        if self.run.goes_on(place, slots) {
            self.run.count(place, slots);
            if self.run.values.iter().any(|value| value.loud) {
                self.take_loud(place, row, slots, line);
            }
            return;
        }
        self.end_run();
        for slot in slots {
            self.take(slot.id, place, shown(row, slot, line));
        }
        self.begin_run(place, slots);
    }

    fn take_loud(&mut self, place: Place, row: &[u8], slots: &[Slot], line: u64) {
        for (index, slot) in slots.iter().enumerate() {
            if self.run.values[index].loud {
                self.take(slot.id, place, shown(row, slot, line));
            }
        }
    }

    /// Rows from here on may be counted together, up to the next one of which somebody wants to see the points.
    fn begin_run(&mut self, place: Place, slots: &[Slot]) {
        if !self.has_courses() || slots.is_empty() {
            return;
        }
        let mut left = usize::MAX;
        self.run.values.clear();
        for slot in slots {
            let track = &self.tracks[slot.id];
            let loud = !self.silent && !track.mute;
            let free = track.course.as_ref().map_or(0, |course| course.unwanted());
            let position = track.last.is_some_and(|last| last.step == place.step && last.epoch == place.epoch);
            let usual = position && track.pending.is_none() && track.lap == place.lap;
            if !loud {
                left = left.min(if usual && (place.step.is_some() || place.epoch.is_none() || track.fractional) {
                    free
                } else {
                    0
                });
            }
            self.run.values.push(Counted::new(slot.id, loud));
        }
        let all_loud = self.run.values.iter().all(|value| value.loud);
        (self.run.last, self.run.rows, self.run.left) = (place, 0, if all_loud { 0 } else { left });
    }

    /// Writes down what was counted.
    pub(crate) fn end_run(&mut self) {
        if self.run.rows == 0 {
            self.run.left = 0;
            return;
        }
        let (rows, last) = (self.run.rows, self.run.last);
        for value in self.run.values.iter().filter(|value| !value.loud) {
            let track = &mut self.tracks[value.id];
            track.last = Some(Position { segment: track.segment, epoch: last.epoch, step: last.step });
            if let Some(fewest) = value.fewest {
                track.fewest_decimals = Some(track.fewest_decimals.map_or(fewest, |known| known.min(fewest)));
            }
            if let Some(course) = &mut track.course {
                course.skip(rows, value.most, value.longest);
            }
            let metric = &mut self.metrics[value.id];
            metric.points += rows as u64;
            metric.placed += if last.step.is_some() { rows as u64 } else { 0 };
            metric.fractions += value.fractions;
        }
        (self.run.rows, self.run.left) = (0, 0);
    }
}

impl Run {
    fn goes_on(&self, place: Place, slots: &[Slot]) -> bool {
        let rises = match (self.last.step, place.step, self.last.epoch, place.epoch) {
            (Some(before), Some(now), ..) => now >= before,
            (None, None, Some(before), Some(now)) => now >= before,
            // Only the order of the lines places them.
            (None, None, None, None) => true,
            _ => false,
        };
        self.left > 0
            && rises
            && self.last.lap == place.lap
            && self.values.len() == slots.len()
            && self.values.iter().zip(slots).all(|(value, slot)| value.id == slot.id)
    }

    fn count(&mut self, place: Place, slots: &[Slot]) {
        for (value, slot) in self.values.iter_mut().zip(slots) {
            value.count(slot);
        }
        self.last = place;
        self.left -= 1;
        self.rows += 1;
    }
}

impl Counted {
    fn new(id: usize, loud: bool) -> Self {
        Self { id, loud, most: None, fewest: None, longest: 0, fractions: 0 }
    }

    fn count(&mut self, slot: &Slot) {
        self.longest = self.longest.max(slot.at.len());
        self.most = self.most.max(slot.decimals);
        match (slot.decimals, self.fewest) {
            (Some(now), Some(known)) if now >= known => {}
            (None, _) => {}
            _ => self.fewest = slot.decimals,
        }
        self.fractions += u64::from(slot.decimals.is_none_or(|decimals| decimals > 0));
    }
}

fn shown<'a>(row: &'a [u8], slot: &Slot, line: u64) -> Shown<'a> {
    Shown { value: Worth::Spelled(slot.spelling), text: &row[slot.at.clone()], line, redraw: false }
}
