//! What stopping early saved, as far as it can be measured.

use std::sync::LazyLock;

use regex::Regex;

use crate::model::{Run, Status};
use crate::record;

/// The end of a log in which its own count of steps is looked for.
const TAIL: u64 = 4096;

/// One line on the runs that were stopped once they had parted; `None` where none was.
///
/// How many steps they would have made is known from a run that was not stopped, or else from the logs, where they count:
/// `step 52/2000`. A step is one that is shown: a log may count samples, or show each tenth.
pub fn sentence(runs: &[Run], of: &[String], steps: &dyn Fn(&str) -> Option<(i64, i64)>) -> Option<String> {
    let stopped: Vec<&Run> = runs.iter().filter(|run| of.contains(&run.id) && run.status == Status::Stopped).collect();
    if stopped.is_empty() {
        return None;
    }
    let made: usize = stopped.iter().map(|run| run.points).sum();
    let longest = runs.iter().filter(|run| run.status == Status::Finished).map(|run| run.points).max();
    let rest = |run: &&Run| {
        let announced = || left(&record::tail(&run.log, TAIL), steps(&run.id)?, run.points);
        longest.map(|longest| longest.saturating_sub(run.points)).or_else(announced)
    };
    let saved: Option<usize> = stopped.iter().map(rest).sum();
    let count = stopped.len();
    let runs = if count == 1 { "1 run was".to_owned() } else { format!("{count} runs were") };
    Some(match saved {
        Some(saved) => {
            format!("{runs} stopped once they had parted, after {made} steps in all; {saved} steps were saved")
        }
        None => format!(
            "{runs} stopped once they had parted, after {made} steps in all; how many that saved is not known, since the \
             log does not count to an end"
        ),
    })
}

/// How many steps were left to be shown after the last of `steps` (the first and the last number shown, by so many `points`),
/// where the text counts them: the last `52/2000` or `52 of 2000` in it.
fn left(text: &str, (first, last): (i64, i64), points: usize) -> Option<usize> {
    static COUNT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d{1,12})\s*(?:/|of)\s*(\d{1,12})").ok());
    let counts = COUNT.as_ref()?.captures_iter(text).filter_map(|found| {
        let (now, all): (i64, i64) = (found.get(1)?.as_str().parse().ok()?, found.get(2)?.as_str().parse().ok()?);
        // Counted from 0, the last number is one less than the steps made.
        let made = if first == 0 { last + 1 } else { last };
        ((last..=last + 1).contains(&now) && made <= all).then_some(all - made)
    });
    let between = i64::try_from(points).ok()?.checked_sub(1)?;
    let stride = (last - first).checked_div(between).unwrap_or(1).max(1);
    usize::try_from(counts.last()? / stride).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_counts_tells_what_was_left() {
        assert_eq!(left("step 51/2000 loss 0.5\nstep 52/2000 loss 0.4\n", (1, 52), 52), Some(1948));
        assert_eq!(left("step 51/2000 loss 0.5\n", (0, 51), 52), Some(1948));
        assert_eq!(left("[52 of 2000] loss 0.4", (0, 51), 52), Some(1948));
        assert_eq!(left("[192/6400 (3%)] loss 0.4", (0, 192), 4), Some(96));
        assert_eq!(left("step 1/20 loss 0.4", (1, 1), 1), Some(19));
        assert_eq!(left("epoch 1/3 step 52 loss 0.4", (0, 52), 53), None);
        assert_eq!(left("step 52 loss 0.4", (0, 52), 53), None);
    }
}
