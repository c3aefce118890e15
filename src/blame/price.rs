//! Step times with and without a pin to what the pin costs.

use std::time::Duration;

use crate::model::Price;

/// Fewer steps than this say nothing about their time.
const FEWEST_STEPS: usize = 10;

/// A median step shorter than this is mostly the clock and the log.
const SHORTEST: Duration = Duration::from_micros(20);

/// Single runs that disagree by more than this about the ratio were measured on a machine too busy to say.
const WIDEST: f64 = 1.5;

/// What a pin costs, given the step durations of each run with it and of each reference run; `None` where the runs are
/// too short to say. The spread is that of the ratios of single runs.
pub fn price(pinned: &[Vec<Duration>], reference: &[Vec<Duration>]) -> Option<Price> {
    let (pinned, reference) = (medians(pinned)?, medians(reference)?);
    let ratios = || pinned.iter().flat_map(|with| reference.iter().map(move |without| with / without));
    let lowest = ratios().fold(f64::INFINITY, f64::min);
    let highest = ratios().fold(0.0, f64::max);
    if highest > lowest * WIDEST {
        return None;
    }
    Some(Price { step_time_ratio: median(pinned.clone())? / median(reference.clone())?, spread: (lowest, highest) })
}

/// The median step of each run; `None` where any run is too short or there is none.
fn medians(runs: &[Vec<Duration>]) -> Option<Vec<f64>> {
    let medians: Option<Vec<f64>> = runs
        .iter()
        .map(|steps| {
            // The first step pays for start-up and is left out.
            let later: Vec<f64> = steps.iter().skip(1).map(Duration::as_secs_f64).collect();
            if later.len() + 1 < FEWEST_STEPS { None } else { median(later) }
        })
        .map(|step| step.filter(|step| *step >= SHORTEST.as_secs_f64()))
        .collect();
    medians.filter(|medians| !medians.is_empty())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => values.get(middle).copied(),
        _ => Some(f64::midpoint(*values.get(middle - 1)?, *values.get(middle)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(milliseconds: u64, count: usize) -> Vec<Duration> {
        vec![Duration::from_millis(milliseconds); count]
    }

    #[test]
    fn a_pin_that_doubles_the_step_costs_two() {
        let price = price(&[steps(20, 20), steps(22, 20)], &[steps(10, 20)]).unwrap();
        assert!((price.step_time_ratio - 2.1).abs() < 1e-9);
        assert!((price.spread.0 - 2.0).abs() < 1e-9 && (price.spread.1 - 2.2).abs() < 1e-9);
    }

    #[test]
    fn one_slow_step_does_not_change_the_price() {
        let mut jumpy = steps(10, 21);
        jumpy[7] = Duration::from_secs(3);
        assert!((price(&[jumpy], &[steps(10, 21)]).unwrap().step_time_ratio - 1.0).abs() < 1e-9);
    }

    #[test]
    fn runs_that_disagree_about_the_price_have_none() {
        assert_eq!(price(&[steps(20, 20), steps(35, 20)], &[steps(10, 20)]), None);
    }

    #[test]
    fn short_runs_have_no_price() {
        assert_eq!(price(&[steps(10, 3)], &[steps(10, 20)]), None);
        assert_eq!(price(&[], &[steps(10, 20)]), None);
        assert_eq!(price(&[steps(0, 20)], &[steps(0, 20)]), None);
    }
}
