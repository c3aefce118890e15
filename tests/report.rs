//! Every report format on audits built in memory.

mod support;

use std::path::Path;
use std::time::Duration;

use repro_audit::model::{Audit, Candidate, Environment, Levels, Need, Point, Reach, ReadBack, Reading, Role, Series};
use repro_audit::model::{Level, Run, Setting, SettingId, Status, Verdict};
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
        for format in FORMATS {
            let for_people = ["table", "markdown"].contains(&format.id());
            let shown = match name {
                "unseeded" => true,
                "workers" => format.id() != "csv",
                "agrees" | "shorter" => for_people || format.id() == "junit" || format.id() == "github",
                _ => false,
            };
            if shown {
                snapshot(&format!("{}_{name}", format.id()), &without_drawings(&write(format.id(), &audit, PLAIN)));
            }
        }
    }
}

/// A page without its drawings and its style, which no one reviews line by line.
fn without_drawings(page: &str) -> String {
    let drawing = regex::Regex::new("(?s)<svg.*?</svg>").expect("constant");
    let style = regex::Regex::new("(?s)<style>.*?</style>").expect("constant");
    style.replace(&drawing.replace_all(page, "[drawing]"), "[style]").into_owned()
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
    let codes = regex::Regex::new("\x1b\\[[0-9;]*m").expect("constant");
    for (name, audit) in samples::all() {
        let plain = write("table", &audit, PLAIN);
        assert!(!plain.contains('\x1b'), "{name}");
        let coloured = write("table", &audit, Style { color: true, ..PLAIN });
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
        left_out: None,
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
            probe: None,
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
            probe: None,
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

fn cells(text: &str) -> Vec<csv::StringRecord> {
    let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    csv.records().map(|record| record.expect("all lines are of one width")).collect()
}

#[test]
fn junit_keeps_to_the_published_schema() {
    let schema = support::xsd::Schema::read(include_str!("schemas/junit-10.xsd"));
    for (name, audit) in samples::all() {
        let text = write("junit", &audit, PLAIN);
        assert_eq!(schema.errors(&text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn junit_fails_exactly_when_the_audit_does() {
    for (name, audit) in samples::all() {
        let text = write("junit", &audit, PLAIN);
        let bad = text.contains("<failure") || text.contains("<error");
        assert_eq!(bad, audit.verdict != Verdict::Agreed, "{name}");
    }
    let text = write("junit", &samples::workers(), PLAIN);
    for part in [r#"tests="5" failures="1" errors="1""#, r#"skipped="1""#, r#"<failure type="diverged""#] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn sarif_keeps_to_the_published_schema() {
    // As published one pattern ends in a bracket that opens nothing, which is no regular expression.
    let published = include_str!("schemas/sarif-schema-2.1.0.json").replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
    let schema: Value = serde_json::from_str(&published).expect("JSON");
    let validator = jsonschema::draft7::options().should_validate_formats(true).build(&schema).expect("a valid schema");
    for (name, audit) in samples::all() {
        let document: Value = serde_json::from_str(&write("sarif", &audit, PLAIN)).expect("JSON");
        let errors: Vec<String> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
        for result in document["runs"][0]["results"].as_array().expect("results") {
            let rule = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(document["runs"][0]["tool"]["driver"]["rules"][rule]["id"], result["ruleId"], "{name}");
        }
    }
}

#[test]
fn sarif_points_at_the_line_to_blame() {
    let document: Value = serde_json::from_str(&write("sarif", &samples::unseeded(), PLAIN)).expect("JSON");
    let cause = &document["runs"][0]["results"][1];
    assert_eq!(cause["ruleId"], "seed.torch");
    assert_eq!(cause["level"], "error");
    let place = &cause["locations"][0]["physicalLocation"];
    assert_eq!(
        (place["artifactLocation"]["uri"].as_str(), place["region"]["startLine"].as_u64()),
        (Some("train.py"), Some(31))
    );
}

#[test]
fn github_gets_one_command_per_line_with_its_place() {
    let text = write("github", &samples::unseeded(), PLAIN);
    assert!(text.contains("::error file=train.py,line=31,title=seed.torch (proved)::torch's global generator"));
    let mut summary = Vec::new();
    report::job_summary(&samples::unseeded(), &mut summary).expect("memory");
    assert_eq!(String::from_utf8(summary).expect("UTF-8"), write("markdown", &samples::unseeded(), PLAIN));
}

#[test]
fn hostile_logs_change_no_report_beyond_their_own_text() {
    let audit = samples::hostile();
    for format in FORMATS {
        let text = write(format.id(), &audit, PLAIN);
        let id = format.id();
        assert!(text.chars().all(|c| c == '\n' || !report::untrusted::is_hidden(c)), "{id}: a hidden character");
        assert!(id == "json" || id == "sarif" || !text.contains("##["), "{id}: an old workflow command");
        if id != "github" {
            let obeyed = text.lines().find(|line| line.trim_start().starts_with("::"));
            assert_eq!(obeyed, None, "{id}: a workflow command");
        }
    }
}

#[test]
fn hostile_logs_add_no_workflow_command() {
    let audit = samples::hostile();
    let causes = audit.blame.as_ref().map_or(0, |blame| blame.causes.len());
    let text = write("github", &audit, PLAIN);
    assert_eq!(text.lines().count(), causes + 3);
    let command =
        regex::Regex::new(r"^::(error|warning|notice) (file=[^,:]*,line=\d+,)?title=[^,:]*::").expect("constant");
    for line in text.lines() {
        assert!(command.is_match(line), "{line}");
    }
}

#[test]
fn hostile_logs_add_no_markup_to_html() {
    let tag = regex::Regex::new(r#"<(/?[a-zA-Z!][a-zA-Z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9-]*(?:="[^"]*")?)*)\s*/?>"#)
        .expect("constant");
    let attribute = regex::Regex::new(r#"([a-zA-Z][a-zA-Z0-9-]*)(="[^"]*")?"#).expect("constant");
    for (name, audit) in samples::all() {
        let text = write("html", &audit, PLAIN);
        let (_, body) = text.split_once("<body>").expect("a body");
        let known = "header div h1 h2 h3 p section ul li b i span svg polyline line text rect circle table tr th td pre code mark \
                     details summary footer body html";
        for found in tag.captures_iter(body) {
            let element = found[1].trim_start_matches('/');
            assert!(known.split_whitespace().any(|known| known == element), "{name}: <{element}>");
            for found in attribute.captures_iter(&found[2]) {
                assert!(
                    !found[1].starts_with("on") && !["href", "src", "style"].contains(&&found[1]),
                    "{name}: {}",
                    &found[1]
                );
            }
        }
        assert_eq!(tag.replace_all(body, "").find('<'), None, "{name}: a loose bracket");
    }
}

#[test]
fn hostile_logs_add_no_formula_and_no_line_to_csv() {
    let audit = samples::hostile();
    let rows = cells(&write("csv", &audit, PLAIN));
    assert_eq!(rows.len(), 61);
    for cell in rows.iter().flat_map(|row| row.iter()).filter(|cell| cell.parse::<f64>().is_err()) {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
    }
}

/// A line of Markdown without its inline code: text between two equal runs of backticks.
fn without_code(line: &str) -> String {
    let runs = regex::Regex::new("`+").expect("constant");
    let mut kept = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['`', '\\']) {
        kept += &rest[..at];
        rest = &rest[at..];
        if let Some(escaped) = rest.strip_prefix('\\') {
            let length = escaped.chars().next().map_or(0, char::len_utf8);
            rest = &escaped[length..];
            continue;
        }
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let inner = &rest[ticks..];
        let end = runs.find_iter(inner).find(|run| run.len() == ticks).expect("code is closed");
        kept += "code";
        rest = &inner[end.end()..];
    }
    kept + rest
}

#[test]
fn hostile_logs_add_no_markup_to_markdown() {
    let text = write("markdown", &samples::hostile(), PLAIN);
    let mut fence: Option<String> = None;
    let mut prose = String::new();
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() && line == ticks => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 && !line[ticks.len()..].contains('`') => fence = Some(ticks),
            None => prose += &format!("{line}\n"),
        }
    }
    assert_eq!(fence, None, "a block is left open");
    let prose: String = prose.lines().map(|line| without_code(line) + "\n").collect();
    for markup in ["<script", "<img", "</td", "@everyone", "](http", "https://", "```", "]]>"] {
        assert!(!prose.contains(markup), "{markup} in\n{prose}");
    }
    let ours = ["###", "####"];
    for line in prose.lines().filter(|line| line.starts_with('#')) {
        assert!(ours.iter().any(|title| line.split(' ').next() == Some(title)), "{line}");
    }
    let widths = prose.lines().filter(|line| line.starts_with("| ")).map(|line| line.matches('|').count());
    assert!(widths.clone().all(|width| [4, 7, 8].contains(&width)), "{:?}", widths.collect::<Vec<_>>());
}

/// Takes something out of an audit.
type Take = fn(&mut Audit);

#[test]
fn no_format_needs_what_an_audit_may_lack() {
    for (name, full) in samples::all() {
        let lacking: [(&str, Take); 8] = [
            ("comparisons", |audit| audit.comparisons.clear()),
            ("curves", |audit| audit.curves.clear()),
            ("points", |audit| audit.comparisons.iter_mut().for_each(|of| of.window.points.clear())),
            ("curve points", |audit| audit.curves.iter_mut().for_each(|of| of.series.points.clear())),
            ("lines", |audit| audit.comparisons.iter_mut().for_each(|of| of.raw.clear())),
            ("values", |audit| audit.divergence.iter_mut().for_each(|of| of.values.clear())),
            ("second run", |audit| {
                audit.comparisons.truncate(1);
                audit.curves.truncate(1);
            }),
            ("runs", |audit| audit.runs.clear()),
        ];
        for (what, take) in lacking {
            let mut audit = full.clone();
            take(&mut audit);
            for format in FORMATS {
                assert!(!write(format.id(), &audit, PLAIN).is_empty(), "{name} without {what}: {}", format.id());
            }
            valid("report.schema.json", &write("json", &audit, PLAIN));
        }
    }
}

#[test]
fn listings_say_which_forms_they_take() {
    let listing = report::environment(&Environment::default());
    let junit = report::format("junit").expect("listed");
    let error = report::write_listing(junit, &listing, PLAIN, &mut Vec::new()).expect_err("junit has no listings");
    assert_eq!(error.to_string(), "an environment cannot be written as junit; use table, json, csv, markdown or html");
}

#[test]
fn runs_that_ended_alike_are_told_together() {
    let mut audit = samples::crashed();
    audit.runs[2] = Run { id: "r3".to_owned(), duration: Duration::from_millis(4_700), ..audit.runs[1].clone() };
    for format in ["table", "markdown", "html"] {
        let told = write(format, &audit, Style::default());
        assert!(told.contains("r2, r3 (reference): crashed, signal 9 after 17 points, 3.2 to 4.7 s"), "{told}");
        assert_eq!(told.matches("RuntimeError").count(), 1, "{told}");
    }
    audit.runs[0].status = Status::Skipped;
    assert!(!write("table", &audit, Style::default()).contains("skipped"), "a run that was not needed is no trouble");
    audit.runs[2].last_words.push("and something else".to_owned());
    assert_eq!(write("table", &audit, Style::default()).matches("RuntimeError").count(), 2);
}

#[test]
fn steps_that_begin_again_are_told_apart_by_their_pass() {
    let mut audit = samples::unseeded();
    for point in audit.comparisons.iter_mut().flat_map(|of| &mut of.window.points) {
        point.position.epoch = None;
        point.position.segment = u32::from(point.line > 5);
    }
    assert!(write("table", &audit, PLAIN).contains("step   pass         r1"));
}
