//! `repro-audit probe` on this machine's own libtorch: a few operations, a few calls.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the probe with a cache of its own.
fn probe(cache: &Path, flags: &[&str]) -> Output {
    // Naming the program makes cargo build it.
    assert!(Path::new(env!("CARGO_BIN_EXE_repro-audit-operations")).is_file());
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
    command.args(["probe", "--quiet"]).args(flags).env("XDG_CACHE_HOME", cache).output().unwrap()
}

/// The exit code and the JSON answer, which must fit its schema.
fn answer(cache: &Path, flags: &[&str]) -> (i32, Value) {
    let output = probe(cache, &[flags, &["--format", "json"]].concat());
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{shown}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/probe.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::draft202012::options().build(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    (output.status.code().unwrap(), document)
}

/// Names of the operations that part, with their numbers of threads.
fn parting(answer: &Value) -> Vec<(String, u64)> {
    let checks = answer["checks"].as_array().unwrap().iter().filter(|check| check["repeats"] == false);
    checks.map(|check| (check["operation"].as_str().unwrap().to_owned(), check["threads"].as_u64().unwrap())).collect()
}

#[test]
fn accumulating_operations_part_with_two_threads_and_repeat_with_one() {
    let cache = tempfile::tempdir().unwrap();
    // Additions into few places from several threads; 40 calls leave chance no room on a busy machine.
    let flags = ["--device", "cpu", "--threads", "1,2", "--times", "40", "--only", "accumulate", "--dtype", "float32"];
    let (code, found) = answer(cache.path(), &flags);
    let parting = parting(&found);
    assert_eq!(code, 1, "{found}");
    assert!(parting.contains(&("index_put accumulate".to_owned(), 2)), "{parting:?}");
    assert!(parting.iter().all(|(_, threads)| *threads == 2), "{parting:?}");
    let kept: Vec<_> = fs::read_dir(cache.path().join("repro-audit/operations")).unwrap().collect();
    assert_eq!(kept.len(), 1, "the answer is kept for later audits");
}

#[test]
fn one_thread_repeats() {
    let cache = tempfile::tempdir().unwrap();
    let flags = ["--device", "cpu", "--threads", "1", "--times", "3", "--only", "index", "--size", "small"];
    let (code, found) = answer(cache.path(), &flags);
    assert_eq!((code, parting(&found)), (0, Vec::new()), "{found}");
    assert!(found["compared"].as_u64().unwrap() > 20);
}

#[test]
fn every_operation_of_the_catalogue_is_called() {
    let cache = tempfile::tempdir().unwrap();
    let flags = ["--device", "cpu", "--threads", "1", "--times", "2", "--dtype", "float32", "--size", "small"];
    let (_, found) = answer(cache.path(), &flags);
    // What a type or a gradient does not have is skipped by name; an operation whose call is wrong is skipped as a whole.
    let called = |what: &str| {
        let same = |check: &Value| what.starts_with(&format!("{} on cpu", check["operation"].as_str().unwrap()));
        found["checks"].as_array().unwrap().iter().any(same)
    };
    let never: Vec<&Value> =
        found["skipped"].as_array().unwrap().iter().filter(|skip| !called(skip["what"].as_str().unwrap())).collect();
    assert!(never.is_empty(), "{never:?}");
}

#[test]
fn an_operation_without_a_deterministic_form_refuses() {
    let cache = tempfile::tempdir().unwrap();
    let flags =
        ["--device", "cpu", "--threads", "1", "--times", "2", "--only", "put with duplicates", "--size", "small"];
    let (_, found) = answer(cache.path(), &flags);
    let checks = found["checks"].as_array().unwrap();
    let refuses = |check: &&Value| check["deterministic"]["outcome"] == "refuses";
    let refusing = checks.iter().find(refuses).unwrap_or_else(|| panic!("{found}"));
    assert!(refusing["deterministic"]["reason"].as_str().unwrap().contains("deterministic"));
}

#[test]
fn without_a_card_nothing_is_compared_on_one_and_the_code_says_so() {
    if Path::new("/dev/nvidiactl").exists() {
        return; // there is one
    }
    let cache = tempfile::tempdir().unwrap();
    let (code, found) = answer(cache.path(), &["--device", "cuda"]);
    assert_eq!((code, found["compared"].as_u64()), (3, Some(0)));
    assert_eq!(found["skipped"][0]["why"], "no CUDA device");
    assert!(found["reason"].as_str().unwrap().contains("no CUDA device"));
}

#[test]
fn a_name_that_no_operation_has_is_no_agreement() {
    let cache = tempfile::tempdir().unwrap();
    let (code, _) = answer(cache.path(), &["--device", "cpu", "--only", "no such operation"]);
    assert_eq!(code, 3);
}

#[test]
fn writes_a_page_and_a_table() {
    let cache = tempfile::tempdir().unwrap();
    let page = cache.path().join("operations.html");
    let output = probe(
        cache.path(),
        &[
            "--device",
            "cpu",
            "--threads",
            "1",
            "--times",
            "2",
            "--only",
            "cumsum",
            "--size",
            "small",
            "--output",
            &format!("html={}", page.display()),
        ],
    );
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("cumsum over columns"), "{table}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<td>cumsum over columns</td>"), "{page}");
}
