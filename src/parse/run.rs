//! Rows that go on evenly where nobody listens to their points: counted together, and not one value at a time.

use std::ops::Range;

use super::latest::Latest;
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
        match number::count_in(row, &self.at) {
            Some(count) if self.at.len() < 16 => count as f64,
            _ => self.short_decimal(row).unwrap_or_else(|| number::value(&row[self.at.clone()], self.spelling, false)),
        }
    }

    /// The value of `12.345`: both parts of the quotient are exact, so that it is rounded once, and correctly.
    fn short_decimal(&self, row: &[u8]) -> Option<f64> {
        let decimals = self.decimals.filter(|decimals| (1..=8).contains(decimals))?;
        let point = self.at.end.checked_sub(decimals as usize + 1).filter(|point| *point > self.at.start)?;
        if row[point] != b'.' || point - self.at.start > 7 {
            return None;
        }
        let (whole, scale) = (number::count_in(row, &(self.at.start..point))?, 10_i64.pow(decimals));
        let fraction = number::count_in(row, &(point + 1..self.at.end))?;
        Some((whole * scale + fraction) as f64 / scale as f64)
    }

    /// How the number is to be read.
    pub(super) fn worth(&self) -> Worth {
        Worth::Spelled(self.spelling, self.decimals)
    }

    /// The whole number that a row shows here.
    pub(crate) fn count(&self, row: &[u8]) -> i64 {
        number::count_in(row, &self.at).filter(|_| self.at.len() < 16).unwrap_or_else(|| self.number(row) as i64)
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
    /// Whether the last points of a metric are asked for.
    trails: bool,
    /// How far the steps of rows drawn in place are apart. The last of them is not counted yet: it may be drawn again.
    stride: Option<i64>,
    latest: Latest,
}

/// What is counted of one metric.
#[derive(Clone, Debug)]
struct Counted {
    id: usize,
    loud: bool,
    /// The most decimals and one more; 0 where there was no finite number.
    most: u32,
    fewest: u32,
    longest: usize,
    fractions: u64,
    /// How the last row shows it.
    text: Vec<u8>,
}

impl Sink {
    /// Takes the values of a row, which are those of different metrics at one place.
    pub(crate) fn record_row(&mut self, place: Place, row: &[u8], slots: &[Slot], line: u64) {
        if self.run.goes_on(place, slots) {
            self.run.count(place, row, slots);
            if self.run.trails {
                self.run.latest.push(place, row, slots, line);
            }
            if self.run.values.iter().any(|value| value.loud) {
                self.take_loud(place, row, slots, line);
            }
            return;
        }
        self.end_run();
        for slot in slots {
            self.take(slot.id, place, shown(row, slot, line, false));
        }
        self.begin_run(place, slots);
    }

    /// Takes the values of a row that is drawn in place: it replaces the one before it, where that stands at the same place.
    pub(crate) fn record_drawn_row(&mut self, place: Place, row: &[u8], slots: &[Slot], line: u64) {
        if self.run.draws_on(place, slots) {
            self.run.latest.push(place, row, slots, line);
            return;
        }
        self.end_run();
        for slot in slots {
            self.take(slot.id, place, shown(row, slot, line, true));
        }
        self.begin_drawn_run(place, slots);
        if self.run.stride.is_some() {
            self.run.latest.push(place, row, slots, line);
        }
    }

    fn take_loud(&mut self, place: Place, row: &[u8], slots: &[Slot], line: u64) {
        for (index, slot) in slots.iter().enumerate() {
            if self.run.values[index].loud {
                self.take(slot.id, place, shown(row, slot, line, false));
            }
        }
    }

    /// Rows from here on may be counted together, up to the next one of which somebody wants to see the points.
    fn begin_run(&mut self, place: Place, slots: &[Slot]) {
        if !self.has_courses() || slots.is_empty() {
            return;
        }
        let mut left = usize::MAX;
        self.run.begin();
        for slot in slots {
            let track = &self.tracks[slot.id];
            let loud = self.is_loud(track);
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
            self.run.trails |= !loud && track.trails();
            self.run.values.push(Counted::new(slot.id, loud));
        }
        let all_loud = self.run.values.iter().all(|value| value.loud);
        (self.run.last, self.run.left) = (place, if all_loud { 0 } else { left });
    }

    /// The same for rows drawn in place, as long as their steps stay on the grid that they are on.
    fn begin_drawn_run(&mut self, place: Place, slots: &[Slot]) {
        let Some(first) = slots.first().filter(|_| self.has_courses()) else { return };
        let Some((stride, step)) = self.tracks[first.id].stride().zip(place.step) else { return };
        let before = Position { segment: 0, epoch: place.epoch, step: step.checked_sub(stride) };
        let mut left = usize::MAX;
        self.run.begin();
        for slot in slots {
            let track = &self.tracks[slot.id];
            let even = track.is_drawn_after(before, place.lap) && track.stride() == Some(stride);
            if !even || stride <= 0 || self.is_loud(track) {
                return;
            }
            left = left.min(track.course.as_ref().map_or(0, |course| course.unwanted()));
            self.run.trails |= track.trails();
            self.run.values.push(Counted::new(slot.id, false));
        }
        (self.run.last, self.run.left) = (place, left);
        self.run.stride = Some(stride).filter(|_| left > 0);
    }

    /// Writes down what was counted.
    pub(crate) fn end_run(&mut self) {
        if self.run.rows == 0 && self.run.stride.is_none() {
            self.run.left = 0;
            return;
        }
        let stride = self.run.stride.take();
        let mut run = std::mem::take(&mut self.run);
        if run.rows > 0 {
            let last = run.last.step.map(|step| step.saturating_sub(stride.unwrap_or(0)));
            for value in run.values.iter_mut().filter(|value| !value.loud) {
                let track = &mut self.tracks[value.id];
                // A row of the same step that follows may be the last one, printed again.
                let position = Position { segment: 0, epoch: run.last.epoch, step: last };
                track.shown = stride.is_none().then_some((position, run.last.lap));
                std::mem::swap(&mut track.shown_text, &mut value.text);
                track.last = Some(Position { segment: track.segment, epoch: run.last.epoch, step: last });
                let most = value.most.checked_sub(1);
                if most.is_some() {
                    let fewest = track.fewest_decimals.map_or(value.fewest, |known| known.min(value.fewest));
                    track.fewest_decimals = Some(fewest);
                }
                if let Some(course) = &mut track.course {
                    course.skip(run.rows, most, value.longest);
                }
                let metric = &mut self.metrics[value.id];
                metric.points += run.rows as u64;
                metric.placed += if last.is_some() { run.rows as u64 } else { 0 };
                metric.fractions += value.fractions;
            }
            self.trail(&run, stride.is_some());
        }
        if let Some(row) = run.latest.rows().last().filter(|_| stride.is_some()) {
            for slot in &row.slots {
                let track = &mut self.tracks[slot.id];
                track.pending = Some(row.point(slot, track.segment, true));
            }
        }
        (run.rows, run.left) = (0, 0);
        self.run = run;
    }

    /// Hands the last points of a run to who keeps them.
    fn trail(&mut self, run: &Run, drawn: bool) {
        // The last row that was drawn is not counted, and the first one of a plain run was counted before it began.
        let counted = run.latest.rows().count() - usize::from(drawn);
        let rows = run.latest.rows().take(counted);
        for row in rows.skip(counted.saturating_sub(run.rows)).filter(|_| run.trails) {
            for (slot, value) in row.slots.iter().zip(&run.values) {
                let track = &mut self.tracks[slot.id];
                if let Some(course) = track.course.as_mut().filter(|course| course.trails && !value.loud) {
                    course.trail(row.point(slot, track.segment, drawn));
                }
            }
        }
    }
}

impl Run {
    fn begin(&mut self) {
        self.values.clear();
        self.latest.clear();
        (self.rows, self.left, self.trails) = (0, 0, false);
    }

    fn has(&self, slots: &[Slot]) -> bool {
        self.values.len() == slots.len() && self.values.iter().zip(slots).all(|(value, slot)| value.id == slot.id)
    }

    fn goes_on(&self, place: Place, slots: &[Slot]) -> bool {
        let rises = match (self.last.step, place.step, self.last.epoch, place.epoch) {
            // A row of the same step may be the one before, printed again: that counts once.
            (Some(before), Some(now), ..) => now > before,
            (None, None, Some(before), Some(now)) => now >= before,
            // Only the order of the lines places them.
            (None, None, None, None) => true,
            _ => false,
        };
        self.left > 0 && self.stride.is_none() && rises && self.last.lap == place.lap && self.has(slots)
    }

    /// Whether a drawn row takes the place of the last one, or follows it on the grid; then the last one is counted.
    fn draws_on(&mut self, place: Place, slots: &[Slot]) -> bool {
        let Some(stride) = self.stride else { return false };
        if self.last.lap != place.lap || self.last.epoch != place.epoch || !self.has(slots) {
            return false;
        }
        if self.last.step == place.step {
            self.latest.withdraw();
            return true;
        }
        let follows = self.left > 0 && self.last.step.map(|step| step.saturating_add(stride)) == place.step;
        if follows {
            let last = self.latest.rows().last().map(|row| row.slots.as_slice()).unwrap_or_default();
            for (value, slot) in self.values.iter_mut().zip(last) {
                value.count(slot);
            }
            self.went_on(place);
        }
        follows
    }

    fn count(&mut self, place: Place, row: &[u8], slots: &[Slot]) {
        for (value, slot) in self.values.iter_mut().zip(slots) {
            value.count(slot);
            value.text.clear();
            value.text.extend_from_slice(&row[slot.at.clone()]);
        }
        self.went_on(place);
    }

    fn went_on(&mut self, place: Place) {
        self.last = place;
        self.left -= 1;
        self.rows += 1;
    }
}

impl Counted {
    fn new(id: usize, loud: bool) -> Self {
        Self { id, loud, most: 0, fewest: u32::MAX, longest: 0, fractions: 0, text: Vec::new() }
    }

    fn count(&mut self, slot: &Slot) {
        self.longest = self.longest.max(slot.at.len());
        let Some(decimals) = slot.decimals else {
            self.fractions += 1;
            return;
        };
        self.most = self.most.max(decimals + 1);
        self.fewest = self.fewest.min(decimals);
        // `8.856E+04` is no count, as `1e+05` may be.
        let precise = slot.spelling == Spelling::Decimal && slot.at.len() > 8;
        self.fractions += u64::from(decimals > 0 || precise);
    }
}

fn shown<'a>(row: &'a [u8], slot: &Slot, line: u64, redraw: bool) -> Shown<'a> {
    Shown { value: slot.worth(), text: &row[slot.at.clone()], line, redraw }
}
