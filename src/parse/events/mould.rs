//! Event records with the bytes of an earlier one but for time, step and value: known without walking their fields.

use std::ops::Range;

use crate::parse::protobuf::varint;

/// How many moulds are kept: more than most loggers have tags.
const MOST: usize = 64;
/// Longer records, in bytes, are not kept.
const LONGEST: usize = 1024;

/// Where a record that was walked field by field shows what changes from one record to the next.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    /// The wall time.
    pub(super) time: Option<Range<usize>>,
    /// The step, a variable-length integer; `None` where it is not written, which means 0.
    pub(super) step: Option<Range<usize>>,
    /// The four bytes of the value.
    pub(super) value: Range<usize>,
}

/// The bytes that records of one tag have in common.
#[derive(Clone, Debug)]
struct Mould {
    bytes: Vec<u8>,
    /// The bits that are the same in every record of this mould.
    fixed: Vec<u8>,
    marks: Marks,
    metric: Option<usize>,
}

/// What a record says whose mould is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cast {
    pub(super) step: i64,
    pub(super) value: f32,
    /// The metric of its tag; `None` where that is not kept.
    pub(super) metric: Option<usize>,
}

/// The moulds seen last.
#[derive(Clone, Debug, Default)]
pub(super) struct Moulds {
    all: Vec<Mould>,
    /// Where the next record is looked for first: loggers write their tags in the same order at every step.
    next: usize,
}

impl Moulds {
    /// Keeps the mould of a record.
    pub(super) fn keep(&mut self, record: &[u8], marks: Marks, metric: Option<usize>) {
        if record.len() > LONGEST {
            return;
        }
        let mut fixed = vec![0xff; record.len()];
        fixed[marks.value.clone()].fill(0);
        if let Some(time) = &marks.time {
            fixed[time.clone()].fill(0);
        }
        if let Some(step) = &marks.step {
            // Whether another byte of the integer follows.
            fixed[step.clone()].fill(0x80);
        }
        if self.all.len() == MOST {
            self.all.clear();
        }
        self.all.push(Mould { bytes: record.to_vec(), fixed, marks, metric });
        self.next = 0;
    }

    /// What a record says, where its mould is known.
    pub(super) fn cast(&mut self, record: &[u8]) -> Option<Cast> {
        let (before, from) = self.all.split_at_checked(self.next)?;
        let fits = |mould: &&Mould| mould.fits(record);
        let ahead = from.iter().position(|mould| fits(&mould)).map(|at| at + self.next);
        let at = ahead.or_else(|| before.iter().position(|mould| fits(&mould)))?;
        self.next = (at + 1) % self.all.len();
        let Mould { marks, metric, .. } = &self.all[at];
        let step = match &marks.step {
            Some(step) => varint(&record[step.clone()])?.0 as i64,
            None => 0,
        };
        let value = f32::from_le_bytes(record[marks.value.clone()].try_into().ok()?);
        Some(Cast { step, value, metric: *metric })
    }
}

impl Mould {
    fn fits(&self, record: &[u8]) -> bool {
        record.len() == self.bytes.len()
            && self.fixed.iter().zip(&self.bytes).zip(record).fold(0, |odd, ((fixed, a), b)| odd | (a ^ b) & fixed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record: time, step and value between bytes that stay.
    fn record(time: u8, step: [u8; 2], tag: u8, value: f32) -> Vec<u8> {
        [&[9, time, time, 16][..], &step, &[42, tag], &value.to_le_bytes()].concat()
    }

    fn marks() -> Marks {
        Marks { time: Some(1..3), step: Some(4..6), value: 8..12 }
    }

    #[test]
    fn a_record_of_a_known_mould_is_read_whatever_its_time_step_and_value() {
        let mut moulds = Moulds::default();
        moulds.keep(&record(1, [0x80, 1], b'a', 0.5), marks(), Some(7));
        moulds.keep(&record(1, [0x80, 1], b'b', 0.5), marks(), None);
        for _ in 0..2 {
            let cast = moulds.cast(&record(2, [0x81, 1], b'a', -3.0));
            assert_eq!(cast, Some(Cast { step: 129, value: -3.0, metric: Some(7) }));
            let cast = moulds.cast(&record(9, [0xff, 0x7f], b'b', 1.0));
            assert_eq!(cast, Some(Cast { step: 16383, value: 1.0, metric: None }));
        }
    }

    #[test]
    fn another_tag_length_or_size_of_the_step_is_another_mould() {
        let mut moulds = Moulds::default();
        moulds.keep(&record(1, [0x80, 1], b'a', 0.5), marks(), Some(7));
        assert_eq!(moulds.cast(&record(1, [0x80, 1], b'c', 0.5)), None);
        assert_eq!(moulds.cast(&record(1, [0x80, 0x81], b'a', 0.5)), None);
        assert_eq!(moulds.cast(&record(1, [5, 1], b'a', 0.5)), None);
        assert_eq!(moulds.cast(&record(1, [0x80, 1], b'a', 0.5)[..11]), None);
    }

    #[test]
    fn more_tags_than_are_kept_are_learnt_anew() {
        let mut moulds = Moulds::default();
        for tag in 0..=MOST as u8 {
            moulds.keep(&record(1, [0x80, 1], tag, 0.5), marks(), Some(usize::from(tag)));
        }
        assert_eq!(moulds.cast(&record(1, [0x80, 1], 0, 0.5)), None);
        let kept = moulds.cast(&record(1, [0x80, 1], MOST as u8, 0.5));
        assert_eq!(kept.map(|cast| cast.metric), Some(Some(MOST)));
    }
}
