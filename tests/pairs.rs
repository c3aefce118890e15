//! `diff` of what trackers leave behind: folders that the trackers wrote themselves (`fixtures/pairs`: a and b repeat, in c the loss
//! of step 7 is 1e-6 higher), and two metric files of one run in different formats.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// The exit code and the report of a comparison.
fn diff(files: [&Path; 2]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
    let output = command.args(["diff", "--format", "json"]).args(files).output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

fn folder(tracker: &str, run: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pairs").join(tracker).join(run)
}

/// The two values at which a report says that its runs part.
fn texts(report: &Value) -> [&str; 2] {
    [0, 1].map(|side| report["divergence"]["values"][side]["text"].as_str().unwrap())
}

/// Compares run a with its repeat and with the run that parts; the texts of the loss of step 7 in a and in c are `parting`.
fn assert_told_apart(tracker: &str, metric: &str, points: u64, parting: [&str; 2]) {
    let [a, b, c] = ["a", "b", "c"].map(|run| folder(tracker, run));
    let (code, report) = diff([&a, &b]);
    assert_eq!((code, &report["reason"]), (0, &json!(format!("all {points} points compared are equal"))));
    let (code, report) = diff([&a, &c]);
    let divergence = &report["divergence"];
    assert_eq!((code, &divergence["metric"], &divergence["step"]), (1, &json!(metric), &json!(7)), "{report:#}");
    assert_eq!(texts(&report), parting);
}

#[test]
fn two_wandb_folders_are_told_apart_at_their_step() {
    assert_told_apart("wandb", "train/loss", 24, ["0.008253465194014547", "0.008254465194014547"]);
}

#[test]
fn two_mlflow_runs_are_told_apart_at_their_step() {
    assert_told_apart("mlflow", "train_loss", 24, ["0.008253465194014547", "0.008254465194014547"]);
}

#[test]
fn two_event_folders_with_a_resumed_run_are_told_apart_at_their_step() {
    // Step 5 stands in both files of a folder, once before and once after the resumption.
    assert_told_apart("tensorboard", "loss/train", 26, ["0.00825346540659666", "0.008254465647041798"]);
}

/// Two logs of equal jobs under a name, and one in which a value is another one.
fn assert_parts(name: &str, points: u64, step: Value, parting: [&str; 2]) {
    let [a, b, c] = ["a.log", "b.log", "c.log"].map(|log| folder(name, log));
    let (code, report) = diff([&a, &b]);
    assert_eq!((code, &report["reason"]), (0, &json!(format!("all {points} points compared are equal"))), "{name}");
    let (code, report) = diff([&a, &c]);
    assert_eq!((code, &report["divergence"]["step"]), (1, &step), "{report:#}");
    assert_eq!(texts(&report), parting);
}

#[test]
fn a_bar_that_goes_on_by_the_clock_is_compared_at_every_step() {
    assert_parts("clock_bar", 120, json!(98), ["1.6504", "1.6514"]);
}

#[test]
fn what_is_printed_beside_a_bar_that_the_clock_draws_is_compared_by_order() {
    assert_parts("clock_print", 6, Value::Null, ["2.0500", "2.0501"]);
}

/// The losses of a run, with values that the two formats spell differently.
fn losses() -> Vec<f64> {
    let mut losses: Vec<f64> = (0..40).map(|step| 2.5 / f64::from(step + 1)).collect();
    (losses[20], losses[30]) = (1.25e-5, f64::NAN);
    losses
}

/// A CSV as Python's `csv` writes it, semicolons, an empty cell and all.
fn csv(losses: &[f64]) -> String {
    let row = |(step, loss): (usize, &f64)| match loss.is_nan() {
        true => format!("{step};;nan;0.001\n"),
        false => format!("{step};{};{loss};0.001\n", if step % 10 == 0 { "0.5" } else { "" }),
    };
    "step;val_acc;loss;lr\n".to_owned() + &losses.iter().enumerate().map(row).collect::<String>()
}

/// JSON lines with the keys in another order, exponents and the token of `json.dumps` for NaN.
fn lines(losses: &[f64]) -> String {
    let row = |(step, loss): (usize, &f64)| {
        let loss = if loss.is_nan() { "NaN".to_owned() } else { format!("{loss:e}") };
        let accuracy = if step % 10 == 0 && step != 30 { ", \"val_acc\": 0.5" } else { "" };
        format!("{{\"lr\": 0.001, \"loss\": {loss}{accuracy}, \"step\": {step}}}\n")
    };
    losses.iter().enumerate().map(row).collect()
}

#[test]
fn a_csv_and_json_lines_of_one_run_are_told_apart_at_their_step() {
    let folder = tempfile::tempdir().unwrap();
    let [table, objects] = ["metrics.csv", "metrics.jsonl"].map(|name| folder.path().join(name));
    fs::write(&table, csv(&losses())).unwrap();
    fs::write(&objects, lines(&losses())).unwrap();
    let (code, report) = diff([&table, &objects]);
    // 40 losses, 40 learning rates and three accuracies.
    assert_eq!((code, &report["reason"]), (0, &json!("all 83 points compared are equal")));
    for (step, changed) in [(17, 0.25), (30, 0.5), (39, f64::INFINITY)] {
        let mut other = losses();
        other[step] = changed;
        let infinite = if changed.is_infinite() { "Infinity" } else { "inf" };
        fs::write(&objects, lines(&other).replace("inf", infinite)).unwrap();
        let (code, report) = diff([&table, &objects]);
        assert_eq!((code, &report["divergence"]["metric"]), (1, &json!("loss")), "{report:#}");
        assert_eq!(report["divergence"]["step"], json!(step), "{report:#}");
    }
}

#[test]
fn the_size_of_a_difference_names_the_precision_of_the_values() {
    let sizes = |tracker| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
        let output = command.arg("diff").args([folder(tracker, "a"), folder(tracker, "c")]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(sizes("tensorboard").contains("1074 ULP (f32)"));
    assert!(sizes("wandb").contains("576460752303 ULP (f64)"));
}

#[test]
fn a_log_with_more_names_than_are_kept_never_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, late: &str, loss: &str| {
        let path = folder.path().join(name);
        let names: String = (0..2100).map(|name| format!(", feature_{name}: 0.5")).collect();
        let line = |step| {
            format!(
                "{{\"step\": {step}, \"acc\": 0.5{}, \"late\": {late}, \"late_loss\": {loss}}}\n",
                names.replace("feature", "\"feature").replace(": 0.5", "\": 0.5")
            )
        };
        fs::write(&path, (0..3).map(line).collect::<String>()).unwrap();
        path
    };
    let [a, b, c] = [write("a", "0.1", "2.5"), write("b", "0.2", "2.5"), write("c", "0.1", "2.6")];
    let (code, report) = diff([&a, &b]);
    assert_eq!((code, &report["verdict"]), (3, &json!("unresolved")), "{report:#}");
    assert!(!report["warnings"].to_string().contains("printed twice"), "{:#}", report["warnings"]);
    let (code, report) = diff([&a, &c]);
    assert_eq!((code, &report["divergence"]["metric"]), (1, &json!("late_loss")));
}
