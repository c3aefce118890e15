//! What `sbatch` is told: one array for each round, the settings in files and never on its command line.

use std::path::Path;
use std::time::Duration;

use super::files::{Intent, SHARED};
use crate::error::{Error, Result};
use crate::model::shell;

/// Slurm numbers the tasks of an array from 0 to 1000 unless a site says otherwise.
pub const MOST_TASKS: usize = 1000;

/// How much longer than our own time limit Slurm's is, so that it is ours that ends a run.
const MARGIN_MINUTES: u64 = 2;

/// What is asked of Slurm for every submission of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// How many runs go side by side; `None` for as many as there is room for.
    pub jobs: Option<usize>,
    /// Longest time of one run.
    pub timeout: Option<Duration>,
    /// Cores of each run, the same for all.
    pub cores: Option<usize>,
    /// What else the user wants `sbatch` to be told.
    pub arguments: Vec<String>,
}

/// Options that would take a submission out of our hands.
const OURS: &[&str] =
    &["--array", "-a", "--job-name", "-J", "--parsable", "--wait", "-W", "--wrap", "--quiet", "-Q", "--export"];

impl Ask {
    /// Refuses arguments that we have to give ourselves.
    ///
    /// # Errors
    /// Names the argument.
    pub fn check(&self) -> Result<()> {
        // `-J7` is `-J 7`.
        let name = |argument: &String| match argument.as_bytes() {
            [b'-', letter, ..] if *letter != b'-' => format!("-{}", char::from(*letter)),
            _ => argument.split('=').next().unwrap_or_default().to_owned(),
        };
        let taken = self.arguments.iter().map(name).find(|name| OURS.contains(&name.as_str()));
        match taken {
            Some(name) => Err(Error::Misuse(format!("--slurm-arg {name}: repro-audit gives this option itself"))),
            None => Ok(()),
        }
    }

    /// The arguments of `sbatch` for a submission in `folder`.
    pub fn arguments(&self, intent: &Intent, folder: &Path) -> Vec<String> {
        let last = intent.members.len().saturating_sub(1);
        let together = self.jobs.map(|jobs| format!("%{}", jobs.max(1))).unwrap_or_default();
        let mut arguments = vec![
            "--parsable".to_owned(),
            "--requeue".to_owned(),
            "--open-mode=append".to_owned(),
            format!("--job-name={}", intent.name),
            format!("--array=0-{last}{together}"),
            format!("--output={}", folder.join("slurm-%A_%a.out").display()),
            format!("--chdir={}", folder.display()),
        ];
        if let Some(timeout) = self.timeout {
            arguments.push(format!("--time={}", timeout.as_secs().div_ceil(60) + MARGIN_MINUTES));
        }
        if let Some(cores) = self.cores {
            arguments.push(format!("--cpus-per-task={cores}"));
        }
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }
}

/// The script that every task runs. Slurm copies it, so it may go when it is submitted.
pub fn script(audit: &Path, folder: &Path) -> String {
    let runner = audit.join(SHARED).join("bin/repro-audit");
    let quoted = |path: &Path| shell(&path.display().to_string());
    // An inner `srun` would take the variable for its own and lose PATH.
    format!("#!/bin/sh\nunset SLURM_EXPORT_ENV\nexec {} exec-trial {}\n", quoted(&runner), quoted(folder))
}

/// What a submission of `tasks` runs would look like, as a shell takes it; the name is given when it is made.
pub fn shown(ask: &Ask, audit: &Path, tasks: usize) -> Vec<String> {
    let mut intent = Intent::new("ra-NAME".to_owned(), 1, &[]);
    let member = |index: usize| super::files::Member { run: format!("r{}", index + 1), folder: audit.join("runs") };
    intent.members = (0..tasks).map(member).collect();
    let folder = audit.join(SHARED).join(intent.folder());
    let words = ask.arguments(&intent, &folder).into_iter().map(|word| shell(&word));
    let command = ["sbatch".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ");
    let script = script(audit, &folder);
    [format!("{command} <<'EOF'")]
        .into_iter()
        .chain(script.lines().map(str::to_owned))
        .chain(["EOF".to_owned()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(tasks: usize) -> Intent {
        let member = |index| super::super::files::Member { run: format!("r{index}"), folder: "/r".into() };
        let mut intent = Intent::new("ra-7".to_owned(), 3, &[]);
        intent.members = (1..=tasks).map(member).collect();
        intent
    }

    #[test]
    fn the_user_has_the_last_word_and_settings_never_travel_on_the_command_line() {
        let ask =
            Ask { jobs: Some(2), cores: Some(4), arguments: vec!["--partition=high".to_owned()], ..Ask::default() };
        let arguments = ask.arguments(&intent(3), Path::new("/shared/audit/slurm/3-ra-7"));
        assert!(arguments.contains(&"--array=0-2%2".to_owned()) && arguments.contains(&"--cpus-per-task=4".to_owned()));
        assert_eq!(arguments.last().unwrap(), "--partition=high");
        assert!(!arguments.iter().any(|argument| argument.contains("--export") || argument.starts_with("--time")));
    }

    #[test]
    fn slurms_time_limit_is_later_than_ours() {
        for (seconds, minutes) in [(1, 3), (60, 3), (61, 4), (3600, 62)] {
            let ask = Ask { timeout: Some(Duration::from_secs(seconds)), ..Ask::default() };
            assert!(ask.arguments(&intent(1), Path::new("/f")).contains(&format!("--time={minutes}")), "{seconds}");
        }
    }

    #[test]
    fn an_option_that_is_ours_is_refused_by_name() {
        for argument in ["--array=0-9", "-J", "-Jmine", "-a0-9", "--wait", "--export=ALL"] {
            let ask = Ask { arguments: vec![argument.to_owned()], ..Ask::default() };
            assert!(ask.check().is_err(), "{argument}");
        }
        assert!(Ask { arguments: vec!["--gres=gpu:1".to_owned()], ..Ask::default() }.check().is_ok());
    }

    #[test]
    fn a_folder_with_a_quote_survives_the_script() {
        let script = script(Path::new("/a b/it's"), Path::new("/a b/it's/slurm/1-x"));
        assert!(script.ends_with("exec '/a b/it'\\''s/slurm/bin/repro-audit' exec-trial '/a b/it'\\''s/slurm/1-x'\n"));
    }
}
