//! The layers hold: a stage uses `model` and `error` only, and nothing imports upwards.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

use std::fs;
use std::path::{Path, PathBuf};

const STAGES: &[&str] = &["plan", "execute", "parse", "compare", "blame", "gate", "report", "record", "probe"];

/// Every Rust file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The top-level modules of this crate that a file names as `crate::…`.
fn uses(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let names = code.match_indices("crate::").map(|(at, found)| &code[at + found.len()..]);
    names.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

/// Fails where a file below `folder` uses a module that is not allowed.
fn check(folder: &str, allowed: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let found = files(&root);
    assert!(!found.is_empty(), "{folder} has no files");
    for file in found {
        for used in uses(&file) {
            assert!(allowed.contains(&used.as_str()), "{} uses {used}", file.display());
        }
    }
}

#[test]
fn the_model_knows_nothing_of_the_outside() {
    check("model", &["model"]);
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model")) {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().take_while(|line| !line.contains("#[cfg(test)]")) {
            let outside = line
                .strip_prefix("use ")
                .is_some_and(|rest| !["std::", "super::", "crate::model"].iter().any(|own| rest.starts_with(own)));
            assert!(!outside, "{}: {line}", file.display());
        }
    }
}

#[test]
fn stages_do_not_use_one_another() {
    for stage in STAGES {
        check(stage, &["model", "error", stage]);
    }
}

#[test]
fn only_the_command_line_lives_above_the_stages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert_eq!(uses(&root.join("error.rs")), Vec::<String>::new());
    for file in files(&root.join("command")) {
        assert!(!uses(&file).contains(&"main".to_owned()));
    }
}

#[test]
fn clap_is_named_on_the_command_line_only_and_tokio_in_execute_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (dependency, homes) in [
        ("clap", &["cli", "command"][..]),
        ("tokio", &["execute"]),
        ("comfy_table", &["report"]),
        (" tch", &["probe/operations"]),
    ] {
        for file in files(&root) {
            let home = homes.iter().any(|home| file.starts_with(root.join(home)));
            let named = fs::read_to_string(&file).unwrap().contains(&format!("{dependency}::"));
            assert!(home || !named, "{} names {dependency}", file.display());
        }
    }
}
