//! What the parser saw in each file, and why it chose that reading.

use std::path::Path;

use serde_json::{Value, json};

use super::listing::{Listing, Section};
use super::{json, words};
use crate::model::{Point, Reading, Role, Series};

/// The listing of `inspect`; its JSON form is published in `docs/inspect.schema.json`.
pub fn inspect<'a>(readings: impl IntoIterator<Item = (&'a Path, &'a Reading)>) -> Listing {
    let readings: Vec<_> = readings.into_iter().map(|(path, reading)| (path.to_string_lossy(), reading)).collect();
    let files: Vec<Value> = readings.iter().map(|(path, reading)| document(path, reading)).collect();
    Listing {
        title: "a reading",
        key: Some("file"),
        sections: readings.iter().map(|(path, reading)| section(path, reading)).collect(),
        empty: "No file was given.",
        json: json!({ "schema": "repro-audit.inspect/1", "files": files }),
    }
}

fn section(path: &str, reading: &Reading) -> Section {
    let about = match reading.format.as_str() {
        "" => format!("No metrics found ({}).", reading.encoding),
        format => format!("Read as {format} ({}), {}.", reading.encoding, primary_words(reading)),
    };
    let rows = reading.series.iter().enumerate().map(|(index, series)| row(series, reading.primary == Some(index)));
    Section {
        name: path.to_owned(),
        about,
        head: vec!["metric", "role", "points", "decimals", "first at", "first", "last at", "last"],
        rows: rows.collect(),
        right: vec![2, 3, 5, 7],
        cards: false,
        notes: notes(reading),
    }
}

fn primary_words(reading: &Reading) -> String {
    match reading.primary() {
        Some(primary) => format!("{} is compared first", primary.metric),
        None => "without a loss that could be compared".to_owned(),
    }
}

fn row(series: &Series, primary: bool) -> Vec<String> {
    let end = |point: Option<&Point>| match point {
        Some(point) => [words::brief_place(&point.position), point.text.to_string()],
        None => [String::new(), String::new()],
    };
    let sampled = if series.sampled { ", sampled" } else { "" };
    let mut row = vec![
        format!("{}{}", series.metric, if primary { " *" } else { "" }),
        format!("{}{sampled}", role_words(series.role)),
        series.points.len().to_string(),
        series.decimals().map_or("-".to_owned(), |decimals| decimals.to_string()),
    ];
    row.extend(end(series.points.first()));
    row.extend(end(series.points.last()));
    row
}

fn role_words(role: Role) -> &'static str {
    match role {
        Role::TrainingLoss => "training loss",
        Role::SmoothedLoss => "smoothed loss",
        Role::ValidationLoss => "validation loss",
        Role::Other => "result",
        Role::Schedule => "schedule",
        Role::Noise => "noise",
    }
}

fn role_id(role: Role) -> &'static str {
    match role {
        Role::TrainingLoss => "training-loss",
        Role::SmoothedLoss => "smoothed-loss",
        Role::ValidationLoss => "validation-loss",
        Role::Other => "other",
        Role::Schedule => "schedule",
        Role::Noise => "noise",
    }
}

fn notes(reading: &Reading) -> Vec<String> {
    let mut notes = Vec::new();
    if !reading.noise.is_empty() {
        notes.push(format!("Noise, never compared: {}.", reading.noise.join(", ")));
    }
    notes.extend(reading.warnings.iter().map(|warning| format!("Note: {warning}")));
    // The reading that was chosen comes first; with nothing chosen all of them lost.
    for (index, candidate) in reading.candidates.iter().enumerate() {
        let word = if index == 0 && !reading.format.is_empty() { "Chosen" } else { "Not chosen" };
        notes.push(format!("{word}: {} (fits {:.0} %): {}", candidate.format, 100.0 * candidate.score, candidate.why));
    }
    notes
}

fn document(path: &str, reading: &Reading) -> Value {
    let end = |point: Option<&Point>| {
        point.map(|point| {
            json!({
                "step": point.position.step,
                "epoch": json::epoch(point.position.epoch),
                "text": point.text.as_str(),
                "value": json::number(point.value),
            })
        })
    };
    let metrics = reading.series.iter().map(|series| {
        json!({
            "name": series.metric,
            "role": role_id(series.role),
            "source": series.source.word(),
            "sampled": series.sampled,
            "points": series.points.len(),
            "decimals": series.decimals(),
            "first": end(series.points.first()),
            "last": end(series.points.last()),
        })
    });
    let candidates = reading.candidates.iter().map(
        |candidate| json!({ "format": candidate.format, "score": json::number(candidate.score), "why": candidate.why }),
    );
    json!({
        "path": path,
        "format": reading.format,
        "encoding": reading.encoding,
        "primary": reading.primary().map(|series| series.metric.as_str()),
        "metrics": metrics.collect::<Vec<_>>(),
        "noise": reading.noise,
        "warnings": reading.warnings,
        "candidates": candidates.collect::<Vec<_>>(),
    })
}
