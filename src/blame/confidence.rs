//! Groups of identical repeats to what they prove, in one line and a table.

use super::luck::agree_by_luck;
use crate::model::{Confidence, Missed};

/// The rates for which every report says what N repeats would have missed.
const RATES: [f64; 5] = [0.5, 0.25, 0.1, 0.05, 0.01];

/// What repeats prove, given the sizes of the groups of identical runs: `[3]` for three that agree, `[2, 1]` where one
/// of three differs. `detect` is the rate that must not go unseen, where one was asked for: the statement is about it.
pub fn confidence(groups: &[usize], detect: Option<f64>) -> Confidence {
    let repeats: usize = groups.iter().sum();
    let mut rates = RATES.to_vec();
    rates.extend(detect.filter(|rate| !RATES.contains(rate)));
    rates.sort_by(|a, b| b.total_cmp(a));
    let missed = rates.into_iter().map(|rate| Missed { rate, probability: agree_by_luck(rate, repeats) });
    Confidence { repeats, statement: statement(groups, repeats, detect.unwrap_or(UNASKED)), missed: missed.collect() }
}

/// The rate that an agreement is set against where none was asked for.
const UNASKED: f64 = 0.1;

fn statement(groups: &[usize], repeats: usize, detect: f64) -> String {
    let outcomes = groups.iter().filter(|&&size| size > 0).count();
    match (repeats, outcomes) {
        (0, _) => "Nothing was compared, so nothing is known.".to_owned(),
        (1, _) => "One run shows nothing about repeating: run it at least twice.".to_owned(),
        (_, 1) => agreed(repeats, detect),
        _ if outcomes == repeats => format!("No two of {repeats} runs agree: the job does not repeat."),
        _ => parted_sometimes(groups, repeats),
    }
}

fn agreed(repeats: usize, detect: f64) -> String {
    let missed = probability(agree_by_luck(detect, repeats));
    format!(
        "{repeats} runs agree; a job that parts in {} would look the same with probability {missed}.",
        share(detect)
    )
}

/// A rate in words: "1 of 4 runs", or in percent where that would round it.
fn share(rate: f64) -> String {
    let of = (1.0 / rate).round();
    if (rate * of - 1.0).abs() < 1e-9 { format!("1 of {of} runs") } else { format!("{} % of its runs", rate * 100.0) }
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
        let confidence = confidence(&[3], None);
        assert_eq!(confidence.repeats, 3);
        assert_eq!(
            confidence.statement,
            "3 runs agree; a job that parts in 1 of 10 runs would look the same with probability 0.73."
        );
        assert!((confidence.missed[1].probability - 0.4375).abs() < 1e-12);
    }

    #[test]
    fn agreement_is_set_against_the_rate_that_was_asked_for() {
        let confidence = confidence(&[11], Some(0.25));
        assert!(confidence.statement.contains("1 of 4 runs would look the same with probability 0.04"));
        assert_eq!(confidence.missed.len(), RATES.len());
        let odd = super::confidence(&[7], Some(0.3));
        assert!(
            odd.statement.contains("30 % of its runs would look the same with probability 0.08"),
            "{}",
            odd.statement
        );
        assert_eq!(odd.missed[1].rate, 0.3);
    }

    #[test]
    fn runs_that_part_sometimes_are_said_to() {
        let statement = confidence(&[2, 1], None).statement;
        assert!(statement.starts_with("1 of 3 runs differ"), "{statement}");
        assert!(confidence(&[1, 1, 1], None).statement.starts_with("No two of 3 runs agree"));
    }

    #[test]
    fn nothing_compared_proves_nothing() {
        assert!(confidence(&[], None).statement.starts_with("Nothing was compared"));
        assert!(confidence(&[1], None).statement.starts_with("One run shows nothing"));
    }
}
