//! The committed documentation of each family equals what its list generates.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the documentation has failed")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// What the binary prints.
fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_repro-audit")).args(arguments).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_table_of_settings_is_the_catalogues() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let generated = printed(&["settings", "--format", "markdown"]);
    assert!(
        fs::read_to_string(path).unwrap() == generated,
        "docs/settings.md is stale: `cargo run -- settings --format markdown > docs/settings.md`"
    );
}

#[test]
fn every_log_format_is_described() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md")).unwrap();
    for format in repro_audit::parse::FORMATS {
        assert!(text.contains(format.id()), "docs/formats.md says nothing of {}", format.id());
    }
}

#[test]
fn every_report_format_has_a_name_of_its_own_and_a_description() {
    let mut ids: Vec<&str> = repro_audit::report::FORMATS.iter().map(|format| format.id()).collect();
    assert!(repro_audit::report::FORMATS.iter().all(|format| !format.describe().is_empty()));
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn every_executor_is_listed_once() {
    let ids: Vec<&str> = repro_audit::execute::EXECUTORS.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, ["local", "slurm", "replay", "scripted"]);
}
