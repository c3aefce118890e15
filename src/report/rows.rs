//! Series side by side: the rows that every format draws, computed once.

use std::cmp::Ordering;

use super::text::cut_front;
use super::{untrusted, words};
use crate::model::{Audit, Divergence, Point, Position, RunValue, Series, Status};

/// One step with the value of every run.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// Where it stands.
    pub position: Position,
    /// Its number among the points, counted from 1, where all of them are there.
    pub number: usize,
    /// The point of each column; `None` where that run lacks it.
    pub cells: Vec<Option<&'a Point>>,
    /// For each column, whether the audit itself had stopped the run before this row: then a missing point says nothing.
    pub stopped: Vec<bool>,
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
    /// Fewer than two runs got this far before the audit stopped them.
    Unknown,
}

impl Row<'_> {
    /// How far apart the values are.
    pub fn spread(&self) -> Spread {
        let counted = || self.cells.iter().zip(&self.stopped).filter(|(_, stopped)| !**stopped).map(|(cell, _)| cell);
        if counted().count() < 2 && self.cells.len() >= 2 {
            return Spread::Unknown;
        }
        if counted().any(Option::is_none) {
            return Spread::Missing;
        }
        let values = || counted().flatten().map(|point| point.value);
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
        rows.note_stopped(audit);
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
        let mut rows = Self::align(&columns, words::shown_divergence(audit).map(|(divergence, _)| divergence));
        rows.note_stopped(audit);
        rows
    }

    /// Notes where a run was stopped by the audit: after its last point.
    fn note_stopped(&mut self, audit: &Audit) {
        for (column, id) in self.runs.iter().enumerate() {
            if !audit.runs.iter().any(|run| run.id == *id && run.status == Status::Stopped) {
                continue;
            }
            for row in self.rows.iter_mut().rev().take_while(|row| row.cells[column].is_none()) {
                row.stopped[column] = true;
            }
        }
    }

    /// What each run shows in a row, `none` where it lacks the point.
    pub fn texts(row: &Row, none: &str) -> Vec<String> {
        let text = |(cell, stopped): (&Option<&Point>, &bool)| match cell {
            Some(point) => point.text.to_string(),
            None if *stopped => "stopped".to_owned(),
            None => none.to_owned(),
        };
        row.cells.iter().zip(&row.stopped).map(text).collect()
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
            let stopped = vec![false; cells.len()];
            let (position, number) = (earliest.position, rows.len() + 1);
            rows.push(Row { position, number, cells, stopped, marked: false, gap: false });
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

    /// Marks the row of the divergence: the one of its very points, else the one at its position.
    fn mark(&mut self, divergence: &Divergence) {
        if self.metric != divergence.metric {
            return;
        }
        let value_of = |run: &&str| divergence.values.iter().find(|value| value.run == **run);
        let values: Vec<Option<&RunValue>> = self.runs.iter().map(value_of).collect();
        // The very points that the divergence names; a progress bar shows many of them on one line.
        let named = |cell: &Option<&Point>, value: &Option<&RunValue>| match (cell, value) {
            (Some(cell), Some(value)) => value.text.as_ref() == Some(&cell.text) && value.line == Some(cell.line),
            (None, Some(value)) => value.text.is_none(),
            (_, None) => true,
        };
        let by_value = self.rows.iter().position(|row| {
            let any = row.cells.iter().zip(&values).any(|(cell, value)| cell.is_some() && value.is_some());
            any && row.cells.iter().zip(&values).all(|(cell, value)| named(cell, value)) && row.spread() != Spread::Same
        });
        let at = by_value.or_else(|| {
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

    /// Headings of the columns that say where a row stands.
    pub fn place_head(&self) -> Vec<&'static str> {
        let step = if self.steps { Some("step") } else { (!self.epochs).then_some("point") };
        let pass = (self.segments && !self.epochs).then_some("pass");
        step.into_iter().chain(self.epochs.then_some("epoch")).chain(pass).collect()
    }

    /// The cells below them.
    pub fn place_cells(&self, row: &Row) -> Vec<String> {
        let cell = |column: &str| match column {
            "step" => row.position.step.map_or(String::new(), |step| step.to_string()),
            "point" => row.number.to_string(),
            "epoch" => row.position.epoch.map_or(String::new(), words::plain_number),
            _ => (row.position.segment + 1).to_string(),
        };
        self.place_head().into_iter().map(cell).collect()
    }

    /// The columns of the runs that were compared with one another; all where that is not known.
    pub fn compared(&self, audit: &Audit) -> Vec<usize> {
        let compared = |run: &str| audit.comparisons.iter().any(|comparison| comparison.run == run);
        let columns: Vec<usize> = (0..self.runs.len()).filter(|&column| compared(self.runs[column])).collect();
        if columns.is_empty() { (0..self.runs.len()).collect() } else { columns }
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
            row.stopped = columns.iter().map(|&column| row.stopped[column]).collect();
        }
        rows
    }

    /// Marks where the first rows end and the last ones begin: at a jump far wider than the usual distance of steps.
    fn mark_gap(&mut self) {
        let jump = |pair: &[Row]| match (pair[0].position.step, pair[1].position.step) {
            (Some(a), Some(b)) if pair[0].position.segment == pair[1].position.segment => b.saturating_sub(a).max(0),
            _ => 0,
        };
        let jumps: Vec<i64> = self.rows.windows(2).map(jump).collect();
        let Some((at, &widest)) = jumps.iter().enumerate().max_by_key(|(_, jump)| **jump) else { return };
        let mut sorted = jumps.clone();
        sorted.sort_unstable();
        if widest > sorted[sorted.len() / 2].max(1).saturating_mul(3) {
            self.rows[at + 1].gap = true;
        }
    }
}

/// Short headings for the columns: of paths, only the part that tells them apart.
pub fn labels(runs: &[&str], width: usize) -> Vec<String> {
    let (front, back) = (shared(runs, false), shared(runs, true));
    let short = |run: &&str| {
        let middle = run.get(front..run.len().saturating_sub(back)).filter(|part| !part.is_empty());
        cut_front(&untrusted::plain(middle.unwrap_or(run)), width)
    };
    let labels: Vec<String> = runs.iter().map(short).collect();
    let unique = labels.iter().enumerate().all(|(index, label)| !labels[..index].contains(label));
    match unique {
        true => labels,
        false => (1..).zip(runs).map(|(number, run)| cut_front(&format!("{number}: {run}"), width)).collect(),
    }
}

/// Length of the folders that all paths begin with, or of what follows the last folder that differs.
fn shared(runs: &[&str], from_the_end: bool) -> usize {
    let Some((first, others)) = runs.split_first() else { return 0 };
    let bytes =
        |run: &str| -> Vec<u8> { if from_the_end { run.bytes().rev().collect() } else { run.bytes().collect() } };
    let first = bytes(first);
    let same = |other: &&str| first.iter().zip(bytes(other)).take_while(|(a, b)| **a == *b).count();
    let shared = others.iter().map(same).min().unwrap_or(first.len());
    first[..shared].iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1)
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
        rows.rows.iter().map(|row| Rows::texts(row, "-").join(" ")).collect()
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
    fn the_row_of_the_very_points_is_marked_where_all_stand_on_one_line() {
        let points = [(0, "1.0"), (1, "0.9"), (2, "0.8")];
        let (mut a, mut b) = (series(&points), series(&points));
        b.points[1] = Point::printed(1, "0.7", 2);
        for point in a.points.iter_mut().chain(&mut b.points) {
            point.line = 3;
        }
        let value = |run: &str, point: &Point| RunValue {
            run: run.to_owned(),
            text: Some(point.text.clone()),
            value: Some(point.value),
            line: Some(3),
        };
        let divergence = Divergence {
            rank: None,
            position: Position::at_step(1),
            index: 1,
            metric: "loss".to_owned(),
            kind: crate::model::Kind::Value,
            stage: None,
            values: vec![value("a", &a.points[1]), value("b", &b.points[1])],
            absolute: None,
            relative: None,
            ulps: None,
        };
        assert_eq!(Rows::align(&[("a", &a), ("b", &b)], Some(&divergence)).marked(), Some(1));
    }

    #[test]
    fn the_sign_of_zero_is_a_difference_and_nan_equals_nan() {
        let (a, b) = (series(&[(0, "0.0"), (1, "nan")]), series(&[(0, "-0.0"), (1, "nan")]));
        let rows = Rows::align(&[("a", &a), ("b", &b)], None);
        assert_eq!(rows.rows[0].spread(), Spread::Apart(0.0));
        assert_eq!(rows.rows[1].spread(), Spread::Same);
    }
}
