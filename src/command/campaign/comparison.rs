//! The runs of an audit compared with one another.

use super::Campaign;
use crate::command::judge::judge;
use crate::command::watch::StopRule;
use crate::compare::{self, End, Group, Member};
use crate::model::{Outcome, Reading, Run, Status};

impl Campaign<'_> {
    /// Compares runs by their ids, the first being the reference. Agreement of runs that did not end well is unresolved.
    pub fn compare(&self, ids: &[String]) -> Group {
        let members: Vec<Member<'_>> = ids.iter().filter_map(|id| self.member(id)).collect();
        let runs: Vec<&Run> = self.runs.iter().filter(|run| ids.contains(&run.id)).collect();
        judge(compare::group(&members, self.request.tolerance, self.metric().as_deref()), &runs)
    }

    /// Runs that agree only as far as they were let go prove nothing, where nobody asked for so few steps: they were stopped
    /// at a difference that the whole logs do not show, such as one of an attempt that another one took the place of.
    pub(super) fn doubt(&self, group: Group, stop: &StopRule, ids: &[String]) -> Group {
        let stopped = |run: &&Run| ids.contains(&run.id) && run.status == Status::Stopped;
        if group.outcome == Outcome::Agreed && stop.after_points.is_none() && self.runs.iter().any(|run| stopped(&run))
        {
            let reason =
                "runs were stopped at a difference that their logs no longer show; run it again with --full-length";
            return Group { outcome: Outcome::Unresolved(reason.to_owned()), ..group };
        }
        group
    }

    /// Compares runs as [`Campaign::compare`] does, with another reading in the place of one run's: would that be noticed?
    pub fn compare_instead(&self, ids: &[String], run: &str, reading: &Reading) -> Outcome {
        let members = ids.iter().filter_map(|id| self.member(id));
        let members: Vec<Member<'_>> =
            members.map(|member| if member.name == run { Member { reading, ..member } } else { member }).collect();
        compare::group(&members, self.request.tolerance, self.metric().as_deref()).outcome
    }

    fn member(&self, id: &str) -> Option<Member<'_>> {
        let run = self.runs.iter().find(|run| run.id == id)?;
        let end = if run.status == Status::Finished { End::Complete } else { End::Cut };
        Some(Member { name: &run.id, reading: self.readings.get(id)?, end })
    }

    /// The metric to compare alone, where one was asked for, as the logs spell it.
    fn metric(&self) -> Option<String> {
        let asked = self.request.metric.clone()?;
        let found = self.readings.values().find_map(|reading| Some(reading.primary()?.metric.clone()));
        Some(found.unwrap_or(asked))
    }
}
