//! Treatments and repeats to trials.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::{Launch, Treatment, Trial};

use super::Applied;

/// What all trials of an audit share.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Variables set for every run, before those of a treatment.
    pub environment: BTreeMap<String, String>,
    /// Longest time of one run.
    pub timeout: Option<Duration>,
    /// Folder in which each run gets its own.
    pub runs: PathBuf,
}

/// The trials of one treatment: `repeats` of them, numbered on from `first` (the first run of an audit is 1).
pub fn trials(job: &Job, treatment: &Treatment, applied: &Applied, repeats: u32, first: usize) -> Vec<Trial> {
    let mut environment: BTreeMap<String, Option<String>> =
        job.environment.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    environment.extend(applied.environment.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
    (1..=repeats)
        .zip(first..)
        .map(|(replicate, number)| {
            let run = format!("r{number}");
            Trial {
                treatment: treatment.id.clone(),
                replicate,
                settings: treatment.settings.clone(),
                launch: Launch {
                    command: applied.command.clone(),
                    environment: environment.clone(),
                    folder: applied.own_folder.then(|| run_folder(&job.runs, &run).join(Launch::OWN_FOLDER)),
                    record: run_folder(&job.runs, &run),
                    timeout: job.timeout,
                    flight: None,
                },
                run,
            }
        })
        .collect()
}

/// Where a run's files go.
fn run_folder(runs: &Path, run: &str) -> PathBuf {
    runs.join(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Design, treatments};

    #[test]
    fn numbers_runs_across_treatments() {
        let treatment = &treatments(&[], &[], Design::OneAtATime)[0];
        let job = Job { runs: "runs".into(), ..Job::default() };
        let ids: Vec<String> = trials(&job, treatment, &Applied::default(), 2, 4).into_iter().map(|t| t.run).collect();
        assert_eq!(ids, ["r4", "r5"]);
    }
}
