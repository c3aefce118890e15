//! One value of a metric at one step.

use std::cmp::Ordering;

use super::Token;

/// Where a point stands, in the words of the log itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Position {
    /// How many times the steps had gone back before this point: 0 in a log whose steps only rise, one more after each
    /// restart (a new epoch whose steps begin again, an appended log, a resumed run).
    pub segment: u32,
    /// The epoch, which may be fractional, where the log shows one.
    pub epoch: Option<f64>,
    /// The step number, where the log shows one.
    pub step: Option<i64>,
}

impl Position {
    /// A position known by its step alone.
    pub fn at_step(step: i64) -> Self {
        Self { step: Some(step), ..Self::default() }
    }

    /// Where it stands, in words; `index` is the point's own, counted from 0, for a log that shows neither step nor epoch:
    /// "step 0 (epoch 1)", "epoch 3", "point 18 of the log".
    pub fn told(&self, index: usize) -> String {
        match (self.step, self.epoch) {
            (Some(step), Some(epoch)) => format!("step {step} (epoch {epoch})"),
            (Some(step), None) => match self.segment {
                0 => format!("step {step}"),
                1 => format!("step {step} (after the steps began again once)"),
                2 => format!("step {step} (after the steps began again twice)"),
                times => format!("step {step} (after the steps began again {times} times)"),
            },
            (None, Some(epoch)) => format!("epoch {epoch}"),
            (None, None) => format!("point {} of the log", index + 1),
        }
    }

    /// Orders positions along a log: by segment, then step; by epoch where there are no steps.
    ///
    /// `None` where the log shows neither, so that only the order of the lines can align two series.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        let segments = self.segment.cmp(&other.segment);
        match (self.step, other.step, self.epoch, other.epoch) {
            (Some(a), Some(b), ..) => Some(segments.then(a.cmp(&b))),
            (None, None, Some(a), Some(b)) => Some(segments.then(a.total_cmp(&b))),
            _ => None,
        }
    }
}

/// One value at one position, with its text as printed.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Where it stands.
    pub position: Position,
    /// The number, correctly rounded to a double; NaN and infinities are values.
    pub value: f64,
    /// The number as printed.
    pub text: Token,
    /// Line of the log that showed it, counted from 1 (for binary files: the record's number; for CSV: the row's line).
    pub line: u64,
}

impl Point {
    /// The same point, with a text made from its value where it has none: exact bits are compared without one.
    pub fn with_text(mut self) -> Self {
        if self.text.is_empty() {
            self.text = Token::of_value(self.value);
        }
        self
    }

    /// A point read from `text` at `step`; what tests and in-memory examples use. The value is NaN where `text` is no number.
    pub fn printed(step: i64, text: &str, line: u64) -> Self {
        Self { position: Position::at_step(step), value: text.parse().unwrap_or(f64::NAN), text: text.into(), line }
    }
}
