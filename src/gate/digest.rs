//! A digest of a series: shows that a value moved, however many there are.

use crate::model::{Fnv, Point, Series, Source};

/// Takes a point in: where it stands, and the bits of its value. Of a printed number these are the bits of the double
/// nearest to what was printed, so that `2.30` and `2.3` are the same; every printed NaN is the same NaN.
fn add(digest: &mut Fnv, point: &Point, source: Source) {
    digest.add(&point.position.segment.to_le_bytes());
    digest.add(&point.position.step.unwrap_or(i64::MIN).to_le_bytes());
    digest.add(&point.position.epoch.unwrap_or(-1.0).to_bits().to_le_bytes());
    let value = if point.value.is_nan() && source == Source::Printed { f64::NAN } else { point.value };
    digest.add(&value.to_bits().to_le_bytes());
}

/// The digests of a series up to and including each of its points.
pub fn prefixes(series: &Series) -> impl Iterator<Item = u64> + '_ {
    series.points.iter().scan(Fnv::default(), |digest, point| {
        add(digest, point, series.source);
        Some(digest.0)
    })
}

/// Sixteen hexadecimal digits.
pub fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    fn last(values: &[&str]) -> Option<u64> {
        let mut series = Series::new("loss", Role::TrainingLoss);
        series.points = values.iter().zip(0..).map(|(text, step)| Point::printed(step, text, 1)).collect();
        prefixes(&series).last()
    }

    #[test]
    fn follows_the_values_and_not_their_spelling() {
        assert_eq!(last(&["2.30", "1"]), last(&["2.3", "1.0"]));
        assert_ne!(last(&["2.3", "1.0"]), last(&["1.0", "2.3"]));
        assert_ne!(last(&["0.0"]), last(&["-0.0"]));
        assert_ne!(last(&["2.3"]), last(&["2.3", "2.3"]));
        assert_eq!(last(&["nan"]), last(&["NaN"]));
    }
}
