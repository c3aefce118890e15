//! What Slurm says of our jobs: the text of `squeue`. It explains what the record lacks, and decides nothing else.

/// The columns asked for; the name comes last, since only it may hold a separator.
pub const FORMAT: &str = "%F|%K|%T|%r|%N|%j";

/// One task, as Slurm sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name of the submission.
    pub name: String,
    /// Id of the array.
    pub job: String,
    /// Its index in the array.
    pub index: usize,
    /// Its state.
    pub state: State,
    /// Why it is in that state: `Resources`, `Priority`, `None`.
    pub reason: String,
    /// Where it is or was; empty where it never was anywhere.
    pub node: String,
}

/// What Slurm calls the state of a job, sorted by what it means to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for its start, or for its next one.
    Pending,
    /// It is somewhere between start and end.
    Going,
    /// It ended by itself, or trapped the signal that ended it.
    Completed,
    /// Its process failed, or it could not be launched.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// It had to make room and is not started again.
    Preempted,
    /// Its node is gone, or did not come up.
    NodeFailed,
    /// The site's time limit ended it.
    TimedOut,
    /// It took more memory than it was given.
    OutOfMemory,
}

impl State {
    /// A state that no version known to us has is taken for one between start and end: nothing is concluded from it.
    fn named(word: &str) -> Self {
        match word {
            "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT" | "RESV_DEL_HOLD" => Self::Pending,
            "COMPLETED" => Self::Completed,
            "FAILED" => Self::Failed,
            "CANCELLED" | "REVOKED" => Self::Cancelled,
            "PREEMPTED" => Self::Preempted,
            "NODE_FAIL" | "BOOT_FAIL" => Self::NodeFailed,
            "TIMEOUT" | "DEADLINE" => Self::TimedOut,
            "OUT_OF_MEMORY" => Self::OutOfMemory,
            _ => Self::Going,
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Going)
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pending => "waiting",
            Self::Going => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Preempted => "preempted",
            Self::NodeFailed => "lost with its node",
            Self::TimedOut => "ended by the time limit of the site",
            Self::OutOfMemory => "ended for want of memory",
        }
    }
}

/// The tasks in an answer of `squeue`, those of other names left out.
pub fn rows(answer: &str, names: &[String]) -> Vec<Row> {
    answer.lines().filter_map(row).filter(|row| names.contains(&row.name)).collect()
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.splitn(6, '|').map(str::trim);
    let mut next = || fields.next();
    let (job, index, state, reason, node, name) = (next()?, next()?, next()?, next()?, next()?, next()?);
    Some(Row {
        name: name.to_owned(),
        job: job.to_owned(),
        index: index.parse().ok()?,
        state: State::named(state),
        reason: reason.to_owned(),
        node: node.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_one_task() {
        let answer = "62|0|RUNNING|None|n1|ra-7\n62|1|PENDING|Resources||ra-7\n62|2|NODE_FAIL|None|n2|ra-7\n";
        let rows = rows(answer, &["ra-7".to_owned()]);
        let seen: Vec<_> =
            rows.iter().map(|row| (row.index, row.state, row.reason.as_str(), row.node.as_str())).collect();
        let expected = [
            (0, State::Going, "None", "n1"),
            (1, State::Pending, "Resources", ""),
            (2, State::NodeFailed, "None", "n2"),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_stranger_with_our_job_id_is_no_task_of_ours() {
        assert_eq!(rows("62|0|RUNNING|None|n1|their|job\n62|N/A|RUNNING|None|n1|ra-7\n", &["ra-7".to_owned()]), []);
    }

    #[test]
    fn what_is_no_answer_is_no_task() {
        assert_eq!(rows("slurm_load_jobs error: Unable to contact slurm controller\n\n|||", &["".to_owned()]), []);
    }

    #[test]
    fn a_state_of_a_later_version_ends_nothing() {
        assert!(!State::named("HIBERNATING").is_over());
        assert!(!State::named("COMPLETING").is_over());
    }
}
