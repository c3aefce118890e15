//! Results of repeated calls to how many of them differ, and how far. Knows bits and nothing of libtorch.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use repro_audit::model::{ResultSpread, half};

/// What the bytes of a result stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// Whole numbers and truth values of so many bytes.
    Whole(usize),
}

impl Lane {
    /// Bytes of one element.
    fn width(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Whole(width) => width,
        }
    }

    /// The value of an element.
    fn value(self, bits: u64) -> f64 {
        match self {
            Self::F16 => half(bits as u16),
            Self::Bf16 => f64::from(f32::from_bits((bits as u32) << 16)),
            Self::F32 => f64::from(f32::from_bits(bits as u32)),
            Self::F64 => f64::from_bits(bits),
            Self::Whole(width) => {
                let shift = 64 - 8 * width as u32;
                ((bits << shift) as i64 >> shift) as f64
            }
        }
    }

    /// The place of an element on the line of all numbers of its type, so that neighbours are one apart and both zeros
    /// lie at 0.
    fn place(self, bits: u64) -> i64 {
        let sign = 1u64 << (8 * self.width() - 1);
        let magnitude = (bits & !sign) as i64;
        if bits & sign == 0 { magnitude } else { -magnitude }
    }
}

/// One tensor of a result: its elements in row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What the bytes stand for.
    pub lane: Lane,
    /// Little-endian elements.
    pub bytes: Vec<u8>,
}

impl Output {
    /// The elements' bits; every NaN has the same ones, since NaN equals NaN in a comparison of runs.
    fn elements(&self) -> impl Iterator<Item = u64> + '_ {
        self.bytes.chunks_exact(self.lane.width()).map(|bytes| {
            let bits = bytes.iter().rev().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
            let whole = matches!(self.lane, Lane::Whole(_));
            if !whole && self.lane.value(bits).is_nan() { u64::MAX >> (64 - 8 * self.lane.width()) } else { bits }
        })
    }
}

/// What the calls so far gave.
#[derive(Debug, Default)]
pub struct Tally {
    calls: u32,
    first: Vec<Output>,
    parted_at: Option<u32>,
    /// Digests of the results; empty while all are equal byte by byte.
    results: HashSet<u64>,
    /// Per output and element the lowest and the highest place; filled at the first difference.
    reach: Vec<Vec<(u64, u64)>>,
}

impl Tally {
    /// Takes the result of one more call.
    pub fn add(&mut self, outputs: Vec<Output>) {
        self.calls += 1;
        if self.calls == 1 {
            self.first = outputs;
            return;
        }
        if outputs == self.first {
            return;
        }
        if self.results.is_empty() {
            self.results.insert(digest(&self.first));
        }
        if !self.results.insert(digest(&outputs)) {
            return;
        }
        self.parted_at = self.parted_at.or(Some(self.calls));
        self.widen(&outputs);
    }

    /// Whether both tallies began with the same result.
    pub fn begins_as(&self, other: &Self) -> bool {
        self.first == other.first || digest(&self.first) == digest(&other.first)
    }

    fn widen(&mut self, outputs: &[Output]) {
        if self.reach.is_empty() {
            self.reach = self.first.iter().map(|output| output.elements().map(|bits| (bits, bits)).collect()).collect();
        }
        for (reach, output) in self.reach.iter_mut().zip(outputs) {
            for (known, bits) in reach.iter_mut().zip(output.elements()) {
                let place = output.lane.place(bits);
                if place < output.lane.place(known.0) {
                    known.0 = bits;
                }
                if place > output.lane.place(known.1) {
                    known.1 = bits;
                }
            }
        }
    }

    /// How far the results lie apart.
    pub fn spread(&self) -> ResultSpread {
        let mut spread = ResultSpread {
            calls: self.calls,
            distinct: u32::try_from(self.results.len()).unwrap_or(u32::MAX).max(self.calls.min(1)),
            first: self.parted_at,
            ulps: None,
            relative: None,
        };
        for (reach, output) in self.reach.iter().zip(&self.first) {
            let scale = output.elements().map(|bits| output.lane.value(bits).abs()).fold(0.0, f64::max);
            for (low, high) in reach.iter().filter(|(low, high)| low != high) {
                let (a, b) = (output.lane.value(*low), output.lane.value(*high));
                if a.is_nan() || b.is_nan() {
                    return ResultSpread { ulps: None, relative: None, ..spread };
                }
                if !matches!(output.lane, Lane::Whole(_)) {
                    let apart = output.lane.place(*high).abs_diff(output.lane.place(*low));
                    spread.ulps = Some(spread.ulps.unwrap_or(0).max(apart));
                }
                if scale > 0.0 {
                    spread.relative = Some(spread.relative.unwrap_or(0.0).max((b - a).abs() / scale));
                }
            }
        }
        spread
    }
}

/// One number for a result; 64 bits are plenty to tell some tens of results apart.
fn digest(outputs: &[Output]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for output in outputs {
        output.lane.hash(&mut hasher);
        output.bytes.len().hash(&mut hasher);
        output.elements().for_each(|bits| bits.hash(&mut hasher));
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn singles(values: &[f32]) -> Vec<Output> {
        vec![Output { lane: Lane::F32, bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect() }]
    }

    fn spread(results: &[Vec<Output>]) -> ResultSpread {
        let mut tally = Tally::default();
        results.iter().cloned().for_each(|result| tally.add(result));
        tally.spread()
    }

    #[test]
    fn equal_results_repeat() {
        let found = spread(&[singles(&[1.0, f32::NAN]), singles(&[1.0, -f32::NAN]), singles(&[1.0, f32::NAN])]);
        assert_eq!((found.calls, found.distinct, found.first), (3, 1, None));
        assert_eq!(found.repeats(), Some(true));
    }

    #[test]
    fn a_single_call_proves_nothing() {
        assert_eq!(spread(&[singles(&[1.0])]).repeats(), None);
    }

    #[test]
    fn counts_distinct_results_and_the_widest_spread_of_one_element() {
        let up = |value: f32, ulps: u32| f32::from_bits(value.to_bits() + ulps);
        let results = [
            singles(&[1.0, 2.0]),
            singles(&[1.0, 2.0]),
            singles(&[up(1.0, 1), 2.0]),
            singles(&[1.0, up(2.0, 3)]),
            singles(&[up(1.0, 1), 2.0]),
        ];
        let found = spread(&results);
        assert_eq!((found.distinct, found.first, found.ulps), (3, Some(3), Some(3)));
        let relative = found.relative.expect("a size");
        assert!((relative - 3.0 * 2f64.powi(-22) / 2.0).abs() < 1e-12, "{relative}");
    }

    #[test]
    fn the_two_zeros_are_distinct_and_no_ulp_apart() {
        let found = spread(&[singles(&[0.0]), singles(&[-0.0])]);
        assert_eq!((found.distinct, found.ulps), (2, None));
        assert_eq!(spread(&[singles(&[f32::MIN_POSITIVE]), singles(&[-0.0])]).ulps, Some(0x0080_0000));
    }

    #[test]
    fn nan_in_some_calls_only_has_no_size() {
        let found = spread(&[singles(&[1.0]), singles(&[f32::NAN])]);
        assert_eq!((found.distinct, found.ulps, found.relative), (2, None, None));
    }

    #[test]
    fn whole_numbers_have_a_size_and_no_ulps() {
        let whole = |value: i64| vec![Output { lane: Lane::Whole(8), bytes: value.to_le_bytes().to_vec() }];
        let found = spread(&[whole(-4), whole(-2)]);
        assert_eq!((found.distinct, found.ulps, found.relative), (2, None, Some(0.5)));
    }
}
