//! Two runs of an audit of resuming, held against each other: what that says, in words.

use std::path::Path;

use crate::command::findings::{self, Compared};
use crate::compare::{self, End, Group, Member, Pair};
use crate::model::{Audit, Divergence, Kind, Outcome, Reading, Series, Status, Tolerance, Verdict};

use super::FIRST;

/// A run, as it is held against another.
#[derive(Clone, Copy, Debug)]
pub struct One<'a> {
    /// Its id.
    pub name: &'a str,
    /// What the parser sees in its log.
    pub reading: &'a Reading,
    /// How it ended; `None` where that is not known.
    pub status: Option<Status>,
    /// Its log.
    pub log: &'a Path,
}

impl<'a> One<'a> {
    /// The run, for the report.
    pub fn compared(&self) -> Compared<'a> {
        Compared { name: self.name, reading: self.reading, log: self.log }
    }

    /// The run, for a comparison with its repeats.
    pub fn member(&self) -> Member<'a> {
        Member { name: self.name, reading: self.reading, end: self.end() }
    }

    fn end(&self) -> End {
        if self.status == Some(Status::Finished) { End::Complete } else { End::Cut }
    }
}

/// The straight run and a resumed one, lined up.
pub struct Aligned<'a> {
    straight: One<'a>,
    resumed: One<'a>,
    readings: (Reading, Reading),
    tolerance: Tolerance,
}

impl<'a> Aligned<'a> {
    /// Lines them up on the part that both show.
    pub fn new(straight: One<'a>, resumed: One<'a>, tolerance: Tolerance) -> Self {
        Self { readings: compare::resume::align(straight.reading, resumed.reading), straight, resumed, tolerance }
    }

    /// The part of both that can be compared, in the straight run's terms.
    pub fn readings(&self) -> (&Reading, &Reading) {
        (&self.readings.0, &self.readings.1)
    }

    /// What their comparison gives.
    pub fn group(&self) -> Group {
        let left = Member { reading: &self.readings.0, ..self.straight.member() };
        let right = Member { reading: &self.readings.1, ..self.resumed.member() };
        compare::group(&[left, right], self.tolerance, None)
    }

    /// What their comparison says of resuming: a run that began anew agrees with the straight one, and shows nothing.
    pub fn judged(&self) -> Group {
        let group = self.group();
        match group.outcome {
            Outcome::Agreed if self.begins_anew() => Group { outcome: Outcome::Unresolved(self.anew()), ..group },
            _ => group,
        }
    }

    /// Whether the resumed run shows all that the straight one does, its first point included. Of a single point nobody can tell.
    fn begins_anew(&self) -> bool {
        let tail = self.readings.0.primary();
        let whole = |tail: &Series| {
            let same = |series: &&Series| series.metric == tail.metric;
            self.straight.reading.series.iter().find(same).is_some_and(|whole| whole.points.len() == tail.points.len())
        };
        tail.is_some_and(|tail| tail.points.len() > 1 && whole(tail))
    }

    fn anew(&self) -> String {
        format!(
            "nothing was resumed: the resumed run ({}) begins where the straight one ({}) does; does its command name the \
             checkpoint, and did the first run save one?",
            self.resumed.name, self.straight.name
        )
    }

    /// Fills in verdict, divergence and the reason for them.
    pub fn conclude(&self, audit: &mut Audit) {
        let group = self.judged();
        let compared = [
            Compared { name: self.straight.name, reading: &self.readings.0, log: self.straight.log },
            Compared { name: self.resumed.name, reading: &self.readings.1, log: self.resumed.log },
        ];
        audit.tolerance = self.tolerance;
        findings::conclude(audit, &group, &compared);
        let failed = self.resumed.status != Some(Status::Finished);
        let (straight, resumed) = (self.straight.name, self.resumed.name);
        match &group.outcome {
            Outcome::Diverged(divergence) => {
                let how = if divergence.kind == Kind::Length && failed { " (it failed there)" } else { "" };
                audit.reason = format!(
                    "the resumed run ({resumed}) parts from the straight one ({straight}) first in {} at {}{how}",
                    divergence.metric,
                    divergence.position.told(divergence.index)
                );
            }
            Outcome::Agreed if failed => {
                audit.verdict = Verdict::Unresolved;
                audit.reason = format!("the resumed run ({resumed}) failed; the points it has agree");
            }
            Outcome::Agreed => {
                let points = group.points;
                audit.reason =
                    format!("the resumed run is the straight one: all {points} points that both show are equal");
            }
            Outcome::Unresolved(_) if group.points > 0 => {}
            Outcome::Unresolved(why) if failed => audit.reason = format!("the resumed run ({resumed}) failed: {why}"),
            Outcome::Unresolved(_) => {
                audit.reason =
                    format!("the straight run ({straight}) and the resumed one ({resumed}) show no step in common");
            }
        }
    }
}

/// Where an interrupted run parts from the straight one in a value that both show.
pub fn on_the_way(straight: One<'_>, first: One<'_>, tolerance: Tolerance) -> Option<Divergence> {
    let primary = straight.reading.primary()?.metric.clone();
    let left = Pair { name: straight.name, reading: straight.reading, end: End::Cut };
    let right = Pair { name: first.name, reading: first.reading, end: End::Cut };
    let found = compare::compare(left, right, tolerance, Some(&primary)).divergences;
    found.into_iter().find(|divergence| matches!(divergence.kind, Kind::Value | Kind::Nan))
}

/// What a run of this treatment shows against the straight one: of an interrupted one counts only what it shows.
pub fn outcome(treatment: &str, straight: One<'_>, run: One<'_>, tolerance: Tolerance) -> Outcome {
    match treatment {
        FIRST if run.reading.primary().is_none() => Outcome::Unresolved("it showed no result".to_owned()),
        FIRST => on_the_way(straight, run, tolerance).map_or(Outcome::Agreed, Outcome::Diverged),
        _ => Aligned::new(straight, run, tolerance).judged().outcome,
    }
}

/// The reason where the interrupted run parts from the straight one already: then the checkpoint is not to blame.
pub fn parted_before(straight: &str, first: &str, divergence: &Divergence) -> String {
    format!(
        "the first run ({first}) parts from the straight one ({straight}) before it is interrupted, in {} at {}: the \
         checkpoint is not to blame; give both the same options (a schedule often depends on the number of epochs)",
        divergence.metric,
        divergence.position.told(divergence.index)
    )
}

/// The verdict where the straight run does not repeat itself: without that, no resumed run can be held against it.
pub fn unrepeatable(audit: &mut Audit, outcome: &Outcome, again: &str) {
    audit.verdict = Verdict::Unresolved;
    audit.reason = match outcome {
        Outcome::Unresolved(why) => format!("the straight run: {why}"),
        _ => format!(
            "the straight run does not repeat itself ({}): that is no fault of resuming",
            audit.reason.replacen("it parts", &format!("{again} parts"), 1)
        ),
    };
}
