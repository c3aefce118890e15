//! The compiled reference job under the audit: what it claims about itself is what the audit finds.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::path::PathBuf;
use std::process::Command;

/// The example, which cargo builds beside the tests: `target/<profile>/examples/train`.
fn train() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/train")
}

/// Audits three runs of the example and gives the exit code.
fn audit(flags: &[&str]) -> i32 {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
    command.args(["run", "--times", "3", "--no-blame", "--quiet", "--"]).arg(train()).args(flags);
    let output = command.current_dir(folder.path()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    output.status.code().unwrap_or_else(|| panic!("{shown}"))
}

#[test]
fn a_seeded_compiled_job_repeats() {
    assert_eq!(audit(&["--seed", "1", "--steps", "12"]), 0);
}

#[test]
fn an_unseeded_compiled_job_parts() {
    assert_eq!(audit(&["--steps", "12"]), 1);
}

#[test]
fn a_compiled_job_whose_loader_threads_race_parts() {
    assert_eq!(audit(&["--seed", "1", "--num-workers", "4", "--race", "--steps", "40"]), 1);
}
