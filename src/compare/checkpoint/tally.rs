//! Differing elements, counted as they are met.

use super::element::Apart;
use crate::model::{ElementSpread, Tolerance};

/// Distances below this are counted one by one, for an exact median.
const SMALL: usize = 64;

/// Counts of the elements that differ.
pub struct Tally {
    tolerance: Tolerance,
    differing: u64,
    beyond: u64,
    first: Option<u64>,
    small: [u64; SMALL],
    powers: [u64; 65],
    max_ulps: Option<u64>,
    max_absolute: Option<f64>,
    max_relative: Option<f64>,
    nan: (u64, u64),
    signs_of_zero: u64,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(tolerance: Tolerance) -> Self {
        Self {
            tolerance,
            differing: 0,
            beyond: 0,
            first: None,
            small: [0; SMALL],
            powers: [0; 65],
            max_ulps: None,
            max_absolute: None,
            max_relative: None,
            nan: (0, 0),
            signs_of_zero: 0,
        }
    }

    /// Counts an element that differs; `number` is its number by rows, asked for only where it may be the first.
    pub fn count(&mut self, apart: Apart, number: impl FnOnce() -> u64) {
        self.differing += 1;
        let (x, y) = apart.values;
        self.nan.0 += u64::from(x.is_nan());
        self.nan.1 += u64::from(y.is_nan());
        self.signs_of_zero += u64::from(x == 0.0 && y == 0.0);
        if let Some(ulps) = apart.ulps {
            self.max_ulps = self.max_ulps.max(Some(ulps));
            self.powers[power(ulps)] += 1;
            if let Some(count) = usize::try_from(ulps).ok().and_then(|ulps| self.small.get_mut(ulps)) {
                *count += 1;
            }
        }
        let relative = apart.absolute.map(|absolute| relative(absolute, x, y));
        larger(&mut self.max_absolute, apart.absolute);
        larger(&mut self.max_relative, relative);
        if !within(self.tolerance, &apart, relative) {
            self.beyond += 1;
            let number = number();
            self.first = Some(self.first.map_or(number, |first| first.min(number)));
        }
    }

    /// Number by rows of the first element that counts.
    pub fn first(&self) -> Option<u64> {
        self.first
    }

    /// Whether elements are met in the order of their numbers, and one that counts was: then its number is not asked for.
    pub fn has_first(&self) -> bool {
        self.first.is_some()
    }

    /// What was counted.
    pub fn spread(&self, elements: u64) -> ElementSpread {
        let histogram = self.powers.iter().enumerate().filter(|(_, count)| **count > 0);
        ElementSpread {
            elements,
            differing: self.differing,
            beyond: self.beyond,
            first: None,
            max_ulps: self.max_ulps,
            median_ulps: self.median(),
            histogram: histogram.map(|(power, count)| (lowest(power), *count)).collect(),
            max_absolute: self.max_absolute,
            max_relative: self.max_relative,
            nan: self.nan,
            signs_of_zero: self.signs_of_zero,
        }
    }

    /// Bounds of the lower median.
    fn median(&self) -> Option<(u64, u64)> {
        let whole: u64 = self.powers.iter().sum();
        let middle = whole.checked_sub(1)? / 2;
        let below = |counts: &[u64]| {
            let mut sum = 0;
            counts.iter().position(|count| {
                sum += count;
                sum > middle
            })
        };
        if let Some(exact) = below(&self.small) {
            return Some((exact as u64, exact as u64));
        }
        let power = below(&self.powers)?;
        Some((lowest(power), lowest(power) + (lowest(power) - 1)))
    }
}

/// 0 for 0, 1 for 1, 2 for 2 and 3, 3 for 4 to 7, …
fn power(ulps: u64) -> usize {
    (u64::BITS - ulps.leading_zeros()) as usize
}

/// The lowest distance of a power.
fn lowest(power: usize) -> u64 {
    if power == 0 { 0 } else { 1 << (power - 1) }
}

fn relative(absolute: f64, x: f64, y: f64) -> f64 {
    let larger = x.abs().max(y.abs());
    if larger == 0.0 { 0.0 } else { absolute / larger }
}

fn larger(most: &mut Option<f64>, new: Option<f64>) {
    if let Some(new) = new {
        *most = Some(most.map_or(new, |old| old.max(new)));
    }
}

fn within(tolerance: Tolerance, apart: &Apart, relative: Option<f64>) -> bool {
    if tolerance == Tolerance::Exact {
        return false;
    }
    let (x, y) = apart.values;
    if x == y || (x.is_nan() && y.is_nan()) {
        return true;
    }
    match tolerance {
        Tolerance::Exact => false,
        Tolerance::Ulps(most) => apart.ulps.is_some_and(|ulps| ulps <= most),
        Tolerance::Relative(most) => relative.is_some_and(|size| size <= most),
        Tolerance::Absolute(most) => apart.absolute.is_some_and(|size| size <= most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(distances: &[u64]) -> ElementSpread {
        let mut tally = Tally::new(Tolerance::Exact);
        for ulps in distances {
            tally.count(Apart { values: (1.0, 2.0), ulps: Some(*ulps), absolute: Some(1.0) }, || 0);
        }
        tally.spread(10)
    }

    #[test]
    fn small_distances_have_an_exact_median() {
        assert_eq!(counted(&[1, 5, 1000]).median_ulps, Some((5, 5)));
        assert_eq!(counted(&[1000, 1001, 5]).median_ulps, Some((512, 1023)));
        assert_eq!(counted(&[]).median_ulps, None);
        assert_eq!(counted(&[u64::MAX]).median_ulps, Some((1 << 63, u64::MAX)));
    }

    #[test]
    fn the_histogram_goes_by_powers_of_two() {
        assert_eq!(counted(&[0, 1, 2, 3, 4]).histogram, [(0, 1), (1, 1), (2, 2), (4, 1)]);
    }
}
