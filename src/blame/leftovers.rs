//! The first runs part from all later ones, each group being alike: what the first left is what the later ones found.

use super::luck::MOST_REPEATS;
use super::{remedy, summary};
use crate::model::{Cause, Grade, Leftover};

/// So many further runs, at least `least`, must agree with the first ones before chance is ruled out: `first` runs alike,
/// `later` ones alike and other than those, then so many like the first again. The first came before all later ones, or
/// stood in any order among the first `beside` runs, which went side by side. Whatever the share of runs that come out one
/// way by chance, all of it together happens with at most this `risk`.
pub fn repeats_after(first: usize, later: usize, beside: usize, least: usize, risk: f64) -> usize {
    let orders = orders(beside, first);
    let chance = |hidden: usize| orders * by_chance(first + hidden, later);
    (least..MOST_REPEATS).find(|&hidden| chance(hidden) <= risk).unwrap_or(MOST_REPEATS)
}

/// In how many ways `some` of `all` can be chosen.
fn orders(all: usize, some: usize) -> f64 {
    (0..some).map(|k| all.saturating_sub(k) as f64 / (k + 1) as f64).product::<f64>().max(1.0)
}

/// The chance of `a` runs of one outcome and `b` of the other in a given order, at the share for which it is largest; which
/// of the outcomes comes first is open.
fn by_chance(a: usize, b: usize) -> f64 {
    let (a, b) = (a as f64, b as f64);
    let share = a / (a + b);
    (2.0 * share.powf(a) * (1.0 - share).powf(b)).min(1.0)
}

/// The cause, from runs that found nothing of what earlier ones had left: `hidden` of them agree with the `first` ones,
/// while `later` others are alike and part from those. `read` is a file that was seen to be read, where one was.
pub fn left_by_the_first(first: &[String], later: usize, hidden: usize, read: Option<&Leftover>) -> Cause {
    let id = "leftovers";
    let first = first.join(", ");
    let mut evidence = vec![
        format!("{hidden} of {hidden} runs that find nothing of what earlier runs left agree with the first ({first})"),
        format!("{later} later runs that find it are alike, and part from the first"),
    ];
    evidence.extend(read.map(|leftover| format!("the job reads {}, which an earlier run left", leftover.file)));
    Cause {
        id: id.to_owned(),
        grade: Grade::Proved,
        summary: summary(id),
        evidence,
        remedy: remedy(id),
        location: read.and_then(|leftover| leftover.location.clone()),
        price: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_runs_before_the_change_or_after_it_ask_for_more_that_are_like_the_first() {
        assert_eq!(repeats_after(1, 4, 1, 3, 0.05), 3);
        assert_eq!(repeats_after(1, 2, 1, 2, 0.05), 3);
        assert!(repeats_after(1, 2, 1, 2, 0.01) > repeats_after(1, 4, 1, 2, 0.01));
        assert!(repeats_after(1, 3, 1, 2, 0.01) > repeats_after(3, 3, 3, 2, 0.01));
        assert!(repeats_after(1, 4, 3, 2, 0.01) > repeats_after(1, 4, 1, 2, 0.01));
    }

    #[test]
    fn a_toss_of_a_coin_is_taken_for_a_leftover_as_seldom_as_is_said() {
        for percent in 1..100 {
            let share = f64::from(percent) / 100.0;
            for (first, later, beside, ways) in [(1, 2, 1, 1.0), (1, 4, 3, 3.0), (2, 3, 4, 6.0), (3, 2, 3, 1.0)] {
                let hidden = repeats_after(first, later, beside, 2, 0.05);
                let like = |a: f64| ways * a.powi((first + hidden) as i32) * (1.0 - a).powi(later as i32);
                assert!(like(share) + like(1.0 - share) <= 0.05, "{first} {later} at {share}");
            }
        }
    }
}
