//! Jobs of several ranks: each rank's own series, and the first rank and step at which runs part.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn report(output: &Output) -> (i32, Value) {
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {said}"));
    (output.status.code().unwrap(), report)
}

/// Audits two runs of a job of two ranks that talk over gloo.
fn gloo(flags: &[&str]) -> Option<(i32, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    if !python.exists() {
        eprintln!("skipped: there is no .venv; scripts/setup makes it");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
    command.args(["run", "--times", "2", "--no-blame", "--format", "json", "--timeout", "120s", "--"]).arg(python);
    command.args(["-m", "torch.distributed.run", "--nproc-per-node", "2"]);
    command.args(["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]);
    command.arg(root.join("fixtures/jobs/two_ranks.py")).args(flags).env("OMP_NUM_THREADS", "1");
    command.env("TMPDIR", folder.path());
    Some(report(&command.current_dir(folder.path()).output().unwrap()))
}

#[test]
fn a_seed_that_is_missing_in_rank_one_only_is_found_as_rank_one_at_step_zero() {
    let Some((code, report)) = gloo(&["--unseeded-rank", "1"]) else { return };
    assert_eq!(code, 1, "{report:#}");
    let divergence = &report["divergence"];
    assert_eq!((&divergence["rank"], &divergence["step"]), (&Value::from(1), &Value::from(0)), "{report:#}");
    // The others follow one step later, through the gradient.
    let later = report["also_diverged"].as_array().unwrap();
    assert!(later.iter().any(|one| one["rank"] == 0 && one["step"] == 1), "{report:#}");
}

#[test]
fn seeded_ranks_agree_and_each_one_is_compared() {
    let Some((code, report)) = gloo(&[]) else { return };
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["reason"], "all 12 points compared are equal", "six steps of two ranks");
}

#[test]
fn ranks_that_print_nothing_are_compared_by_the_losses_inside() {
    let Some((code, report)) = gloo(&["--silent", "--unseeded-rank", "1"]) else { return };
    let divergence = &report["divergence"];
    assert_eq!((code, &divergence["rank"], &divergence["step"]), (1, &1.into(), &0.into()), "{report:#}");
    assert_eq!(report["resolution"]["source"], "exact", "{report:#}");
    assert!(report["warnings"].to_string().contains("read from inside"), "{report:#}");
}

/// A job that prints lines of two ranks on one console, with another loss of rank 1 every time.
fn console(prefixes: [&str; 2]) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let job = format!(
        "for i in 0 1 2 3 4; do echo '{}step '$i' loss 0.'$i; echo '{}step '$i' loss 1.'$((i < 3 ? i : i * $$)); done",
        prefixes[0], prefixes[1]
    );
    fs::write(folder.path().join("job.sh"), job).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
    command.args(["run", "--times", "2", "--no-blame", "--no-shim", "--format", "json", "--", "sh", "job.sh"]);
    report(&command.current_dir(folder.path()).output().unwrap())
}

#[test]
fn rank_prefixes_on_a_console_give_a_series_each_and_a_warning() {
    for prefixes in [["[default0]:", "[default1]:"], ["[rank0]: ", "[rank1]: "], ["0: ", "1: "]] {
        let (code, report) = console(prefixes);
        assert_eq!(code, 1, "{prefixes:?} {report:#}");
        let divergence = &report["divergence"];
        assert_eq!(
            (&divergence["rank"], &divergence["step"]),
            (&Value::from(1), &Value::from(3)),
            "{prefixes:?} {report:#}"
        );
        assert!(report["warnings"].to_string().contains("one console"), "{prefixes:?} {report:#}");
    }
}
