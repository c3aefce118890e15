//! What a log shows up to its first so many points: the part of runs that were to be stopped there which does not depend on
//! how fast they were stopped.

use crate::model::{Reading, Series, rank_in_name};

/// Leaves of each rank the first `most` points of the primary metric, and of what the same log shows beside it the points up
/// to the line of the last of these.
pub fn cut(reading: &mut Reading, most: u64) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let Some(primary) = reading.primary().map(|series| rank_in_name(&series.metric).0.to_owned()) else { return };
    let log = |series: &Series| (rank_in_name(&series.metric).1, series.stream);
    let leads = |series: &&Series| rank_in_name(&series.metric).0 == primary && series.points.len() > most;
    let ends: Vec<_> = reading
        .series
        .iter()
        .filter(leads)
        .filter_map(|series| Some((log(series), series.points.get(most.checked_sub(1)?)?.line)))
        .collect();
    for series in &mut reading.series {
        let of = log(series);
        if rank_in_name(&series.metric).0 == primary {
            series.points.truncate(most);
        } else if let Some((_, last)) = ends.iter().find(|(log, _)| *log == of) {
            series.points.retain(|point| point.line <= *last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Point, Role};

    fn series(metric: &str, lines: &[u64]) -> Series {
        let mut series = Series::new(metric, Role::Other);
        series.points = lines.iter().zip(0..).map(|(line, step)| Point::printed(step, "1.5", *line)).collect();
        series
    }

    fn left(all: &[Series], most: u64) -> Vec<Vec<u64>> {
        let mut reading = Reading::nothing("utf-8", "");
        reading.series = all.to_vec();
        reading.primary = Some(0);
        cut(&mut reading, most);
        reading.series.iter().map(|series| series.points.iter().map(|point| point.line).collect()).collect()
    }

    #[test]
    fn what_is_printed_behind_the_last_point_that_counts_goes() {
        let all = [series("loss", &[1, 2, 4, 5]), series("lr", &[1, 2, 4, 5]), series("val", &[3, 6])];
        assert_eq!(left(&all, 3), [vec![1, 2, 4], vec![1, 2, 4], vec![3]]);
        assert_eq!(left(&all, 9), [vec![1, 2, 4, 5], vec![1, 2, 4, 5], vec![3, 6]]);
    }

    #[test]
    fn each_rank_is_cut_by_its_own_lines() {
        let all = [series("loss", &[1, 3, 5]), series("loss [rank 1]", &[2, 4, 6]), series("acc [rank 1]", &[2, 4, 6])];
        assert_eq!(left(&all, 2), [vec![1, 3], vec![2, 4], vec![2, 4]]);
    }
}
