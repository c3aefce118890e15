//! The points of one metric of one run.

use super::{Point, Role, Source, Stream};

/// The name of a metric as one rank of several shows it: rank 0's has no addition.
pub fn name_of_rank(metric: &str, rank: u32) -> String {
    if rank == 0 { metric.to_owned() } else { format!("{metric} [rank {rank}]") }
}

/// The metric and the rank in a name: rank 0 where none is in it.
pub fn rank_in_name(name: &str) -> (&str, u32) {
    let split = name.strip_suffix(']').and_then(|rest| rest.rsplit_once(" [rank "));
    split.and_then(|(metric, rank)| Some((metric, rank.parse().ok()?))).unwrap_or((name, 0))
}

/// The points of one metric of one run, in the order in which the log showed them.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The metric's name as the log spells it: `Loss`, `train/loss`, `training's l2`.
    pub metric: String,
    /// What the metric means for a comparison.
    pub role: Role,
    /// Whether the points come from printed digits or from exact bits.
    pub source: Source,
    /// True where the log is a sample of the steps that were made (a timed redraw of a progress bar): two runs then show
    /// different steps, and only those that both show can be compared.
    pub sampled: bool,
    /// Which output of the run showed it, a log that is no run's counting as standard output; `None` for files that the job
    /// wrote by itself.
    pub stream: Option<Stream>,
    /// The points, in log order.
    pub points: Vec<Point>,
}

impl Series {
    /// An empty series of printed digits.
    pub fn new(metric: &str, role: Role) -> Self {
        Self {
            metric: metric.to_owned(),
            role,
            source: Source::Printed,
            sampled: false,
            stream: Some(Stream::Output),
            points: Vec::new(),
        }
    }

    /// The most decimals that any point shows; `None` for a series without a finite number.
    pub fn decimals(&self) -> Option<u32> {
        self.points.iter().filter_map(|point| point.text.decimals()).max()
    }
}
