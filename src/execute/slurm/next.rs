//! What is to be done about a run, from what its record holds and what Slurm says: the table of failures. Pure.
//!
//! The record decides; Slurm only explains what is missing. What is missing is waited for first, since a shared file
//! system may show a file long after it was written.

use std::time::Duration;

use super::files::{End, How};
use super::queue::State;
use crate::execute::desk::Order;
use crate::execute::signal;
use crate::model::Status;

/// How often a run is submitted again for reasons of the engine.
pub const RESUBMISSIONS: u32 = 2;
/// How long a run that was told to end is waited for, once Slurm has nothing of it any more.
const AFTER_ORDER: Duration = Duration::from_secs(5);
/// How long it is waited for at all.
const LONGEST_AFTER_ORDER: Duration = Duration::from_secs(60);
/// How Slurm says that it could not launch a job and will not try again by itself.
const HELD: &str = "launch failed requeued held";

/// What the record holds of the newest attempt.
#[derive(Clone, Copy, Debug)]
pub enum Recorded<'a> {
    /// There is none yet.
    Nothing,
    /// It has begun.
    Begun,
    /// It has ended, and everything that it wrote is here.
    Ended(&'a End),
}

/// What Slurm says of the run's newest submission.
#[derive(Clone, Copy, Debug)]
pub enum Queued<'a> {
    /// Nothing yet, or nothing newer than what the record holds.
    Unknown,
    /// It was asked, and has no such job.
    Absent,
    /// A state and the reason for it.
    Is(State, &'a str),
}

/// What is known of a run.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The record.
    pub recorded: Recorded<'a>,
    /// Slurm.
    pub queued: Queued<'a>,
    /// How long both have been like this.
    pub unchanged: Duration,
    /// How long a shared file system may take to show a file.
    pub grace: Duration,
    /// What is wanted of it, and for how long that has been said.
    pub order: (Order, Duration),
    /// How often it was submitted again.
    pub resubmitted: u32,
    /// Whether the submission is known to have reached Slurm.
    pub submitted: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look again later.
    Wait,
    /// It is over.
    Over {
        /// How it ended.
        status: Status,
        /// Why, where that is not plain.
        why: Option<String>,
    },
    /// Submit it again.
    Resubmit(String),
}

fn over(status: Status, why: impl Into<String>) -> Next {
    Next::Over { status, why: Some(why.into()) }
}

/// What is to be done about a run.
pub fn next(sight: &Sight<'_>) -> Next {
    match (sight.order.0, sight.recorded) {
        (Order::Kill, _) => over(Status::Lost, "the audit was interrupted"),
        (Order::Go, Recorded::Ended(end)) => ended(sight, end),
        (Order::Go, recorded) => without_end(sight, matches!(recorded, Recorded::Begun)),
        (order, recorded) => ordered(sight, order, recorded),
    }
}

/// The job's own end is believed; an end by others is explained by Slurm.
fn ended(sight: &Sight<'_>, end: &End) -> Next {
    match end.how {
        How::Finished => Next::Over { status: own(end), why: memory(sight, end) },
        How::TimedOut => Next::Over { status: Status::TimedOut, why: None },
        // Somebody else asked for it: an earlier submitter of this audit.
        How::Stopped => over(Status::Lost, "it was told to end by an earlier part of this audit"),
        How::Refused => over(Status::Lost, end.reason.clone()),
        How::Fenced => newer_attempt(sight),
        How::Interrupted => interrupted(sight, end),
    }
}

fn own(end: &End) -> Status {
    if end.exit_code == Some(0) { Status::Finished } else { Status::Crashed }
}

fn memory(sight: &Sight<'_>, end: &End) -> Option<String> {
    let named = matches!(sight.queued, Queued::Is(State::OutOfMemory, _));
    (named && own(end) == Status::Crashed).then(|| "Slurm says that it took more memory than it was given".to_owned())
}

/// An attempt that gave way to a newer one, whose record has not been seen yet.
fn newer_attempt(sight: &Sight<'_>) -> Next {
    let waited = sight.unchanged >= sight.grace;
    match sight.queued {
        Queued::Is(state, _) if !state.is_over() => Next::Wait,
        Queued::Unknown => Next::Wait,
        _ if waited => over(Status::Lost, "it gave way to a newer attempt, which left no record"),
        _ => Next::Wait,
    }
}

fn interrupted(sight: &Sight<'_>, end: &End) -> Next {
    let name = if end.reason.is_empty() { "a signal" } else { end.reason.as_str() };
    match sight.queued {
        Queued::Is(State::Pending | State::Going, _) | Queued::Unknown => Next::Wait,
        Queued::Is(State::TimedOut, _) => over(Status::TimedOut, State::TimedOut.words()),
        Queued::Is(state @ (State::Preempted | State::NodeFailed), _) => again(sight, state.words()),
        Queued::Is(state @ State::OutOfMemory, _) => over(Status::Crashed, state.words()),
        Queued::Is(State::Cancelled, _) => over(Status::Lost, format!("it was cancelled from outside ({name})")),
        Queued::Is(State::Completed | State::Failed, _) => {
            over(Status::Lost, format!("it was told to end from outside ({name})"))
        }
        Queued::Absent if sight.unchanged >= sight.grace => {
            over(Status::Lost, format!("it was told to end from outside ({name}), and Slurm knows nothing of it"))
        }
        Queued::Absent => Next::Wait,
    }
}

/// No end is recorded, and nobody of us asked for one.
fn without_end(sight: &Sight<'_>, begun: bool) -> Next {
    let waited = sight.unchanged >= sight.grace;
    match sight.queued {
        Queued::Is(State::Pending, reason) if reason.contains(HELD) && waited => {
            again(sight, "Slurm could not launch it and holds it")
        }
        Queued::Is(State::Pending | State::Going, _) | Queued::Unknown => Next::Wait,
        // From here on nothing more can come; what was written may still show.
        _ if !waited => Next::Wait,
        Queued::Is(State::TimedOut, _) if begun => over(Status::TimedOut, State::TimedOut.words()),
        Queued::Is(State::OutOfMemory, _) if begun => over(Status::Crashed, State::OutOfMemory.words()),
        Queued::Is(state @ (State::Preempted | State::NodeFailed), _) => again(sight, state.words()),
        Queued::Is(State::Cancelled, _) if !begun => over(Status::Lost, "it was cancelled before it began"),
        Queued::Is(state, _) if begun => {
            over(Status::Lost, format!("Slurm calls it {}, and its end was not recorded", state.words()))
        }
        Queued::Is(state, _) => over(
            Status::Lost,
            format!(
                "Slurm calls it {}, and it never began: the record's folder may be missing on the node",
                state.words()
            ),
        ),
        Queued::Absent if !sight.submitted => Next::Resubmit("it is not known to have been submitted".to_owned()),
        Queued::Absent if begun => over(Status::Lost, "Slurm knows nothing of it, and its end was not recorded"),
        Queued::Absent => over(Status::Lost, "Slurm knows nothing of it, and it never began"),
    }
}

fn again(sight: &Sight<'_>, why: &str) -> Next {
    if sight.resubmitted < RESUBMISSIONS {
        Next::Resubmit(why.to_owned())
    } else {
        over(Status::Lost, format!("{why}, {} times over", sight.resubmitted + 1))
    }
}

/// It was told to end; a job that had ended by itself before keeps its own end.
fn ordered(sight: &Sight<'_>, order: Order, recorded: Recorded<'_>) -> Next {
    let status = if order == Order::Stop { Status::Stopped } else { Status::Lost };
    let gone = match sight.queued {
        Queued::Is(state, _) => state.is_over(),
        Queued::Absent => true,
        Queued::Unknown => false,
    };
    let patient = sight.order.1 < LONGEST_AFTER_ORDER && !(gone && sight.unchanged >= AFTER_ORDER.min(sight.grace));
    match recorded {
        Recorded::Ended(end) => match end.how {
            How::Finished if !by_us(end) => Next::Over { status: own(end), why: None },
            How::TimedOut => Next::Over { status: Status::TimedOut, why: None },
            How::Refused => over(Status::Lost, end.reason.clone()),
            How::Finished | How::Stopped | How::Fenced | How::Interrupted => Next::Over { status, why: None },
        },
        _ if patient => Next::Wait,
        Recorded::Begun if gone => over(status, "it was told to end, and its end was not recorded"),
        Recorded::Begun => over(status, "it was told to end, and was not seen to"),
        Recorded::Nothing => Next::Over { status: Status::Skipped, why: None },
    }
}

/// Whether a job that was told to end may have ended for that.
fn by_us(end: &End) -> bool {
    end.signal.is_some_and(|number| matches!(signal::name(number).as_str(), "SIGTERM" | "SIGKILL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(recorded: Recorded<'static>, queued: Queued<'static>) -> Sight<'static> {
        Sight {
            recorded,
            queued,
            unchanged: Duration::from_secs(3600),
            grace: Duration::from_secs(60),
            order: (Order::Go, Duration::ZERO),
            resubmitted: 0,
            submitted: true,
        }
    }

    fn end(how: How) -> &'static End {
        Box::leak(Box::new(End::without_job(how, "SIGTERM".to_owned())))
    }

    fn leaked(exit_code: Option<i32>) -> &'static End {
        let mut end = End::without_job(How::Finished, String::new());
        end.exit_code = exit_code;
        Box::leak(Box::new(end))
    }

    fn status(next: &Next) -> Option<Status> {
        match next {
            Next::Over { status, .. } => Some(*status),
            _ => None,
        }
    }

    #[test]
    fn the_record_outranks_whatever_slurm_says() {
        let finished = leaked(Some(0));
        let all = [State::Cancelled, State::NodeFailed, State::TimedOut, State::Failed, State::Pending, State::Going];
        for queued in all.map(|state| Queued::Is(state, "None")).into_iter().chain([Queued::Absent, Queued::Unknown]) {
            assert_eq!(status(&next(&sight(Recorded::Ended(finished), queued))), Some(Status::Finished), "{queued:?}");
        }
    }

    #[test]
    fn completed_without_an_end_is_lost_and_never_finished() {
        let seen = sight(Recorded::Begun, Queued::Is(State::Completed, "None"));
        assert_eq!(status(&next(&seen)), Some(Status::Lost));
        let early = Sight { unchanged: Duration::from_secs(59), ..seen };
        assert_eq!(next(&early), Next::Wait, "a shared file system may be late");
    }

    #[test]
    fn preemption_and_lost_nodes_are_tried_again_twice_and_then_lost() {
        for state in [State::Preempted, State::NodeFailed] {
            for recorded in [Recorded::Begun, Recorded::Ended(end(How::Interrupted))] {
                let seen = sight(recorded, Queued::Is(state, "None"));
                assert!(matches!(next(&seen), Next::Resubmit(_)));
                assert_eq!(status(&next(&Sight { resubmitted: 2, ..seen })), Some(Status::Lost));
            }
        }
    }

    #[test]
    fn a_requeued_run_is_waited_for_however_long_it_queues() {
        for recorded in [Recorded::Begun, Recorded::Ended(end(How::Interrupted)), Recorded::Ended(end(How::Fenced))] {
            assert_eq!(next(&sight(recorded, Queued::Is(State::Pending, "BeginTime"))), Next::Wait);
        }
    }

    #[test]
    fn the_time_limit_of_the_site_is_a_time_limit() {
        for recorded in [Recorded::Begun, Recorded::Ended(end(How::Interrupted))] {
            assert_eq!(status(&next(&sight(recorded, Queued::Is(State::TimedOut, "None")))), Some(Status::TimedOut));
        }
    }

    #[test]
    fn cancelled_from_outside_is_lost_and_not_tried_again() {
        for state in [State::Cancelled, State::Completed] {
            let next = next(&sight(Recorded::Ended(end(How::Interrupted)), Queued::Is(state, "None")));
            assert!(matches!(&next, Next::Over { status: Status::Lost, why: Some(why) } if why.contains("SIGTERM")));
        }
    }

    #[test]
    fn a_held_launch_is_submitted_again_and_other_waits_are_not() {
        let held = Queued::Is(State::Pending, "launch failed requeued held");
        assert!(matches!(next(&sight(Recorded::Nothing, held)), Next::Resubmit(_)));
        assert_eq!(next(&sight(Recorded::Nothing, Queued::Is(State::Pending, "Resources"))), Next::Wait);
    }

    #[test]
    fn a_submission_that_may_never_have_been_made_is_made_again() {
        let seen = Sight { submitted: false, ..sight(Recorded::Nothing, Queued::Absent) };
        assert!(matches!(next(&seen), Next::Resubmit(_)));
        assert_eq!(status(&next(&Sight { submitted: true, ..seen })), Some(Status::Lost));
    }

    #[test]
    fn a_run_that_was_stopped_is_stopped_and_one_that_never_began_was_skipped() {
        let stop = |recorded, queued| Sight { order: (Order::Stop, Duration::from_secs(6)), ..sight(recorded, queued) };
        let cancelled = Queued::Is(State::Cancelled, "None");
        assert_eq!(status(&next(&stop(Recorded::Ended(end(How::Stopped)), cancelled))), Some(Status::Stopped));
        assert_eq!(status(&next(&stop(Recorded::Ended(end(How::Interrupted)), cancelled))), Some(Status::Stopped));
        assert_eq!(status(&next(&stop(Recorded::Begun, cancelled))), Some(Status::Stopped));
        assert_eq!(status(&next(&stop(Recorded::Nothing, cancelled))), Some(Status::Skipped));
        assert_eq!(next(&stop(Recorded::Begun, Queued::Is(State::Going, "None"))), Next::Wait);
    }

    #[test]
    fn a_run_that_had_ended_by_itself_keeps_its_own_end() {
        let crashed = leaked(Some(7));
        let seen = sight(Recorded::Ended(crashed), Queued::Absent);
        let stopped = Sight { order: (Order::Stop, Duration::ZERO), ..seen };
        assert_eq!(status(&next(&stopped)), Some(Status::Crashed));
    }
}
