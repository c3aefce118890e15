//! Series side by side: the rows that every format draws, computed once.

use std::cmp::Ordering;

use super::words;
use crate::model::{Audit, Divergence, Point, Position, Series};

/// One step with the value of every run.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// Where it stands.
    pub position: Position,
    /// Its number among the points, counted from 1, where all of them are there.
    pub number: usize,
    /// The point of each column; `None` where that run lacks it.
    pub cells: Vec<Option<&'a Point>>,
    /// True for the first divergent row.
    pub marked: bool,
    /// True where rows were left out before this one.
    pub gap: bool,
}

/// How far apart the values of a row are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// All the same.
    Same,
    /// Largest distance between two of them.
    Apart(f64),
    /// One is missing.
    Missing,
    /// One is NaN or infinite, and another is not.
    NotFinite,
}

impl Row<'_> {
    /// How far apart the values are.
    pub fn spread(&self) -> Spread {
        if self.cells.iter().any(Option::is_none) {
            return Spread::Missing;
        }
        let values = || self.cells.iter().flatten().map(|point| point.value);
        let mut all = values();
        let first = all.next().unwrap_or(0.0);
        // Equal as the tool compares: the sign of zero counts, NaN equals NaN.
        if all.all(|value| value.to_bits() == first.to_bits() || (value.is_nan() && first.is_nan())) {
            return Spread::Same;
        }
        if values().any(|value| !value.is_finite()) {
            return Spread::NotFinite;
        }
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        Spread::Apart(high - low)
    }
}

/// Series side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<'a> {
    /// The metric.
    pub metric: &'a str,
    /// Ids of the runs, or paths of the files, one per column.
    pub runs: Vec<&'a str>,
    /// The rows, in the order of the log.
    pub rows: Vec<Row<'a>>,
    /// Whether any row knows its step.
    pub steps: bool,
    /// Whether any row knows its epoch.
    pub epochs: bool,
    /// Whether the steps begin again somewhere.
    pub segments: bool,
}

impl<'a> Rows<'a> {
    /// The rows around the divergence that a report shows, or the first and last ones of runs that agree.
    pub fn shown(audit: &'a Audit) -> Self {
        let columns: Vec<_> =
            audit.comparisons.iter().map(|comparison| (comparison.run.as_str(), &comparison.window)).collect();
        let divergence = words::shown_divergence(audit).map(|(divergence, _)| divergence);
        let mut rows = Self::align(&columns, divergence);
        if divergence.is_none() {
            rows.mark_gap();
        }
        rows
    }

    /// All points that the audit kept, thinned or not: for plots and data files. The window where it kept no curves.
    pub fn all(audit: &'a Audit) -> Self {
        if audit.curves.is_empty() {
            return Self::shown(audit);
        }
        let columns: Vec<_> = audit.curves.iter().map(|curve| (curve.run.as_str(), &curve.series)).collect();
        Self::align(&columns, words::shown_divergence(audit).map(|(divergence, _)| divergence))
    }

    /// Puts series side by side: by position where the log shows one, else by the order of the points.
    fn align(columns: &[(&'a str, &'a Series)], divergence: Option<&Divergence>) -> Self {
        let points = || columns.iter().flat_map(|(_, series)| &series.points);
        let ordered = match points().next() {
            Some(first) => points().all(|point| point.position.order(&first.position).is_some()),
            None => false,
        };
        let mut heads = vec![0; columns.len()];
        let mut rows = Vec::new();
        loop {
            let head = |column: usize| columns[column].1.points.get(heads[column]);
            let earliest = (0..columns.len())
                .filter_map(head)
                .min_by(|a, b| a.position.order(&b.position).filter(|_| ordered).unwrap_or(Ordering::Equal));
            let Some(earliest) = earliest else { break };
            let here = |point: &&Point| !ordered || point.position.order(&earliest.position) == Some(Ordering::Equal);
            let cells: Vec<Option<&Point>> = (0..columns.len()).map(|column| head(column).filter(here)).collect();
            for (head, cell) in heads.iter_mut().zip(&cells) {
                *head += usize::from(cell.is_some());
            }
            rows.push(Row { position: earliest.position, number: rows.len() + 1, cells, marked: false, gap: false });
        }
        let mut all = Self {
            metric: columns.first().map_or("", |(_, series)| series.metric.as_str()),
            runs: columns.iter().map(|(run, _)| *run).collect(),
            steps: rows.iter().any(|row| row.position.step.is_some()),
            epochs: rows.iter().any(|row| row.position.epoch.is_some()),
            segments: rows.iter().any(|row| row.position.segment > 0),
            rows,
        };
        if let Some(divergence) = divergence {
            all.mark(divergence);
        }
        all
    }

    /// Marks the row of the divergence: where its values' lines are, else where its position is.
    fn mark(&mut self, divergence: &Divergence) {
        if self.metric != divergence.metric {
            return;
        }
        let line_of = |run: &str| divergence.values.iter().find(|value| value.run == run).and_then(|value| value.line);
        let lines: Vec<Option<u64>> = self.runs.iter().map(|run| line_of(run)).collect();
        let by_line = self.rows.iter().position(|row| {
            row.cells.iter().zip(&lines).any(|(cell, line)| cell.is_some_and(|cell| Some(cell.line) == *line))
        });
        let at = by_line.or_else(|| {
            let here = |row: &Row| row.position.order(&divergence.position) == Some(Ordering::Equal);
            self.rows.iter().position(|row| here(row) && row.spread() != Spread::Same)
        });
        if let Some(at) = at {
            self.rows[at].marked = true;
            for (index, row) in self.rows.iter_mut().enumerate() {
                row.number = (index + divergence.index + 1).saturating_sub(at);
            }
        }
    }

    /// Index of the first divergent row.
    pub fn marked(&self) -> Option<usize> {
        self.rows.iter().position(|row| row.marked)
    }

    /// Only the rows from `before` rows ahead of the marked one to `after` behind it; without a mark the first and the
    /// last ones.
    pub fn around(mut self, before: usize, after: usize) -> Self {
        match self.marked() {
            Some(at) => {
                self.rows.truncate(at + after + 1);
                self.rows.drain(..at.saturating_sub(before));
            }
            None if self.rows.len() > before + after + 1 => {
                let tail = self.rows.len() - after;
                self.rows.drain(before + 1..tail);
                if let Some(row) = self.rows.get_mut(before + 1) {
                    row.gap = true;
                }
            }
            None => {}
        }
        self
    }

    /// The same rows with only these columns.
    pub fn only(&self, columns: &[usize]) -> Self {
        let mut rows = self.clone();
        rows.runs = columns.iter().map(|&column| self.runs[column]).collect();
        for row in &mut rows.rows {
            row.cells = columns.iter().map(|&column| row.cells[column]).collect();
        }
        rows
    }

    /// Marks where the first rows end and the last ones begin: at a jump far wider than the usual distance of steps.
    fn mark_gap(&mut self) {
        let jump = |pair: &[Row]| match (pair[0].position.step, pair[1].position.step) {
            (Some(a), Some(b)) if pair[0].position.segment == pair[1].position.segment => (b - a).max(0),
            _ => 0,
        };
        let jumps: Vec<i64> = self.rows.windows(2).map(jump).collect();
        let Some((at, &widest)) = jumps.iter().enumerate().max_by_key(|(_, jump)| **jump) else { return };
        let mut sorted = jumps.clone();
        sorted.sort_unstable();
        if widest > 3 * sorted[sorted.len() / 2].max(1) {
            self.rows[at + 1].gap = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    fn series(points: &[(i64, &str)]) -> Series {
        let mut series = Series::new("loss", Role::TrainingLoss);
        series.points = (1..).zip(points).map(|(line, (step, text))| Point::printed(*step, text, line)).collect();
        series
    }

    fn texts(rows: &Rows) -> Vec<String> {
        let text = |cell: &Option<&Point>| cell.map_or("-", |point| point.text.as_str()).to_owned();
        rows.rows.iter().map(|row| row.cells.iter().map(text).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn steps_stand_in_one_row_and_a_missing_one_leaves_a_hole() {
        let (a, b) = (series(&[(0, "1.0"), (1, "0.9"), (2, "0.8")]), series(&[(0, "1.0"), (2, "0.8")]));
        let rows = Rows::align(&[("a", &a), ("b", &b)], None);
        assert_eq!(texts(&rows), ["1.0 1.0", "0.9 -", "0.8 0.8"]);
    }

    #[test]
    fn a_step_that_one_run_shows_twice_takes_two_rows() {
        let (a, b) = (series(&[(0, "1.0"), (0, "0.9"), (1, "0.8")]), series(&[(0, "1.0"), (1, "0.8")]));
        let rows = Rows::align(&[("a", &a), ("b", &b)], None);
        assert_eq!(texts(&rows), ["1.0 1.0", "0.9 -", "0.8 0.8"]);
    }

    #[test]
    fn the_sign_of_zero_is_a_difference_and_nan_equals_nan() {
        let (a, b) = (series(&[(0, "0.0"), (1, "nan")]), series(&[(0, "-0.0"), (1, "nan")]));
        let rows = Rows::align(&[("a", &a), ("b", &b)], None);
        assert_eq!(rows.rows[0].spread(), Spread::Apart(0.0));
        assert_eq!(rows.rows[1].spread(), Spread::Same);
    }
}
