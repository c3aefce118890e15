//! Properties of the parser on random input: what is written is read back, and damage never ends in a panic.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use repro_audit::parse::{Live, Options, read_bytes};

/// Ways to write one step of a series; `@S`, `@V`, `@L` stand for step, value and a second metric.
const SPELLINGS: &[&str] = &[
    "step @S loss @V",
    "step: @S, loss: @V, lr: @L",
    "step=@S loss=@V lr=@L",
    "iter @S: loss @V, time 12.3ms",
    "[@S]\ttrain-loss:@V\tlr:@L",
    "{\"step\": @S, \"loss\": @V, \"lr\": @L}",
    "{'step': @S, 'loss': @V, 'lr': @L}",
    "{'step': '@S', 'loss': '@V'}",
    "| step @S | loss @V | lr @L |",
    "Step [@S/100000], Loss: @V",
    "2026-01-02 03:04:05,678 - INFO - trainer - step @S | loss=@V",
    "\u{1b}[32mstep\u{1b}[0m=@S \u{1b}[1mloss\u{1b}[0m=@V",
    "[rank0]: step @S loss @V (9.9)",
    "步 @S 损失：@V，学习率：@L",
    "Iteration @S, loss = @V",
    "loss: @V  [@S/100000]",
];

fn shown(value: f64, style: u8) -> String {
    match style {
        _ if value.is_nan() => "nan".into(),
        _ if value.is_infinite() => {
            if value > 0.0 {
                "inf".into()
            } else {
                "-inf".into()
            }
        }
        0 => format!("{value}"),
        1 => format!("{value:e}"),
        2 => format!("{value:.4}"),
        _ => format!("{value:.6e}").replace("e-", "e-0"),
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e3f64..1e3,
        2 => 0.0f64..1e-4,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(0.0),
        1 => Just(3.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_series_in_any_spelling_is_read_back(
        spelling in 0..SPELLINGS.len(),
        style in 0u8..4,
        values in prop::collection::vec(value(), 4..40),
        first in 0i64..1000,
        gap in 1i64..50,
        ending in prop_oneof![Just("\n"), Just("\r\n")],
    ) {
        let line = SPELLINGS[spelling];
        let mut log = String::new();
        for (i, value) in values.iter().enumerate() {
            let step = (first + i as i64 * gap).to_string();
            log.push_str(&line.replace("@S", &step).replace("@V", &shown(*value, style)).replace("@L", "0.001"));
            log.push_str(ending);
        }
        let reading = read_bytes(log.as_bytes(), &Options::default());
        let primary = reading.primary().unwrap_or_else(|| panic!("nothing in {log}"));
        prop_assert_eq!(primary.points.len(), values.len(), "{}", log);
        for (i, (point, value)) in primary.points.iter().zip(&values).enumerate() {
            let text = shown(*value, style);
            let expected: f64 = text.parse().expect("a number");
            prop_assert_eq!(point.text.as_str(), &text);
            prop_assert!(point.value == expected || point.value.is_nan() && expected.is_nan());
            prop_assert_eq!(point.position.step, Some(first + i as i64 * gap), "{}", log);
        }
    }

    #[test]
    fn any_table_is_read_back_as_csv(values in prop::collection::vec((0f64..10.0, 0f64..1.0), 2..30), delimiter in prop_oneof![Just(','), Just(';'), Just('\t')]) {
        let mut text = format!("step{delimiter}loss{delimiter}accuracy\n");
        for (i, (a, b)) in values.iter().enumerate() {
            text.push_str(&format!("{i}{delimiter}{a}{delimiter}{b}\n"));
        }
        let reading = read_bytes(text.as_bytes(), &Options::default());
        prop_assert_eq!(&reading.format, "csv");
        let read: Vec<f64> = reading.primary().expect("loss").points.iter().map(|p| p.value).collect();
        let written: Vec<f64> = values.iter().map(|v| v.0).collect();
        prop_assert_eq!(read, written);
    }

    #[test]
    fn damaged_logs_never_panic(
        case in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 0..20),
        cut in any::<prop::sample::Index>(),
        piece in 1usize..5000,
    ) {
        let logs = logs();
        let mut bytes = fs::read(case.get(&logs)).expect("a log");
        for (at, byte, how) in damage {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                _ => { let tail = bytes[at..].to_vec(); bytes.extend(tail.iter().take(200)); }
            }
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let whole = read_bytes(&bytes, &Options::default());
        let mut live = Live::new(Options::default());
        let mut out = Vec::new();
        for part in bytes.chunks(piece) {
            live.push(part, &mut out);
        }
        let summary = live.finish(&mut out);
        prop_assert!(summary.metrics.len() == summary.roles.len());
        prop_assert!(whole.primary.is_none_or(|p| p < whole.series.len()));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        read_bytes(&bytes, &Options::default());
    }

    #[test]
    fn any_text_of_the_usual_characters_is_survived(text in "[a-z0-9 .:=,|\\[\\](){}'\"/%\r\n\t\u{8}\u{1b}-]{0,400}") {
        read_bytes(text.as_bytes(), &Options::default());
    }
}

fn logs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    search(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs"), &mut found);
    found.sort();
    found
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            search(&path, found);
        } else if path.file_name().is_some_and(|n| n != "expected.json") {
            found.push(path);
        }
    }
}

/// Lines as no program prints them, which names, brackets and drawings could be looked for in without end.
#[test]
fn a_line_of_any_length_is_read_in_time_that_grows_with_it() {
    for part in ["loss=0.5 ", "[", "(a ", "nan ", "#011", "\u{8}\u{8}x ", "loss 0.5, ", "| 1 "] {
        let log = format!("step 1 loss 0.5 {}{}\nstep 2 loss 0.25\n", "a ".repeat(50_000), part.repeat(100_000));
        let reading = read_bytes(log.as_bytes(), &Options::default());
        let last = reading.primary().and_then(|series| series.points.last());
        assert_eq!(last.map(|point| point.value), Some(0.25), "{part:?}");
        let told = |warning: &String| warning.ends_with("bytes of over-long lines were skipped");
        assert!(reading.warnings.iter().any(told), "{part:?}: {:?}", reading.warnings);
    }
}
