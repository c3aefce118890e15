//! Where the points of one metric have got to, as a log is read.

use crate::model::{Course, Point, Position};

/// The steps that values without one have taken from a bar: the first of each bar, the last, and how far they are apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Borrowed {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) gap: Option<i64>,
}

/// Where the points of a metric have got to.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    pub(super) last: Option<Position>,
    pub(super) pending: Option<Point>,
    pub(super) segment: u32,
    pub(super) lap: u32,
    pub(super) pending_lap: u32,
    /// Where the value stands that came last, and its text.
    pub(super) shown: Option<(Position, u32)>,
    pub(super) shown_text: Vec<u8>,
    /// Epochs with a fraction were seen, so that an epoch does not stand for a step.
    pub(super) fractional: bool,
    pub(super) gap: Option<i64>,
    pub(super) borrowed: Option<Borrowed>,
    pub(super) fewest_decimals: Option<u32>,
    /// What is kept of the metric where its points are not.
    pub(super) course: Option<Box<Course>>,
    /// Nobody listens to the points of this metric any more.
    pub(super) mute: bool,
}

impl Track {
    /// Whether the latest points are kept.
    pub(super) fn trails(&self) -> bool {
        self.course.as_ref().is_some_and(|course| course.trails)
    }

    /// How far the steps of what is drawn in place are apart, where they are on a grid.
    pub(super) fn stride(&self) -> Option<i64> {
        self.gap
    }

    /// Whether a redraw of this lap waits, and the point before it stands at this place of the same segment.
    pub(super) fn is_drawn_after(&self, before: Position, lap: u32) -> bool {
        let before = Position { segment: self.segment, ..before };
        self.pending.is_some() && self.pending_lap == lap && self.lap == lap && self.last == Some(before)
    }
}
