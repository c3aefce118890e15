//! The part of a stored report that cannot be computed again from the logs: the search's answer.

use std::path::PathBuf;

use serde::Deserialize;

use crate::model::{Blame, Cause, Grade, Level, Price, SettingId, SourceLine};
use crate::record::Recorded;

#[derive(Deserialize)]
struct Document {
    blame: Option<StoredBlame>,
    #[serde(default)]
    not_checked: Vec<String>,
    #[serde(default)]
    picture: Vec<String>,
}

/// What an audit's own report says that its logs do not.
#[derive(Default)]
pub struct Stored {
    /// What the search found.
    pub blame: Option<Blame>,
    /// What was not checked.
    pub not_checked: Vec<String>,
    /// The picture of an audit of resuming.
    pub picture: Vec<String>,
}

#[derive(Deserialize)]
struct StoredBlame {
    causes: Vec<StoredCause>,
    #[serde(default)]
    pin_levels: std::collections::BTreeMap<String, String>,
    runs_used: usize,
    steps_used: u64,
    #[serde(default)]
    history: Vec<String>,
}

#[derive(Deserialize)]
struct StoredCause {
    id: String,
    grade: String,
    summary: String,
    evidence: Vec<String>,
    remedy: String,
    #[serde(rename = "where")]
    location: Option<StoredLine>,
    price: Option<StoredPrice>,
}

#[derive(Deserialize)]
struct StoredLine {
    file: PathBuf,
    line: u32,
}

#[derive(Deserialize)]
struct StoredPrice {
    step_time_ratio: f64,
    spread: (f64, f64),
}

/// That part of a record's report; nothing where there is no such report or it makes no sense.
pub fn report(recorded: &Recorded) -> Stored {
    let document = recorded.document("report.json").ok().flatten();
    let document = document.and_then(|bytes| serde_json::from_slice::<Document>(&bytes).ok());
    document.map_or_else(Stored::default, |document| Stored {
        blame: document.blame.map(blame),
        not_checked: document.not_checked,
        picture: document.picture,
    })
}

fn blame(stored: StoredBlame) -> Blame {
    Blame {
        causes: stored.causes.into_iter().map(cause).collect(),
        pins: stored.pin_levels.into_iter().map(|(id, level)| (SettingId::new(id), Level::new(level))).collect(),
        runs_used: stored.runs_used,
        steps_used: stored.steps_used,
        history: stored.history,
    }
}

fn cause(stored: StoredCause) -> Cause {
    Cause {
        id: stored.id,
        grade: match stored.grade.as_str() {
            "proved" => Grade::Proved,
            "likely" => Grade::Likely,
            _ => Grade::Suspected,
        },
        summary: stored.summary,
        evidence: stored.evidence,
        remedy: stored.remedy,
        location: stored.location.map(|at| SourceLine { file: at.file, line: at.line }),
        price: stored.price.map(|price| Price { step_time_ratio: price.step_time_ratio, spread: price.spread }),
    }
}
