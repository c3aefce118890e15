//! What would be run, as a listing: `run --dry-run`.

use serde_json::{Value, json};

use super::listing::{Listing, Section};
use super::words;

/// A treatment that would be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its id.
    pub treatment: String,
    /// How often.
    pub repeats: u32,
    /// The exact command, as a shell takes it.
    pub command: String,
    /// Variables that would be set, in order.
    pub environment: Vec<(String, String)>,
    /// Settings that would be applied from inside the process, each with its level.
    pub inside: Vec<(String, String)>,
    /// Why it cannot be run as asked; empty where it can.
    pub problems: Vec<String>,
}

/// The listing of `run --dry-run`. `submission` is what a scheduler would be told for each treatment, line by line; empty
/// where there is none.
pub fn planned(treatments: &[Planned], submission: &[String]) -> Listing {
    let mut json = json!({
        "schema": "repro-audit.dry-run/1",
        "treatments": treatments.iter().map(document).collect::<Vec<_>>(),
    });
    if !submission.is_empty() {
        json["submission"] = json!(submission);
    }
    Listing {
        title: "the planned runs",
        key: Some("treatment"),
        sections: treatments.iter().map(section).chain(submitted(submission)).collect(),
        empty: "Nothing would be run.",
        json,
    }
}

fn submitted(lines: &[String]) -> Option<Section> {
    (!lines.is_empty()).then(|| Section {
        name: "submission".to_owned(),
        about: "an array of this form for each treatment".to_owned(),
        head: vec!["line", "text"],
        rows: lines.iter().zip(1..).map(|(line, number): (_, u32)| vec![number.to_string(), line.clone()]).collect(),
        right: vec![0],
        cards: false,
        notes: Vec::new(),
    })
}

fn document(one: &Planned) -> Value {
    let environment: serde_json::Map<String, Value> =
        one.environment.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "id": one.treatment,
        "repeats": one.repeats,
        "command": one.command,
        "environment": environment,
        "inside": one.inside.iter().map(|(id, level)| (id.clone(), json!(level))).collect::<serde_json::Map<_, _>>(),
        "problems": one.problems,
    })
}

fn section(one: &Planned) -> Section {
    let mut rows = vec![vec!["command".to_owned(), one.command.clone()]];
    rows.extend(one.environment.iter().map(|(name, value)| vec![name.clone(), value.clone()]));
    rows.extend(one.inside.iter().map(|(id, level)| vec!["inside the process".to_owned(), format!("{id}={level}")]));
    Section {
        name: one.treatment.clone(),
        about: words::count(one.repeats as usize, "run"),
        head: vec!["what", "value"],
        rows,
        right: Vec::new(),
        cards: false,
        notes: one.problems.clone(),
    }
}
