//! `repro-audit resume` on real jobs: what the checkpoint forgot is named, and complete checkpoints are acquitted.
#![expect(clippy::unwrap_used, reason = "a test that cannot run its job has failed")]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Audits a job of the faults' folder; `{c}` in its arguments is the checkpoint. Gives the exit code and the report.
fn audit(job: &str, before: &[&str], after: &[&str]) -> Option<(i32, Value)> {
    let python = support::python::with_torch()?;
    let scratch = tempfile::tempdir().unwrap();
    let checkpoint = scratch.path().join("c.pt");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/faults/jobs").join(job);
    let fill = |word: &&str| {
        let word = word.replace("{job}", &format!("{} {}", python.display(), script.display()));
        word.replace("{c}", &checkpoint.display().to_string())
    };
    let done = Command::new(env!("CARGO_BIN_EXE_repro-audit"))
        .args(["resume", "--format", "json", "--quiet"])
        .args(before.iter().map(fill))
        .args(if after.is_empty() {
            vec![]
        } else {
            vec!["--".to_owned(), python.display().to_string(), script.display().to_string()]
        })
        .args(after.iter().map(fill))
        .env("OMP_NUM_THREADS", "1")
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let told = report(&done);
    assert!(told.1["environment"]["torch"].is_string(), "{:#}", told.1);
    tells_the_same_again(scratch.path(), &told);
    Some(told)
}

fn report(done: &Output) -> (i32, Value) {
    let said = || String::from_utf8_lossy(&done.stderr);
    let report = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", said()));
    (done.status.code().unwrap(), report)
}

/// The record of an audit, rendered again, says what the audit said.
fn tells_the_same_again(folder: &Path, (code, told): &(i32, Value)) {
    // As it was answered, and compared anew by the same rule.
    for asked in [[].as_slice(), &["--tolerance", "exact"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
        command.args(["report", ".repro-audit/latest", "--format", "json"]).args(asked).current_dir(folder);
        let (again_code, again) = report(&command.output().unwrap());
        assert_eq!(again_code, *code, "{again:#}");
        for part in ["command", "verdict", "picture", "blame", "runs", "not_checked", "environment"] {
            assert_eq!(again[part], told[part], "{part}");
        }
        let at = |report: &Value| (report["divergence"]["step"].clone(), report["divergence"]["values"].clone());
        assert_eq!(at(&again), at(told));
    }
}

/// The causes with their grades.
fn causes(report: &Value) -> Vec<String> {
    let causes = report["blame"]["causes"].as_array().cloned().unwrap_or_default();
    causes
        .iter()
        .map(|cause| format!("{} {}", cause["id"].as_str().unwrap(), cause["grade"].as_str().unwrap()))
        .collect()
}

#[test]
fn proves_that_generator_states_are_missing_after_a_kill_in_mid_epoch() {
    let first = ["--interrupt", "step=23", "--resume-args", "--resume {c}"];
    let job = ["--save", "optimizer,scheduler", "--ckpt", "{c}"];
    let Some((code, report)) = audit("resume_gru.py", &first, &job) else { return };
    assert_eq!((code, causes(&report)), (1, vec!["resume.rng proved".to_owned()]), "{report:#}");
    assert_eq!(report["divergence"]["step"], 1);
    assert_eq!(report["divergence"]["epoch"], 3);
}

#[test]
fn proves_that_a_kept_state_was_not_copied() {
    let lines = ["--straight", "{job} --ckpt {c}", "--resumed", "{job} --resume {c}"];
    let Some((code, report)) = audit("resume_best.py", &lines, &[]) else { return };
    assert_eq!((code, causes(&report)), (1, vec!["alias.state_dict proved".to_owned()]), "{report:#}");
}

#[test]
fn acquits_a_checkpoint_that_lacks_only_what_nothing_needs() {
    let lines =
        ["--straight", "{job}", "--first", "{job} --stop-after 2 --ckpt {c}", "--resumed", "{job} --resume {c}"];
    let Some((code, report)) = audit("resume_plain.py", &lines, &[]) else { return };
    assert_eq!((code, report["verdict"].as_str()), (0, Some("agreed")), "{report:#}");
    assert_eq!(report["runs"].as_array().map(Vec::len), Some(4));
}

/// Whether the Python of the tests has a package; said aloud where it has not.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has(package: &str) -> bool {
    let question = format!("import importlib.util, sys; sys.exit(importlib.util.find_spec('{package}') is None)");
    let asked = support::python::with_torch().map(|python| Command::new(python).args(["-c", &question]).output());
    let has = asked.and_then(Result::ok).is_some_and(|asked| asked.status.success());
    if !has {
        eprintln!("skipped: the Python of the tests has no {package}");
    }
    has
}

#[test]
fn the_trainer_of_transformers_killed_in_mid_epoch_resumes_exactly() {
    if !has("transformers") {
        return;
    }
    let first = ["--interrupt", "step=23", "--signal", "KILL", "--resume-args=--resume"];
    let Some((code, report)) = audit("resume_trainer.py", &first, &["--output-dir", "{checkpoints}"]) else { return };
    assert_eq!((code, report["verdict"].as_str()), (0, Some("agreed")), "{report:#}");
    assert_eq!(report["runs"][2]["signal"], 9);
    assert_eq!(report["runs"][3]["points"], 16, "it goes on from the fourth checkpoint, eight batches into an epoch");
}

#[test]
fn a_lightning_trainer_killed_in_mid_epoch_resumes_exactly() {
    if !has("lightning") {
        return;
    }
    let first = ["--interrupt", "step=23", "--signal", "KILL", "--resume-args=--resume"];
    let Some((code, report)) = audit("resume_lightning.py", &first, &["--dir", "{checkpoints}"]) else { return };
    assert_eq!((code, report["verdict"].as_str()), (0, Some("agreed")), "{report:#}");
    assert_eq!((&report["runs"][2]["points"], &report["runs"][3]["points"]), (&23.into(), &16.into()));
}

#[test]
fn proves_two_forgotten_items_at_once() {
    let first = ["--interrupt", "step=10", "--resume-args=--resume {checkpoints}/c.pt"];
    let job = ["--epochs", "3", "--ckpt", "{checkpoints}/c.pt", "--forget", "buffers,numpy"];
    let Some((code, report)) = audit("resume_items.py", &first, &job) else { return };
    let mut found = causes(&report);
    found.sort();
    assert_eq!(
        (code, found),
        (1, vec!["resume.rng proved".to_owned(), "resume.state proved".to_owned()]),
        "{report:#}"
    );
}

#[test]
fn a_job_that_saves_everything_when_it_is_asked_to_end_is_acquitted() {
    let first = ["--interrupt", "step=5", "--signal", "INT", "--resume-args=--resume {checkpoints}/c.pt"];
    let job = ["--ckpt", "{checkpoints}/c.pt", "--save-gradients"];
    let Some((code, report)) = audit("resume_signal.py", &first, &job) else { return };
    assert_eq!((code, report["verdict"].as_str()), (0, Some("agreed")), "{report:#}");
}

#[test]
fn a_sweep_ends_the_job_at_every_point_and_acquits_it_at_each() {
    let sweep = ["--sweep", "--signal", "TERM", "--resume-args=--resume {checkpoints}/c.pt"];
    let job = ["--epochs", "3", "--ckpt", "{checkpoints}/c.pt"];
    let Some((code, report)) = audit("resume_items.py", &sweep, &job) else { return };
    assert_eq!((code, report["verdict"].as_str()), (0, Some("agreed")), "{report:#}");
    let runs = report["runs"].as_array().unwrap();
    let ended = runs.iter().filter(|run| run["signal"] == 15).map(|run| run["points"].as_u64().unwrap());
    // After the tenth step (one before was left out), at the first epoch's end, before the next step, after the first checkpoint.
    assert_eq!(ended.collect::<Vec<_>>(), [10, 8, 11, 8], "{report:#}");
    assert_eq!(runs.len(), 10);
    assert_eq!(report["not_checked"], serde_json::json!([]));
}

/// A job of ten steps without torch, which goes on from its file where `--resume` names it.
const COUNTING: &str = "\
import json, os, sys
words = sys.argv[1:]
stop = int(words[words.index('--stop') + 1]) if '--stop' in words else 10
start, x = 0, 1.0
if '--resume' in words and os.path.exists(words[-1]):
    start, x = json.load(open(words[-1]))
for step in range(start, stop):
    x *= 0.9
    print(f'step {step} loss {x:.6f}', flush=True)
if '--save' in words:
    json.dump([stop, x], open('c.json', 'w'))
";

#[test]
fn a_run_that_began_anew_is_not_taken_for_a_resumed_one() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("t.py"), COUNTING).unwrap();
    let audit = |first: &str, resumed: &str| {
        let _ = std::fs::remove_file(scratch.path().join("c.json"));
        let lines = ["--straight", "python3 t.py", "--first", first, "--resumed", resumed];
        let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
        command.args(["resume", "--format", "json", "--quiet"]).args(lines).current_dir(scratch.path());
        let told = report(&command.output().unwrap());
        tells_the_same_again(scratch.path(), &told);
        (told.0, told.1["reason"].as_str().unwrap().to_owned())
    };
    let save = "python3 t.py --stop 5 --save";
    assert_eq!(audit(save, "python3 t.py --resume c.json").0, 0);
    for (first, resumed) in [
        (save, "python3 t.py"),
        (save, "python3 t.py --resume d.json"),
        ("python3 t.py --stop 5", "python3 t.py --resume c.json"),
        ("python3 -c 'raise SystemExit(1)'", "python3 t.py --resume c.json"),
    ] {
        let (code, reason) = audit(first, resumed);
        assert_eq!(code, 3, "{first} {resumed}: {reason}");
        assert!(reason.starts_with("nothing was resumed"), "{reason}");
    }
}

#[test]
fn an_interruption_that_never_comes_is_unresolved() {
    let first = ["--interrupt", "step=500", "--resume-args=--resume {c}"];
    let Some((code, report)) = audit("resume_plain.py", &first, &["--ckpt", "{c}"]) else { return };
    assert_eq!((code, report["verdict"].as_str()), (3, Some("unresolved")), "{report:#}");
    assert!(report["reason"].as_str().unwrap().contains("never came to step 500"), "{report:#}");
}

/// Audits a job that goes on by itself from what it finds in the folder it is started in.
fn audit_of_one_that_goes_on(arguments: &[&str]) -> Option<(i32, Value)> {
    let python = support::python::with_torch()?;
    let folder = tempfile::tempdir().unwrap();
    let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/jobs/goes_on.py");
    std::fs::copy(job, folder.path().join("train.py")).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_repro-audit"))
        .args(["resume", "--format", "json", "--quiet", "--interrupt", "step=17", "--"])
        .arg(python)
        .arg("train.py")
        .args(arguments)
        .env("OMP_NUM_THREADS", "1")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = report(&done);
    tells_the_same_again(folder.path(), &told);
    Some(told)
}

#[test]
fn a_job_that_goes_on_from_what_it_finds_starts_from_nothing_and_from_what_the_interrupted_run_left() {
    let Some((code, report)) = audit_of_one_that_goes_on(&[]) else { return };
    assert_eq!((code, report["verdict"].as_str()), (0, Some("agreed")), "{report:#}");
    let points: Vec<u64> =
        report["runs"].as_array().unwrap().iter().map(|run| run["points"].as_u64().unwrap()).collect();
    assert_eq!(points, [40, 40, 16, 30], "it is ended before it prints the step");

    let (code, report) = audit_of_one_that_goes_on(&["--forget"]).unwrap();
    assert_eq!((code, causes(&report)), (1, vec!["resume.optimizer proved".to_owned()]), "{report:#}");
    assert_eq!(report["divergence"]["step"], 11);
}
