//! The files by which a run can be done again by hand.

use std::fmt::Write as _;
use std::path::Path;

use crate::model::{Trial, shell};

/// The shell file that sets what the audit set.
pub fn variables(trial: &Trial) -> String {
    let mut text = String::from("# What the audit set on top of the environment it was started in.\n");
    for (name, value) in &trial.launch.environment {
        let line = match value {
            _ if !is_shell_name(name) => continue,
            Some(value) => format!("export {name}={}\n", shell(value)),
            None => format!("unset {name}\n"),
        };
        text.push_str(&line);
    }
    text
}

/// The shell file that does the run again, in the folder it ran in. `folder` is the audit's own, for runs without one.
pub fn command(trial: &Trial, folder: &Path) -> String {
    let own = trial.launch.own_folder();
    let folder = trial.launch.folder.as_deref().filter(|_| own.is_none()).unwrap_or(folder).to_string_lossy();
    let mut text = String::from("#!/bin/sh\n");
    // Ids are plain; a treatment's may hold anything but must not end the comment.
    let treatment = trial.treatment.replace(|c: char| c.is_control(), " ");
    let _ = writeln!(
        text,
        "# Run {}: treatment {treatment}, repeat {}. Does it again by hand.",
        trial.run, trial.replicate
    );
    if own.is_some() {
        text.push_str("# It had a working folder of its own, without what earlier runs had left, which is gone.\n");
    }
    text.push_str("here=$(CDPATH= cd -- \"$(dirname -- \"$0\")\" && pwd) || exit\n");
    text.push_str(". \"$here/repro-audit.env\"\n");
    let _ = writeln!(text, "cd -- {} || exit", shell(&folder));
    text.push_str("exec");
    let odd: Vec<_> = trial.launch.environment.iter().filter(|(name, _)| !is_shell_name(name)).collect();
    if !odd.is_empty() {
        text.push_str(" env");
        for (name, value) in odd {
            match value {
                Some(value) => text.push_str(&format!(" {}", shell(&format!("{name}={value}")))),
                None => text.push_str(&format!(" -u {}", shell(name))),
            }
        }
    }
    for word in &trial.launch.command {
        text.push(' ');
        text.push_str(&shell(word));
    }
    text.push('\n');
    text
}

fn is_shell_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Launch;
    use std::process::Command;

    #[test]
    fn any_word_comes_back_from_the_shell_unchanged() {
        for word in
            ["", "a", "a b", "it's", "$HOME", "`id`", "a\nb", "\\", "*", "--lr=1e-3", "{x}", "\"", "!", "é", "~"]
        {
            let output = Command::new("sh").arg("-c").arg(format!("printf %s {}", shell(word))).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn the_script_does_the_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let environment = [("SEED", Some("it's 7")), ("GONE", None), ("odd-name", Some("x y"))];
        let mut trial = Trial {
            run: "r1".to_owned(),
            treatment: "lr=1\nrm -rf".to_owned(),
            replicate: 1,
            settings: Default::default(),
            launch: Launch {
                command: ["sh", "-c", "pwd; echo $SEED ${GONE-gone}; echo \"$1\"", "sh", "a  b"]
                    .map(str::to_owned)
                    .to_vec(),
                environment: environment.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).into(),
                ..Default::default()
            },
        };
        let done_again = |trial: &Trial| {
            let script = folder.path().join("command.sh");
            std::fs::write(&script, command(trial, Path::new("/tmp"))).unwrap();
            std::fs::write(folder.path().join("repro-audit.env"), variables(trial)).unwrap();
            let output = Command::new("sh").arg(script).env("GONE", "here").current_dir("/").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(done_again(&trial), "/tmp\nit's 7 gone\na  b\n");
        // A shell drops such a variable, so it is given to the job behind the shell's back.
        trial.launch.command = ["printenv", "odd-name"].map(str::to_owned).to_vec();
        assert_eq!(done_again(&trial), "x y\n");
    }
}
