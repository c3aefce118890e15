//! The rows of a table that is printed again and again, each time with the new ones below those already known.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Most rows that are remembered.
const MOST: usize = 4096;

/// The rows of the table so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Printed {
    /// What each row says, as a number.
    rows: Vec<u64>,
    /// How many of them the table has shown since its header was printed last.
    shown: usize,
    /// Whether this printing has shown rows of the one before.
    again: bool,
    /// How often the header was printed.
    headers: u32,
    /// Rows that were there before.
    pub(super) repeated: u64,
}

/// What a row of a table is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Row {
    /// One that was printed before: it counts once.
    Repeated,
    /// One that a later printing may still change.
    Latest,
    /// Any other.
    New,
}

impl Printed {
    /// Another table begins.
    pub(super) fn clear(&mut self) {
        *self = Self { repeated: self.repeated, ..Self::default() };
    }

    /// The header of the same table is printed again.
    pub(super) fn restart(&mut self) {
        (self.shown, self.again) = (0, false);
        self.headers += 1;
    }

    /// Takes the next row in, by its cells and the rank that printed it.
    pub(super) fn row<'a>(&mut self, rank: Option<u32>, cells: impl Iterator<Item = &'a [u8]>) -> Row {
        let mut hasher = DefaultHasher::new();
        rank.hash(&mut hasher);
        cells.for_each(|cell| cell.hash(&mut hasher));
        let row = hasher.finish();
        let known = self.rows.get(self.shown).copied();
        if known == Some(row) {
            self.shown += 1;
            self.repeated += 1;
            self.again = true;
            return Row::Repeated;
        }
        match known {
            // The very first row is another one: the training has begun anew.
            Some(_) if self.shown == 0 => self.rows.clear(),
            Some(_) => self.rows.truncate(self.shown),
            None => {}
        }
        if self.rows.len() < MOST {
            self.rows.push(row);
        }
        self.shown += 1;
        if self.again || self.shown == 1 && self.headers == 0 { Row::Latest } else { Row::New }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(printed: &mut Printed, rows: &[&str]) -> Vec<Row> {
        rows.iter().map(|row| printed.row(None, row.split(' ').map(str::as_bytes))).collect()
    }

    #[test]
    fn rows_that_were_there_before_count_once() {
        let mut printed = Printed::default();
        assert_eq!(rows(&mut printed, &["1 0.5", "2 0.4"]), [Row::Latest, Row::New]);
        printed.restart();
        assert_eq!(rows(&mut printed, &["1 0.5", "2 0.4", "3 0.3"]), [Row::Repeated, Row::Repeated, Row::Latest]);
        printed.restart();
        assert_eq!(rows(&mut printed, &["1 0.5", "2 0.4", "3 0.2"]), [Row::Repeated, Row::Repeated, Row::Latest]);
        printed.restart();
        assert_eq!(rows(&mut printed, &["1 0.6", "2 0.4"]), [Row::New; 2], "another run");
        printed.clear();
        assert_eq!((rows(&mut printed, &["1 0.6"])[0], printed.repeated), (Row::Latest, 4));
    }
}
