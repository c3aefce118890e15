//! `--format sarif`: SARIF 2.1.0, which code hosts show beside the source: each cause at its line.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{ReportFormat, Style, json, untrusted, words};
use crate::model::{Audit, Cause, Divergence, Grade, RunValue, Verdict};

/// SARIF 2.1.0.
pub struct Sarif;

/// Rule id of a divergence itself, whatever its cause.
const DIVERGENCE: &str = "divergence";

impl ReportFormat for Sarif {
    fn id(&self) -> &'static str {
        "sarif"
    }

    fn describe(&self) -> &'static str {
        "SARIF 2.1.0: each cause at its line of the source, for code scanning"
    }

    fn write(&self, audit: &Audit, _style: Style, out: &mut dyn Write) -> io::Result<()> {
        json::write_document(&document(audit), out)
    }
}

fn document(audit: &Audit) -> Value {
    let results = results(audit);
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "repro-audit",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules(audit),
            } },
            "invocations": [{
                // A crash or a level without effect is a finding of this audit; only an unresolved one could not answer.
                "executionSuccessful": audit.verdict != Verdict::Unresolved,
                "toolExecutionNotifications": notifications(audit),
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": { "verdict": audit.verdict.word(), "reason": safe(&audit.reason) },
        }],
    })
}

/// Text for a message: viewers show it as it stands.
fn safe(text: &str) -> String {
    untrusted::plain_lines(text).into_owned()
}

fn notifications(audit: &Audit) -> Vec<Value> {
    let notification = |level: &str, text: String| json!({ "level": level, "message": { "text": safe(&text) } });
    let mut notifications = Vec::new();
    if audit.verdict == Verdict::Unresolved {
        notifications.push(notification("error", words::headline(audit)));
    }
    notifications.extend(audit.warnings.iter().map(|text| notification("warning", text.clone())));
    notifications.extend(audit.not_checked.iter().map(|text| notification("note", format!("Not checked: {text}"))));
    notifications.extend(audit.confidence.iter().map(|confidence| notification("note", confidence.statement.clone())));
    notifications.extend(audit.resolution.iter().map(|resolution| notification("note", resolution.note.clone())));
    notifications
}

/// The rules that the results name, each once.
fn rules(audit: &Audit) -> Vec<Value> {
    let mut rules = vec![json!({
        "id": DIVERGENCE,
        "name": "RunsDoNotRepeat",
        "shortDescription": { "text": "The same job gives other numbers when it runs again" },
        "defaultConfiguration": { "level": "error" },
    })];
    for cause in causes(audit) {
        if rules.iter().any(|rule| rule["id"] == cause.id.as_str()) {
            continue;
        }
        let mut rule = json!({
            "id": cause.id,
            "shortDescription": { "text": safe(&cause.summary) },
        });
        if !cause.remedy.trim().is_empty() {
            rule["help"] = json!({
                "text": safe(&cause.remedy),
                "markdown": untrusted::markdown_block("", &cause.remedy),
            });
        }
        rules.push(rule);
    }
    rules
}

fn causes(audit: &Audit) -> &[Cause] {
    audit.blame.as_ref().map_or(&[], |blame| &blame.causes)
}

fn results(audit: &Audit) -> Vec<Value> {
    if audit.verdict != Verdict::Diverged {
        return Vec::new();
    }
    let shown = words::shown_divergence(audit);
    let logs = shown.map(|(divergence, _)| log_locations(audit, divergence)).unwrap_or_default();
    let sentence = match shown {
        Some((divergence, treatment)) => words::sentence(divergence, treatment),
        None => words::headline(audit),
    };
    let mut results = vec![json!({
        "ruleId": DIVERGENCE,
        "ruleIndex": 0,
        "level": "error",
        "message": { "text": safe(&sentence) },
        "locations": logs.first().map(|log| vec![log.clone()]).unwrap_or_default(),
        "relatedLocations": logs.get(1..).unwrap_or_default(),
    })];
    let mut known: Vec<&str> = vec![DIVERGENCE];
    for cause in causes(audit) {
        if !known.contains(&cause.id.as_str()) {
            known.push(&cause.id);
        }
        let rule = known.iter().position(|id| *id == cause.id).unwrap_or(0);
        let location = match &cause.location {
            Some(at) => vec![location(&at.file.to_string_lossy(), Some(u64::from(at.line)))],
            None => logs.first().map(|log| vec![log.clone()]).unwrap_or_default(),
        };
        results.push(result(cause, rule, location, &logs));
    }
    results
}

fn result(cause: &Cause, rule: usize, locations: Vec<Value>, logs: &[Value]) -> Value {
    let mut text = format!("{} ({})", cause.summary, cause.grade.word());
    for evidence in &cause.evidence {
        text += &format!("\n- {evidence}");
    }
    let level = match cause.grade {
        Grade::Proved => "error",
        Grade::Likely => "warning",
        Grade::Suspected => "note",
    };
    json!({
        "ruleId": cause.id,
        "ruleIndex": rule,
        "level": level,
        "message": { "text": safe(&text) },
        "locations": locations,
        "relatedLocations": logs,
        "properties": { "grade": cause.grade.word() },
    })
}

/// The lines of the logs that part: the two values that lie farthest apart.
fn log_locations(audit: &Audit, divergence: &Divergence) -> Vec<Value> {
    let (a, b) = words::apart(divergence);
    let values = [divergence.values.get(b), divergence.values.get(a)];
    let place = |value: &RunValue| {
        let run = audit.runs.iter().find(|run| run.id == value.run);
        let path = match (run, &audit.record) {
            (Some(run), Some(record)) => record.join(&run.log).to_string_lossy().into_owned(),
            (Some(run), None) => run.log.to_string_lossy().into_owned(),
            (None, _) => value.run.clone(),
        };
        let mut location = location(&path, value.line);
        let text = value.text.as_ref().map_or("nothing there".to_owned(), |text| text.to_string());
        location["message"] = json!({ "text": safe(&format!("{}: {text}", value.run)) });
        location
    };
    values.into_iter().flatten().map(place).collect()
}

fn location(path: &str, line: Option<u64>) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(path) } });
    if let Some(line) = line.filter(|line| *line > 0) {
        physical["region"] = json!({ "startLine": line });
    }
    json!({ "physicalLocation": physical })
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b'+' => {
                uri.push(char::from(byte))
            }
            byte => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_addresses() {
        assert_eq!(uri("./src/train model.py"), "src/train%20model.py");
        assert_eq!(uri("/a/b:c.py"), "file:///a/b%3Ac.py");
    }
}
