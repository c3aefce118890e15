//! Agreement of runs that did not end well proves nothing.

use crate::compare::Group;
use crate::model::{Outcome, Run, Status};

/// The outcome of a group in the light of how its runs ended: agreement is unresolved where one of them crashed, timed out
/// or was lost; a difference stays a difference. One that failed before it printed anything is the reason that nothing was
/// compared.
pub fn judge(group: Group, runs: &[&Run]) -> Group {
    match (&group.outcome, cut_short(runs)) {
        (Outcome::Agreed, Some(reason)) => Group { outcome: Outcome::Unresolved(reason), ..group },
        (Outcome::Unresolved(_), Some(_)) => match runs.iter().find(|run| !ended_well(run) && run.points == 0) {
            Some(silent) => {
                let reason = format!("before it printed a result, {} {}", silent.id, how(silent));
                Group { outcome: Outcome::Unresolved(reason), ..group }
            }
            None => group,
        },
        _ => group,
    }
}

fn ended_well(run: &Run) -> bool {
    matches!(run.status, Status::Finished | Status::Stopped)
}

/// Why the agreement of these runs proves nothing.
fn cut_short(runs: &[&Run]) -> Option<String> {
    let bad: Vec<&&Run> = runs.iter().filter(|run| !ended_well(run)).collect();
    let first = bad.first()?;
    let end = |run: &Run| (run.status, run.exit_code, run.signal, run.points);
    let alike = bad.iter().all(|run| end(run) == end(first));
    let how = how(first);
    Some(match (bad.len() == runs.len(), alike) {
        (true, true) => {
            format!("every run {how}, in the same way after {} points; they agree as far as they got", first.points)
        }
        (true, false) => {
            format!("every run failed, each in its own way ({} {how}); they agree as far as they got", first.id)
        }
        (false, _) => format!(
            "{} of {} runs failed ({} {how} after {} points); the points they share agree",
            bad.len(),
            runs.len(),
            first.id,
            first.points
        ),
    })
}

fn how(run: &Run) -> String {
    match (run.status, run.exit_code, run.signal) {
        (Status::TimedOut, ..) => "ran into its time limit".to_owned(),
        (Status::Lost, ..) => "was lost".to_owned(),
        (Status::Skipped, ..) => "was never started".to_owned(),
        (Status::Crashed, Some(0), _) => {
            format!("ended in a traceback, though its command ended with 0{}", saying(run))
        }
        (_, Some(code), _) => format!("ended with exit code {code}{}", saying(run)),
        (_, None, Some(signal)) => format!("was killed by signal {signal}"),
        _ => "failed".to_owned(),
    }
}

/// The longest sentence of a job that is quoted, in characters.
const LONGEST: usize = 160;

/// The last line of its standard error: where an exception ended a Python program, the exception.
fn saying(run: &Run) -> String {
    let Some(last) = run.last_words.iter().map(|line| line.trim()).rfind(|line| !line.is_empty()) else {
        return String::new();
    };
    let mut said: String = last.chars().take(LONGEST).collect();
    if said.len() < last.len() {
        said.push('…');
    }
    format!(", saying “{said}”")
}
