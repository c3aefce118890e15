//! Step times with and without a pin to what the pin costs.

use std::time::Duration;

use crate::model::Price;

/// Fewer steps than this say nothing about their time.
const FEWEST_STEPS: usize = 10;

/// A step shorter than this is mostly the clock and the log.
const SHORTEST: Duration = Duration::from_micros(20);

/// Single runs that disagree by more than this about the ratio were measured on a machine too busy to say.
const WIDEST: f64 = 1.5;

/// Lower quartile and mean that disagree by more than this about the ratio come of lines that arrived many at a time.
const APART: f64 = 4.0;

/// What a pin costs, given the step durations of each run with it and of each reference run, or why that cannot be said.
/// The spread is that of the ratios of single runs.
///
/// A run's step time is the lower quartile of its steps: what else the machine does can only make a step longer.
///
/// # Errors
/// Where the runs are too short, or disagree too much: why, to follow "not measurable: ".
pub fn price(pinned: &[Vec<Duration>], reference: &[Vec<Duration>]) -> Result<Price, &'static str> {
    let means = mean(pinned).zip(mean(reference)).map(|(with, without)| with / without).ok_or(TOO_FEW)?;
    let (pinned, reference) = (step_times(pinned)?, step_times(reference)?);
    let ratios = || pinned.iter().flat_map(|with| reference.iter().map(move |without| with / without));
    let lowest = ratios().fold(f64::INFINITY, f64::min);
    let highest = ratios().fold(0.0, f64::max);
    if highest > lowest * WIDEST {
        return Err("single runs disagree about the time of a step, so the machine was too busy");
    }
    let (pinned, reference) = (quantile(pinned, 2), quantile(reference, 2));
    let ratio = pinned.zip(reference).map(|(with, without)| with / without).ok_or(TOO_FEW)?;
    if ratio > means * APART || means > ratio * APART {
        return Err("its lines arrived many at a time, so that nothing is known of single steps");
    }
    Ok(Price { step_time_ratio: ratio, spread: (lowest, highest) })
}

const TOO_FEW: &str = "no run with it or none without it went on for ten steps";

/// The step time of each run that is long enough.
fn step_times(runs: &[Vec<Duration>]) -> Result<Vec<f64>, &'static str> {
    // The first step pays for start-up and is left out.
    let long = runs.iter().filter(|steps| steps.len() >= FEWEST_STEPS);
    let times = long.filter_map(|steps| quantile(steps.iter().skip(1).map(Duration::as_secs_f64).collect(), 4));
    let times: Vec<f64> = times.collect();
    match times.iter().all(|step| *step >= SHORTEST.as_secs_f64()) {
        _ if times.is_empty() => Err(TOO_FEW),
        true => Ok(times),
        false => Err("its steps take less time than writing a line"),
    }
}

/// The mean over the steps of all runs that are long enough, in seconds, without the tenth that took longest.
fn mean(runs: &[Vec<Duration>]) -> Option<f64> {
    let long = runs.iter().filter(|steps| steps.len() >= FEWEST_STEPS);
    let mut steps: Vec<f64> = long.flat_map(|steps| steps.iter().skip(1)).map(Duration::as_secs_f64).collect();
    steps.sort_by(f64::total_cmp);
    steps.truncate(steps.len() - steps.len() / 10);
    (!steps.is_empty()).then(|| steps.iter().sum::<f64>() / steps.len() as f64)
}

/// The value below which one in `share` of the values lies; the middle of two for the median of an even number.
fn quantile(mut values: Vec<f64>, share: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let at = values.len() / share;
    match share == 2 && values.len().is_multiple_of(2) {
        true => Some(f64::midpoint(*values.get(at.checked_sub(1)?)?, *values.get(at)?)),
        false => values.get(at).copied(),
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
        assert!(price(&[steps(20, 20), steps(35, 20)], &[steps(10, 20)]).unwrap_err().contains("busy"));
    }

    #[test]
    fn short_runs_have_no_price() {
        assert_eq!(price(&[steps(10, 3)], &[steps(10, 20)]), Err(TOO_FEW));
        assert_eq!(price(&[], &[steps(10, 20)]), Err(TOO_FEW));
        assert!(price(&[steps(0, 20)], &[steps(0, 20)]).unwrap_err().contains("less time"));
    }

    #[test]
    fn lines_that_arrive_in_bursts_have_no_price() {
        let burst = |step: usize| Duration::from_micros(if step.is_multiple_of(4) { 40_000 } else { 400 });
        let bursts: Vec<Duration> = (0..40).map(burst).collect();
        assert!(price(&[steps(10, 20)], &[bursts]).unwrap_err().contains("many at a time"));
    }

    #[test]
    fn steps_that_others_slowed_down_do_not_count() {
        let busy: Vec<Duration> =
            (0..24).map(|step| Duration::from_millis(if step % 3 == 0 { 10 } else { 40 })).collect();
        assert!((price(&[busy], &[steps(10, 24)]).unwrap().step_time_ratio - 1.0).abs() < 1e-9);
    }
}
