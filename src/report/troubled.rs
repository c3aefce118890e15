//! Runs that did not end well, those that ended alike told together.

use super::words;
use crate::model::{Run, Status};

/// Runs of one treatment that ended in the same way and said the same last.
#[derive(Clone, Debug, PartialEq)]
pub struct Troubled<'a> {
    /// The runs, at least one.
    pub runs: Vec<&'a Run>,
}

impl<'a> Troubled<'a> {
    /// All groups, in the order of their first runs. A run that was never started, since it could show nothing more, has no
    /// end to tell of.
    pub fn of(runs: &'a [Run]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let well = |run: &&Run| matches!(run.status, Status::Finished | Status::Stopped | Status::Skipped);
        for run in runs.iter().filter(|run| !well(run)) {
            match groups.iter_mut().find(|group| alike(group.runs[0], run)) {
                Some(group) => group.runs.push(run),
                None => groups.push(Self { runs: vec![run] }),
            }
        }
        groups
    }

    /// How they ended, such as "r1, r2 (reference): crashed, exit code 1 after 3 points".
    pub fn headline(&self) -> String {
        let first = self.runs[0];
        let ids: Vec<&str> = self.runs.iter().map(|run| run.id.as_str()).collect();
        let (ids, points) = (ids.join(", "), words::count(first.points, "point"));
        format!("{ids} ({}): {} after {points}, {}", first.treatment, words::status(first), self.seconds())
    }

    /// The last lines of their standard error; untrusted text.
    pub fn last_words(&self) -> &'a [String] {
        &self.runs[0].last_words
    }

    /// How long they took: "0.2 s", or "0.2 to 0.9 s".
    fn seconds(&self) -> String {
        let durations = || self.runs.iter().map(|run| run.duration);
        let mut ends: Vec<String> = [durations().min(), durations().max()]
            .iter()
            .flatten()
            .map(|end| format!("{:.1}", end.as_secs_f64()))
            .collect();
        ends.dedup();
        format!("{} s", ends.join(" to "))
    }
}

fn alike(one: &Run, other: &Run) -> bool {
    let end = |run: &Run| (run.status, run.exit_code, run.signal, run.points);
    one.treatment == other.treatment && end(one) == end(other) && one.last_words == other.last_words
}
