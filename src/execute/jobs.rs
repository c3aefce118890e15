//! How many runs may go side by side without taking cores or cards from one another.

use std::num::NonZero;
use std::thread::available_parallelism;

use super::cards;
use crate::model::Trial;

/// The variables by which numerical libraries are told how many threads to start. `OMP_NUM_THREADS` is the one that
/// nearly all of them read; a job that has it is taken at its word.
const THREADS: [&str; 2] = ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"];

/// Memory that a run is taken to need at least, in bytes: what importing torch takes, and as much again for the training.
const LEAST_MEMORY: u64 = 1 << 30;

/// How many of these trials may go side by side by default: 1 unless every one of them says how many threads it starts,
/// and never more than there are cores and free memory for; 1 where they may see a card, since how many cards a job takes
/// is not known.
pub fn default_jobs(trials: &[Trial]) -> usize {
    let cores = available_parallelism().map_or(1, NonZero::get);
    let present = !cards::visible_cards().is_empty();
    let inherited = |name: &str| std::env::var(name).ok();
    if trials.iter().any(|trial| cards::sees_cards(&trial.launch.environment, present)) {
        return 1;
    }
    let mut most = 1;
    for trial in trials {
        let Some(threads) = threads(trial, &inherited) else { return 1 };
        most = most.max(threads);
    }
    fitting(cores, most, free_memory()).min(trials.len()).max(1)
}

/// How many runs of so many threads have room on these cores and in these bytes of memory.
fn fitting(cores: usize, threads: usize, memory: Option<u64>) -> usize {
    let fit = memory.map_or(usize::MAX, |bytes| usize::try_from(bytes / LEAST_MEMORY).unwrap_or(usize::MAX));
    (cores / threads).min(fit)
}

/// Bytes that can be had without swapping; `None` where the kernel does not say.
fn free_memory() -> Option<u64> {
    available(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// The same from the text of `/proc/meminfo`, which counts in KiB.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Why runs that go side by side could disturb one another; `None` where they cannot or where that is not known.
pub fn sharing(trials: &[Trial], jobs: usize) -> Option<String> {
    let cores = available_parallelism().map_or(1, NonZero::get);
    let jobs = jobs.min(trials.len());
    if jobs < 2 {
        return None;
    }
    let inherited = |name: &str| std::env::var(name).ok();
    let threads = trials.iter().map(|trial| threads(trial, &inherited)).collect::<Option<Vec<usize>>>();
    match threads.and_then(|threads| threads.into_iter().max()) {
        Some(most) if most * jobs <= cores => None,
        Some(most) => {
            Some(format!("{jobs} runs of {most} threads share {cores} cores: they may slow one another down"))
        }
        None => Some(format!(
            "{jobs} runs share {cores} cores, and how many threads each starts is not known: they may slow one another down"
        )),
    }
}

fn threads(trial: &Trial, inherited: &dyn Fn(&str) -> Option<String>) -> Option<usize> {
    THREADS.iter().find_map(|name| {
        let value = match trial.launch.environment.get(*name) {
            Some(value) => value.clone(),
            None => inherited(name),
        };
        // `OMP_NUM_THREADS=4,2` counts nested levels; the first is what a job starts.
        value?.split(',').next()?.trim().parse().ok().filter(|&threads| threads > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Launch;

    #[test]
    fn runs_of_unknown_threads_go_one_by_one() {
        assert_eq!(threads(&trial(&[]), &|_| None), None);
    }

    #[test]
    fn the_trial_outranks_what_is_inherited() {
        let inherited = |_: &str| Some("8".to_owned());
        assert_eq!(threads(&trial(&[("OMP_NUM_THREADS", Some("1"))]), &inherited), Some(1));
        assert_eq!(threads(&trial(&[]), &inherited), Some(8));
        let removed = trial(&[("OMP_NUM_THREADS", None), ("RAYON_NUM_THREADS", None)]);
        assert_eq!(threads(&removed, &inherited), None);
    }

    #[test]
    fn single_threaded_runs_fill_the_cores_and_no_more() {
        let hidden = ("CUDA_VISIBLE_DEVICES", Some(""));
        let trials = vec![trial(&[("OMP_NUM_THREADS", Some("1")), hidden]); 1000];
        let most = default_jobs(&trials);
        assert!((1..=available_parallelism().map_or(1, NonZero::get)).contains(&most), "{most}");
        let wide = vec![trial(&[("OMP_NUM_THREADS", Some("100000")), hidden]); 4];
        assert_eq!(default_jobs(&wide), 1);
        assert!(sharing(&wide, 2).is_some());
        assert!(sharing(&wide, 1).is_none());
    }

    #[test]
    fn memory_holds_back_what_cores_would_allow() {
        assert_eq!(fitting(16, 2, None), 8);
        assert_eq!(fitting(16, 2, Some(64 << 30)), 8);
        assert_eq!(fitting(16, 2, Some((3 << 30) + 5)), 3);
        assert_eq!(fitting(16, 2, Some(1000)), 0, "the caller starts one all the same");
    }

    #[test]
    fn free_memory_is_read_as_the_kernel_writes_it() {
        let text = "MemTotal:       24597784 kB\nMemFree:         512 kB\nMemAvailable:   18563412 kB\n";
        assert_eq!(available(text), Some(18_563_412 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }

    fn trial(environment: &[(&str, Option<&str>)]) -> Trial {
        let environment =
            environment.iter().map(|(name, value)| (name.to_string(), value.map(str::to_owned))).collect();
        Trial {
            run: "r1".to_owned(),
            treatment: "reference".to_owned(),
            replicate: 1,
            settings: Default::default(),
            launch: Launch { environment, ..Default::default() },
        }
    }
}
