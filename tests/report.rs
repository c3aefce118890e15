//! Every report format on audits built in memory.

mod support;

use std::path::Path;

use repro_audit::model::{Audit, Candidate, Environment, Levels, Need, Point, Reach, ReadBack, Reading, Role, Series};
use repro_audit::model::{Level, Setting, SettingId};
use repro_audit::report::{self, FORMATS, Listing, Style};
use serde_json::Value;
use support::redact::redact;
use support::samples;

const PLAIN: Style = Style { color: false, width: Some(80) };
const WIDE: Style = Style { color: false, width: Some(140) };

fn write(format: &str, audit: &Audit, style: Style) -> String {
    let format = report::format(format).expect("the format is listed");
    let mut out = Vec::new();
    format.write(audit, style, &mut out).expect("writing to memory succeeds");
    String::from_utf8(out).expect("reports are UTF-8")
}

fn list(format: &str, listing: &Listing) -> String {
    let format = report::format(format).expect("the format is listed");
    let mut out = Vec::new();
    report::write_listing(format, listing, PLAIN, &mut out).expect("the format has listings").expect("memory");
    String::from_utf8(out).expect("reports are UTF-8")
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, redact(text));
    });
}

fn valid(schema: &str, document: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(schema);
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the schema is there")).expect("JSON");
    let validator = jsonschema::draft202012::options().build(&schema).expect("a valid schema");
    let document: Value = serde_json::from_str(document).expect("the report is JSON");
    let errors: Vec<String> =
        validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn every_format_looks_as_reviewed() {
    for (name, audit) in samples::all() {
        if ["unseeded", "agrees", "workers", "shorter"].contains(&name) {
            for format in FORMATS {
                snapshot(&format!("{}_{name}", format.id()), &write(format.id(), &audit, PLAIN));
            }
        }
    }
}

#[test]
fn the_table_fits_its_terminal_and_tells_what_it_hides() {
    for (name, audit) in samples::all() {
        if ["many_runs", "crashed", "not_a_number", "no_steps", "empty", "hostile"].contains(&name) {
            snapshot(&format!("table_{name}"), &write("table", &audit, PLAIN));
        }
    }
    let many = samples::many_runs();
    snapshot("table_many_runs_wide", &write("table", &many, WIDE));
    for (style, width) in [(PLAIN, 80), (WIDE, 140)] {
        for line in write("table", &many, style).lines() {
            assert!(line.chars().count() <= width, "wider than {width}: {line}");
        }
    }
}

#[test]
fn colours_come_only_when_asked_for_and_change_no_text() {
    for (name, audit) in samples::all() {
        let plain = write("table", &audit, PLAIN);
        assert!(!plain.contains('\x1b'), "{name}");
        let coloured = write("table", &audit, Style { color: true, ..PLAIN });
        let codes = regex::Regex::new("\x1b\\[[0-9;]*m").expect("constant");
        assert_eq!(codes.replace_all(&coloured, ""), plain, "{name}");
    }
}

#[test]
fn every_json_report_keeps_to_its_schema_and_is_one_document() {
    for (name, audit) in samples::all() {
        println!("{name}");
        let text = write("json", &audit, PLAIN);
        assert!(text.ends_with("}\n"));
        valid("report.schema.json", &text);
    }
    for command in ["run", "diff", "gate", "resume"] {
        valid("report.schema.json", &write("json", &samples::empty(command), PLAIN));
    }
}

#[test]
fn numbers_that_json_lacks_are_strings() {
    let audit = samples::not_a_number();
    let report: Value = serde_json::from_str(&write("json", &audit, PLAIN)).expect("JSON");
    assert_eq!(report["divergence"]["kind"], "nan");
    assert_eq!(report["divergence"]["values"][1]["value"], "nan");
    assert_eq!(report["divergence"]["absolute"], Value::Null);
}

#[test]
fn json_keeps_hostile_text_as_it_was_and_shows_no_control_character() {
    let audit = samples::hostile();
    let text = write("json", &audit, PLAIN);
    assert!(text.chars().all(|c| c == '\n' || !report::untrusted::is_hidden(c)));
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["reason"], audit.reason);
    assert_eq!(report["runs"][0]["last_words"][0], samples::ATTACKS[0]);
}

#[test]
fn csv_has_one_line_per_step_of_every_run() {
    let audit = samples::unseeded();
    let text = write("csv", &audit, PLAIN);
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(
        csv.headers().expect("a head"),
        vec!["step", "epoch", "r1", "r2", "r3", "difference", "first_divergence"]
    );
    let records: Vec<csv::StringRecord> = csv.records().map(|record| record.expect("a record")).collect();
    assert_eq!(records.len(), 60);
    assert_eq!(&records[0][2], "2.304123");
    assert_eq!(records.iter().filter(|record| &record[6] == "true").count(), 1);
}

fn reading() -> Reading {
    let mut loss = Series::new("Loss", Role::TrainingLoss);
    loss.points = vec![Point::printed(0, "2.304123", 4), Point::printed(10, "nan", 5)];
    let mut rate = Series::new("lr", Role::Schedule);
    rate.points = vec![Point::printed(0, "1e-3", 4)];
    rate.sampled = true;
    Reading {
        format: "pytorch-example".to_owned(),
        encoding: "utf-8".to_owned(),
        series: vec![loss, rate, Series::new("val|acc", Role::Other)],
        primary: Some(0),
        noise: vec!["time".to_owned(), "img/s".to_owned()],
        warnings: vec!["3 lines were no valid UTF-8".to_owned()],
        candidates: vec![
            Candidate { format: "pytorch-example".to_owned(), score: 0.97, why: "938 lines of this form".to_owned() },
            Candidate { format: "key-value".to_owned(), score: 0.4, why: "has no step".to_owned() },
        ],
    }
}

#[test]
fn inspect_shows_why_a_reading_was_chosen() {
    let (good, none) = (reading(), Reading::nothing("binary", "looks like an image"));
    let listing = report::inspect([(Path::new("logs/a.log"), &good), (Path::new("b.png"), &none)]);
    for format in ["table", "json", "csv", "markdown"] {
        snapshot(&format!("{format}_inspect"), &list(format, &listing));
    }
    valid("inspect.schema.json", &list("json", &listing));
}

#[test]
fn the_settings_are_listed_with_how_they_are_applied_and_read_back() {
    let variable = |name: &str| (name.to_owned(), "{level}".to_owned());
    let settings = [
        Setting {
            id: SettingId::new("num_workers"),
            aliases: vec!["dataloader.num_workers".to_owned()],
            summary: "worker processes of the loader".to_owned(),
            levels: Levels::Number(0),
            needs: vec![Need::Python, Need::Torch],
            reach: vec![
                Reach::Placeholder("num_workers".to_owned()),
                Reach::Flag(vec!["--num-workers".to_owned(), "--workers".to_owned()]),
                Reach::Shim,
            ],
            read_back: ReadBack::Shim,
            hold: Some(Level::new("0")),
            cures: vec!["dataloader.num_workers".to_owned()],
            cost: "loading no longer overlaps with training".to_owned(),
        },
        Setting {
            id: SettingId::new("threads"),
            aliases: Vec::new(),
            summary: "threads of numeric libraries".to_owned(),
            levels: Levels::Number(1),
            needs: Vec::new(),
            reach: vec![Reach::Environment(vec![(
                "*".to_owned(),
                ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB"].map(variable).to_vec(),
            )])],
            read_back: ReadBack::Environment,
            hold: Some(Level::new("1")),
            cures: vec!["race".to_owned(), "threads".to_owned()],
            cost: "a step takes longer".to_owned(),
        },
    ];
    let listing = report::settings(&settings);
    for format in ["table", "json", "csv", "markdown"] {
        snapshot(&format!("{format}_settings"), &list(format, &listing));
    }
}

#[test]
fn environments_are_listed_or_only_their_differences() {
    let facts = |facts: &[(&str, &str)]| Environment {
        facts: facts.iter().map(|(name, fact)| ((*name).to_owned(), (*fact).to_owned())).collect(),
    };
    let a = facts(&[("os", "Linux 6.8"), ("python", "3.11.9"), ("torch", "2.9.1+cpu"), ("card.0", "H200")]);
    let b = facts(&[("os", "Linux 6.8"), ("python", "3.12.1"), ("torch", "2.13.0+cpu"), ("env.TZ", "UTC")]);
    let both = report::environment_differences(["a", "b"], [&a, &b]);
    let same = report::environment_differences(["a", "a"], [&a, &a]);
    for format in ["table", "json", "csv", "markdown"] {
        snapshot(&format!("{format}_environment"), &list(format, &report::environment(&a)));
        snapshot(&format!("{format}_environment_differences"), &list(format, &both));
    }
    assert!(list("table", &same).contains("do not differ"));
}
