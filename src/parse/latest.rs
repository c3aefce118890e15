//! The latest rows of a run, kept as they came: a point is made of one only where somebody wants to see it.

use super::run::Slot;
use super::sink::{Place, Shown};
use crate::model::{Course, Point, Position};

/// Rows kept: as many as a course keeps points of its end, and one that may be drawn again.
const ROWS: usize = Course::TAIL + 1;

/// A ring of rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Latest {
    rows: Vec<Row>,
    /// How many rows came in all, those no longer kept included.
    came: usize,
}

/// The part of a row that shows values, and where they stand in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    place: Place,
    line: u64,
    text: Vec<u8>,
    /// The values.
    pub(super) slots: Vec<Slot>,
}

impl Latest {
    /// Keeps a row, in place of the oldest one where the ring is full.
    pub(super) fn push(&mut self, place: Place, row: &[u8], slots: &[Slot], line: u64) {
        let at = self.came % ROWS;
        self.came += 1;
        if self.rows.len() <= at {
            self.rows.push(Row::default());
        }
        self.rows[at].set(place, row, slots, line);
    }

    /// Takes back the last row.
    pub(super) fn withdraw(&mut self) {
        self.came = self.came.saturating_sub(1);
    }

    /// The rows kept, the oldest of them first.
    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> + ExactSizeIterator {
        (self.came.saturating_sub(ROWS)..self.came).map(|index| &self.rows[index % ROWS])
    }

    /// Lets all rows go.
    pub(super) fn clear(&mut self) {
        self.came = 0;
    }
}

impl Row {
    fn set(&mut self, place: Place, row: &[u8], slots: &[Slot], line: u64) {
        (self.place, self.line) = (place, line);
        self.text.clear();
        self.slots.clear();
        let start = slots.iter().map(|slot| slot.at.start).min().unwrap_or(0);
        let end = slots.iter().map(|slot| slot.at.end).max().unwrap_or(0);
        self.text.extend_from_slice(&row[start..end]);
        self.slots
            .extend(slots.iter().map(|slot| Slot { at: slot.at.start - start..slot.at.end - start, ..slot.clone() }));
    }

    /// The point of one of its values.
    pub(super) fn point(&self, slot: &Slot, segment: u32, redraw: bool) -> Point {
        let text = &self.text[slot.at.clone()];
        let shown = Shown { value: slot.worth(), text, line: self.line, redraw };
        shown.point(Position { segment, epoch: self.place.epoch, step: self.place.step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::number::Spelling;

    #[test]
    fn keeps_the_last_rows_in_their_order() {
        let mut latest = Latest::default();
        let push = |latest: &mut Latest, step: i64| {
            let row = format!("some words, step {step}: {step}.5");
            let slot = Slot { id: 3, at: row.len() - 3..row.len(), spelling: Spelling::Decimal, decimals: Some(1) };
            let place = Place { step: Some(step), ..Place::default() };
            latest.push(place, row.as_bytes(), &[slot], step as u64);
        };
        let shown = |latest: &Latest| -> Vec<(Option<i64>, f64)> {
            latest.rows().map(|row| row.point(&row.slots[0], 0, false)).map(|p| (p.position.step, p.value)).collect()
        };
        for step in 1..=3 {
            push(&mut latest, step);
        }
        latest.withdraw();
        push(&mut latest, 9);
        assert_eq!(shown(&latest), [(Some(1), 1.5), (Some(2), 2.5), (Some(9), 9.5)]);
        for step in 1..10 {
            push(&mut latest, step);
        }
        assert_eq!(shown(&latest).len(), ROWS);
        assert_eq!((shown(&latest)[0], shown(&latest)[ROWS - 1]), ((Some(1), 1.5), (Some(9), 9.5)));
        latest.clear();
        assert_eq!(shown(&latest), []);
    }
}
