//! Groups of identical repeats to what they prove, in one line and a table.

use super::luck::agree_by_luck;
use crate::model::{Confidence, Missed};

/// The rates for which every report says what N repeats would have missed.
const RATES: [f64; 5] = [0.5, 0.25, 0.1, 0.05, 0.01];

/// What repeats prove, given the sizes of the groups of identical runs: `[3]` for three that agree, `[2, 1]` where one
/// of three differs.
pub fn confidence(groups: &[usize]) -> Confidence {
    let repeats: usize = groups.iter().sum();
    let missed = RATES.map(|rate| Missed { rate, probability: agree_by_luck(rate, repeats) });
    Confidence { repeats, statement: statement(groups, repeats), missed: missed.to_vec() }
}

fn statement(groups: &[usize], repeats: usize) -> String {
    let outcomes = groups.iter().filter(|&&size| size > 0).count();
    match (repeats, outcomes) {
        (0, _) => "Nothing was compared, so nothing is known.".to_owned(),
        (1, _) => "One run shows nothing about repeating: run it at least twice.".to_owned(),
        (_, 1) => agreed(repeats),
        _ if outcomes == repeats => format!("No two of {repeats} runs agree: the job does not repeat."),
        _ => parted_sometimes(groups, repeats),
    }
}

fn agreed(repeats: usize) -> String {
    let missed = agree_by_luck(0.1, repeats);
    format!(
        "{repeats} runs agree; a job that parts in 1 of 10 runs would look the same with probability {}.",
        probability(missed)
    )
}

fn parted_sometimes(groups: &[usize], repeats: usize) -> String {
    let usual = groups.iter().copied().max().unwrap_or(0);
    let other = repeats - usual;
    let rate = other as f64 / repeats as f64;
    format!(
        "{other} of {repeats} runs differ from the others: the job does not repeat, though {repeats} runs of it would \
         all agree with probability {} at that rate.",
        probability(agree_by_luck(rate, repeats))
    )
}

/// A probability with as many digits as it deserves.
pub(super) fn probability(p: f64) -> String {
    if p < 0.001 {
        "below 0.001".to_owned()
    } else if p < 0.01 {
        format!("{p:.3}")
    } else {
        format!("{p:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_agreeing_runs_do_not_prove_much() {
        let confidence = confidence(&[3]);
        assert_eq!(confidence.repeats, 3);
        assert_eq!(
            confidence.statement,
            "3 runs agree; a job that parts in 1 of 10 runs would look the same with probability 0.73."
        );
        assert!((confidence.missed[1].probability - 0.4375).abs() < 1e-12);
    }

    #[test]
    fn runs_that_part_sometimes_are_said_to() {
        let statement = confidence(&[2, 1]).statement;
        assert!(statement.starts_with("1 of 3 runs differ"), "{statement}");
        assert!(confidence(&[1, 1, 1]).statement.starts_with("No two of 3 runs agree"));
    }

    #[test]
    fn nothing_compared_proves_nothing() {
        assert!(confidence(&[]).statement.starts_with("Nothing was compared"));
        assert!(confidence(&[1]).statement.starts_with("One run shows nothing"));
    }
}
