//! An audit of very many runs, without their processes: `cargo bench --bench scale [TRIALS] [POINTS]`.
//!
//! Runs that were written down beforehand pass the same executor interface, the same live parser and the same live
//! comparison as real ones. Memory has to stay flat and time has to grow with the number of points alone, whether they
//! come of many runs or of long ones; a run that parts, planted near the end, has to be found.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::fs;
use std::time::Instant;

use repro_audit::command::watch::{StopRule, Watch};
use repro_audit::execute::{Executor, Script, Scripted};
use repro_audit::model::{Launch, Tolerance, Trial};
use repro_audit::parse::Options;
use repro_audit::report::{Progress, ProgressKind};

/// Runs that go side by side.
const TOGETHER: usize = 16;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let trials = numbers.first().copied().unwrap_or(10_000);
    let points = numbers.get(1).copied().unwrap_or(10_000);
    println!("{:>8} {:>8} {:>12} {:>8} {:>12} {:>12}", "trials", "points", "in all", "s", "points/s", "peak KiB");
    for share in [100, 10, 1] {
        simulate((trials / share).max(2), points);
    }
    simulate((trials / 100).max(2), points * 10);
}

/// Carries an audit out and prints what it took.
fn simulate(trials: u64, points: u64) {
    let planned: Vec<Trial> = (1..=trials).map(trial).collect();
    let last = format!("r{trials}");
    let mut scripted = Scripted::new(move |trial| {
        let parts = trial.run == last;
        Script::lines((0..points).map(move |step| {
            let loss = 2.5 / (1.0 + step as f64 / 1000.0) + if parts && step + 10 > points { 0.001 } else { 0.0 };
            format!("step {step} loss {loss:.6}")
        }))
    })
    .together(TOGETHER);
    let rule = StopRule { after_divergence: Some(3), ..StopRule::never(Tolerance::Exact) };
    let mut progress = Progress::new(ProgressKind::Quiet, planned.len());
    let mut watch = Watch::new(rule, Options::default(), &mut progress);
    let start = Instant::now();
    let finish = scripted.execute(&planned, &mut watch);
    let seconds = start.elapsed().as_secs_f64();
    let all = trials * points;
    println!(
        "{trials:>8} {points:>8} {all:>12} {seconds:>8.2} {:>12.0} {:>12}   {}",
        all as f64 / seconds,
        peak(),
        match (finish, watch.parted()) {
            (Ok(_), Some(index)) => format!("the last run parts at point {index}"),
            (Ok(_), None) => "NOTHING PARTED".to_owned(),
            (Err(why), _) => format!("FAILED: {why}"),
        }
    );
}

fn trial(number: u64) -> Trial {
    Trial {
        run: format!("r{number}"),
        treatment: "reference".to_owned(),
        replicate: u32::try_from(number).unwrap_or(u32::MAX),
        settings: Default::default(),
        launch: Launch::default(),
    }
}

/// The most memory that this process has used.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
