//! `--format junit`: every treatment a test case, for CI systems that read JUnit's XML (Jenkins, GitLab and others).

use std::io::{self, Write};

use super::{ReportFormat, Style, untrusted, words};
use crate::model::{Audit, Outcome, TreatmentResult, Verdict};

/// Every treatment a test case.
pub struct Junit;

impl ReportFormat for Junit {
    fn id(&self) -> &'static str {
        "junit"
    }

    fn describe(&self) -> &'static str {
        "every treatment a test case, for Jenkins, GitLab and others"
    }

    fn write(&self, audit: &Audit, _style: Style, out: &mut dyn Write) -> io::Result<()> {
        let cases = cases(audit);
        let count = |wanted: Kind| cases.iter().filter(|case| case.kind == wanted).count();
        let (failures, errors, skipped) = (count(Kind::Failure), count(Kind::Error), count(Kind::Skipped));
        let seconds = cases.iter().fold(0.0, |sum, case| sum + case.seconds);
        let tests = cases.len();
        writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        let totals = format!(r#"tests="{tests}" failures="{failures}" errors="{errors}" time="{seconds:.3}""#);
        writeln!(out, r#"<testsuites name="repro-audit" {totals}>"#)?;
        let name = untrusted::xml(&format!("repro-audit {}", audit.command));
        writeln!(out, r#"  <testsuite name="{name}" {totals} skipped="{skipped}">"#)?;
        properties(audit, out)?;
        for case in &cases {
            case.write(&audit.command, out)?;
        }
        let said = epilogue(audit);
        if !said.is_empty() {
            writeln!(out, "    <system-out>{}</system-out>", untrusted::xml_lines(&said))?;
        }
        writeln!(out, "  </testsuite>\n</testsuites>")
    }
}

/// How a test case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Passed,
    Failure,
    Error,
    Skipped,
}

/// One test case.
struct Case {
    name: String,
    seconds: f64,
    kind: Kind,
    message: String,
    text: String,
    said: String,
}

impl Case {
    fn write(&self, command: &str, out: &mut dyn Write) -> io::Result<()> {
        let (name, command) = (untrusted::xml(&self.name), untrusted::xml(command));
        let (message, text) = (untrusted::xml(&self.message), untrusted::xml_lines(&self.text));
        writeln!(out, r#"    <testcase classname="repro-audit.{command}" name="{name}" time="{:.3}">"#, self.seconds)?;
        match self.kind {
            Kind::Passed => {}
            Kind::Failure => {
                writeln!(out, r#"      <failure type="diverged" message="{message}">{text}</failure>"#)?;
            }
            Kind::Error => writeln!(out, r#"      <error type="unresolved" message="{message}">{text}</error>"#)?,
            Kind::Skipped => writeln!(out, r#"      <skipped type="skipped" message="{message}"/>"#)?,
        }
        if !self.said.is_empty() {
            writeln!(out, "      <system-out>{}</system-out>", untrusted::xml_lines(&self.said))?;
        }
        writeln!(out, "    </testcase>")
    }
}

/// The treatments, and the verdict where no treatment shows it by itself (a comparison of files, a gate, a policy).
fn cases(audit: &Audit) -> Vec<Case> {
    let mut cases: Vec<Case> = audit.treatments.iter().map(|result| case(audit, result)).collect();
    let kind = match audit.verdict {
        Verdict::Agreed => Kind::Passed,
        Verdict::Diverged => Kind::Failure,
        Verdict::Unresolved => Kind::Error,
    };
    if cases.is_empty() || !cases.iter().any(|case| case.kind == kind) {
        let (message, text) = match words::shown_divergence(audit) {
            Some((divergence, treatment)) => (audit.reason.clone(), words::sentence(divergence, treatment)),
            None => (audit.reason.clone(), String::new()),
        };
        let text = [text, why(audit)].join("\n").trim().to_owned();
        cases.push(Case { name: "verdict".to_owned(), seconds: 0.0, kind, message, text, said: String::new() });
    }
    cases
}

fn case(audit: &Audit, result: &TreatmentResult) -> Case {
    let runs = || audit.runs.iter().filter(|run| result.runs.contains(&run.id));
    let (kind, message, text) = match &result.outcome {
        Some(Outcome::Agreed) => (Kind::Passed, String::new(), String::new()),
        Some(Outcome::Diverged(divergence)) => {
            let place = divergence.position.told(divergence.index);
            let text = format!("{}\n{}", words::sentence(divergence, None), why(audit));
            // A gate may pass a job that is known to part: the treatment is then no failure.
            let kind = if audit.verdict == Verdict::Agreed { Kind::Passed } else { Kind::Failure };
            (kind, format!("the runs part first at {place}"), text.trim().to_owned())
        }
        Some(Outcome::Unresolved(why)) => (Kind::Error, why.clone(), String::new()),
        None => (Kind::Skipped, result.notes.join("; "), String::new()),
    };
    let mut said: Vec<String> = result.notes.clone();
    said.extend(runs().map(|run| {
        let seconds = run.duration.as_secs_f64();
        let node = if run.node.is_empty() { String::new() } else { format!(" on {}", run.node) };
        format!("{}: {} after {seconds:.1} s, {}{node}", run.id, words::status(run), words::count(run.points, "point"))
    }));
    said.extend(runs().flat_map(|run| run.last_words.iter().map(|line| format!("{}| {line}", run.id))));
    Case {
        name: result.treatment.id.clone(),
        seconds: runs().fold(0.0, |sum, run| sum + run.duration.as_secs_f64()),
        kind,
        message,
        text,
        said: said.join("\n"),
    }
}

/// The causes, one paragraph each.
fn why(audit: &Audit) -> String {
    let Some(blame) = &audit.blame else { return String::new() };
    let causes = blame.causes.iter().map(|cause| {
        let mut text = format!("\nCause ({}): {}: {}\n", cause.grade.word(), cause.id, cause.summary);
        if let Some(at) = &cause.location {
            text += &format!("at {}:{}\n", at.file.display(), at.line);
        }
        for evidence in &cause.evidence {
            text += &format!("- {evidence}\n");
        }
        if !cause.remedy.trim().is_empty() {
            text += &format!("Remedy:\n{}\n", cause.remedy.trim_end());
        }
        text
    });
    causes.collect()
}

fn properties(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let mut properties = vec![("verdict", audit.verdict.word().to_owned()), ("reason", audit.reason.clone())];
    properties.extend(audit.metric.iter().map(|metric| ("metric", metric.clone())));
    properties.extend(audit.resolution.iter().map(|resolution| ("resolution", resolution.note.clone())));
    properties.extend(audit.confidence.iter().map(|confidence| ("confidence", confidence.statement.clone())));
    writeln!(out, "    <properties>")?;
    for (name, value) in properties {
        writeln!(out, r#"      <property name="{name}" value="{}"/>"#, untrusted::xml(&value))?;
    }
    writeln!(out, "    </properties>")
}

/// What belongs to the whole audit.
fn epilogue(audit: &Audit) -> String {
    let line = |title: &'static str| move |text: &String| format!("{title}: {text}");
    let effects = audit.effects.iter().map(words::effect);
    let rest = audit.not_checked.iter().map(line("Not checked"));
    let rest = rest.chain(audit.warnings.iter().map(line("Worth knowing")));
    let rest = rest.chain(audit.next.iter().map(line("Next")));
    effects.chain(rest).collect::<Vec<_>>().join("\n")
}
