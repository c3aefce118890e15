//! Every folder of `fixtures/logs` holds a log and what must be read out of it; one loop reads them all.

use std::fs;
use std::path::{Path, PathBuf};

use repro_audit::model::{Point, Reading};
use repro_audit::parse::{FORMATS, Live, Options, read_path};
use serde_json::Value;

fn cases() -> Vec<(String, PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs");
    let mut cases: Vec<_> = fs::read_dir(root)
        .expect("fixtures")
        .map(|entry| {
            let folder = entry.expect("an entry").path();
            let expected = fs::read(folder.join("expected.json")).expect("every case says what it expects");
            let expected: Value = serde_json::from_slice(&expected).expect("JSON");
            let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
            (name, folder.join(expected["file"].as_str().expect("a file")), expected)
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(cases.len() > 100);
    cases
}

fn wrong(reading: &Reading, expected: &Value) -> Option<String> {
    let Some(name) = expected["primary"].as_str() else {
        let names: Vec<_> = reading.series.iter().map(|s| &s.metric).collect();
        return (!names.is_empty()).then(|| format!("expected nothing to compare, found {names:?}"));
    };
    let Some(primary) = reading.primary() else { return Some("no primary metric".into()) };
    if primary.metric != name {
        return Some(format!("primary metric {:?}, expected {name:?}", primary.metric));
    }
    if Some(primary.points.len() as u64) != expected["points"].as_u64() {
        return Some(format!("{} points, expected {}", primary.points.len(), expected["points"]));
    }
    if let Some(role) = expected["role"].as_str()
        && format!("{:?}", primary.role) != role
    {
        return Some(format!("role {:?}, expected {role}", primary.role));
    }
    if let Some(encoding) = expected["encoding"].as_str()
        && reading.encoding != encoding
    {
        return Some(format!("encoding {}, expected {encoding}", reading.encoding));
    }
    // Where a log once gave metrics that are none, all of them are named.
    if let Some(names) = expected["metrics"].as_array()
        && !reading.series.iter().map(|series| series.metric.as_str()).eq(names.iter().filter_map(Value::as_str))
    {
        let found: Vec<_> = reading.series.iter().map(|series| &series.metric).collect();
        return Some(format!("metrics {found:?}, expected {names:?}"));
    }
    let ends = [("first", primary.points.first()), ("last", primary.points.last())];
    ends.into_iter().find_map(|(end, point)| end_wrong(point?, &expected[end]).map(|what| format!("{end}: {what}")))
}

fn end_wrong(point: &Point, expected: &Value) -> Option<String> {
    let right =
        point.position.step == expected["step"].as_i64() && Some(point.text.as_str()) == expected["text"].as_str();
    (!right).then(|| format!("{point:?}, expected {expected}"))
}

#[test]
fn reads_every_recorded_log() {
    let mut failures = Vec::new();
    for (name, log, expected) in cases() {
        let reading = read_path(&log, &Options::default()).expect("readable");
        if let Some(what) = wrong(&reading, &expected) {
            failures.push(format!("{name}: {what}"));
        }
        for noise in &reading.noise {
            assert!(reading.series.iter().all(|s| s.metric != *noise), "{name}: {noise} is noise and a series");
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_log_read_in_pieces_gives_the_same_points() {
    for (name, log, expected) in cases() {
        let bytes = fs::read(&log).unwrap_or_default();
        if log.is_dir()
            || std::str::from_utf8(&bytes).is_err()
            || expected["file"].as_str().is_some_and(|f| f.ends_with(".json"))
            // What a file is cleaned of before it is read, no running process writes.
            || expected["cleaned"] == true
        {
            continue;
        }
        let whole = read_path(&log, &Options::default()).expect("readable");
        for size in [1, 17, 4096] {
            let mut live = Live::new(Options::default());
            let mut out = Vec::new();
            for piece in bytes.chunks(size) {
                live.push(piece, &mut out);
            }
            let summary = live.finish(&mut out);
            let index = summary.primary;
            let points: Vec<&Point> = out.iter().filter(|o| Some(o.metric) == index).map(|o| &o.point).collect();
            let expected: Vec<&Point> = whole.primary().map(|s| s.points.iter().collect()).unwrap_or_default();
            assert_eq!(points.len(), expected.len(), "{name} in pieces of {size}");
            // NaN is not equal to itself.
            assert!(points.iter().zip(&expected).all(|(a, b)| a.text == b.text && a.position == b.position), "{name}");
        }
    }
}

#[test]
fn every_format_has_a_name_of_its_own() {
    for (index, format) in FORMATS.iter().enumerate() {
        assert!(FORMATS.iter().skip(index + 1).all(|other| other.id() != format.id()));
        assert!(!format.describe().is_empty());
    }
}
