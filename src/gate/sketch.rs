//! What was seen of a treatment to what a baseline keeps of it.

use super::baseline::{Accepted, AcceptedOutcome, Digits, Parts, SeriesRecord, SketchPoint};
use super::digest::{hex, prefixes};
use super::envelope;
use super::judge::Seen;
use crate::model::{Divergence, Outcome, Point, Reading, Role, Series, Source};

/// Points of a sketch.
const POINTS: usize = 10;

/// What a baseline keeps of a treatment; `None` where nothing was seen of it. A band is learned where that is asked for.
pub fn accepted(seen: &Seen<'_>, learn: bool) -> Option<Accepted> {
    let first = seen.readings.first()?;
    let primary = first.primary()?;
    let outcome = match seen.outcome {
        Outcome::Agreed => AcceptedOutcome::Agrees,
        Outcome::Diverged(_) => AcceptedOutcome::Parts,
        Outcome::Unresolved(_) => return None,
    };
    let mut series = record(primary, true);
    if learn {
        envelope::learn(&mut series, &seen.primaries());
    } else if let Some(divergence) = seen.outcome.divergence() {
        // What comes after runs part is of one run only, and would be other text at every acceptance.
        series.digest = None;
        series.sketch.retain(|point| point.index < divergence.index);
    }
    Some(Accepted {
        id: seen.treatment.id.clone(),
        settings: seen.treatment.settings.iter().map(|(id, level)| (id.to_string(), level.to_string())).collect(),
        runs: seen.readings.len(),
        outcome,
        parts: seen.outcome.divergence().map(parts),
        points: seen.points,
        series,
        others: others(first).map(|series| other(series, outcome)).collect(),
    })
}

fn other(series: &Series, outcome: AcceptedOutcome) -> SeriesRecord {
    let record = record(series, false);
    if outcome == AcceptedOutcome::Agrees { record } else { SeriesRecord { digest: None, ..record } }
}

fn parts(divergence: &Divergence) -> Parts {
    Parts { metric: divergence.metric.clone(), index: divergence.index, step: divergence.position.step }
}

/// The metrics beside the primary one that are compared.
pub fn others(reading: &Reading) -> impl Iterator<Item = &Series> {
    let primary = reading.primary().map(|series| series.metric.clone());
    let compared = move |series: &&Series| series.role != Role::Noise && Some(&series.metric) != primary.as_ref();
    reading.series.iter().filter(compared)
}

/// A series as a baseline keeps it.
pub fn record(series: &Series, with_sketch: bool) -> SeriesRecord {
    let digests: Vec<u64> = if series.sampled { Vec::new() } else { prefixes(series).collect() };
    let point = |index: usize| {
        let point: &Point = &series.points[index];
        SketchPoint {
            index,
            step: point.position.step,
            value: point.text.to_string(),
            through: digests.get(index).map(|digest| hex(*digest)),
            mean: None,
            deviation: None,
        }
    };
    SeriesRecord {
        metric: series.metric.clone(),
        points: series.points.len(),
        digits: digits(series),
        digest: digests.last().map(|digest| hex(*digest)),
        sketch: if with_sketch { indices(series.points.len()).map(point).collect() } else { Vec::new() },
    }
}

fn digits(series: &Series) -> Digits {
    match series.source {
        Source::Exact => Digits::Exact,
        Source::Printed => Digits::Decimals(series.decimals().unwrap_or_default()),
    }
}

/// The first and the last of `length` points and some between, evenly spread.
fn indices(length: usize) -> impl Iterator<Item = usize> {
    let wanted = POINTS.min(length);
    (0..wanted).map(move |at| if wanted < 2 { 0 } else { at * (length - 1) / (wanted - 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_holds_the_first_and_the_last_point() {
        assert_eq!(indices(0).count(), 0);
        assert_eq!(indices(1).collect::<Vec<_>>(), [0]);
        assert_eq!(indices(3).collect::<Vec<_>>(), [0, 1, 2]);
        let many: Vec<usize> = indices(938).collect();
        assert_eq!((many.len(), many.first(), many.last()), (10, Some(&0), Some(&937)));
    }
}
