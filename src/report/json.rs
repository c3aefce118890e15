//! `--format json`: the published document, converted by hand; its schema is `docs/report.schema.json`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, PrettyFormatter};
use serde_json::{Map, Value, json};

use super::{Listing, ReportFormat, Style, checkpoint, untrusted, words};
use crate::model::{
    Attempt, Audit, Blame, Cause, Confidence, Divergence, Effect, Environment, Level, LevelPrice, Outcome, Price,
    Resolution, Run, SettingId, Stage, TreatmentResult,
};

/// The published document.
pub struct Json;

impl ReportFormat for Json {
    fn id(&self) -> &'static str {
        "json"
    }

    fn describe(&self) -> &'static str {
        "one document for programs, as published in docs/report.schema.json"
    }

    fn write(&self, audit: &Audit, _style: Style, out: &mut dyn Write) -> io::Result<()> {
        write_document(&document(audit), out)
    }

    fn write_listing(&self, listing: &Listing, _style: Style, out: &mut dyn Write) -> Option<io::Result<()>> {
        Some(write_document(&listing.json, out))
    }
}

/// Writes one JSON document and a final line end.
pub fn write_document(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Careful(PrettyFormatter::new()));
    value.serialize(&mut serializer)?;
    writeln!(out)
}

/// Pretty JSON in which characters that a terminal would obey, or that hide text, are escaped: the same document, safe
/// to look at.
struct Careful<'a>(PrettyFormatter<'a>);

impl Formatter for Careful<'_> {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(untrusted::is_hidden) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let hidden = rest[at..].chars().next().unwrap_or_default();
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }
}

/// The document of an audit.
pub fn document(audit: &Audit) -> Value {
    let mut document = json!({
        "schema": "repro-audit.report/1",
        "command": audit.command,
        "version": env!("CARGO_PKG_VERSION"),
        "verdict": audit.verdict.word(),
        "reason": audit.reason,
        "tolerance": audit.tolerance.to_string(),
        "metric": audit.metric,
        "resolution": audit.resolution.as_ref().map(resolution),
        "divergence": audit.divergence.as_ref().map(divergence),
        "also_diverged": audit.also_diverged.iter().map(divergence).collect::<Vec<_>>(),
        "runs": audit.runs.iter().map(run).collect::<Vec<_>>(),
        "treatments": audit.treatments.iter().map(treatment).collect::<Vec<_>>(),
        "effects": audit.effects.iter().map(effect).collect::<Vec<_>>(),
        "blame": audit.blame.as_ref().map(blame),
        "confidence": audit.confidence.as_ref().map(confidence),
        "not_checked": audit.not_checked,
        "warnings": audit.warnings,
        "next": audit.next,
        "environment": audit.environment.as_ref().map(environment),
        "environments": audit.environments.iter().map(|(name, of)| (name.clone(), environment(of))).collect::<Map<_, _>>(),
        "record": audit.record.as_ref().map(|path| path.to_string_lossy()),
    });
    if !audit.picture.is_empty() {
        document["picture"] = json!(audit.picture);
    }
    if let Some(compared) = checkpoint::document(audit) {
        document["checkpoint"] = compared;
    }
    document
}

/// A number; NaN and infinities, which JSON lacks, as strings.
pub fn number(value: f64) -> Value {
    if value.is_nan() {
        json!("nan")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "inf" } else { "-inf" })
    } else {
        json!(value)
    }
}

/// An epoch: a whole number where it is one.
pub fn epoch(epoch: Option<f64>) -> Value {
    match epoch {
        Some(epoch) if epoch.fract() == 0.0 && epoch.abs() < 1e15 => json!(epoch as i64),
        Some(epoch) => number(epoch),
        None => Value::Null,
    }
}

/// The facts of an environment.
pub fn environment(environment: &Environment) -> Value {
    environment.facts.iter().map(|(name, fact)| (name.clone(), json!(fact))).collect::<Map<_, _>>().into()
}

fn resolution(resolution: &Resolution) -> Value {
    json!({
        "source": resolution.source.word(),
        "decimals": resolution.decimals,
        "note": resolution.note,
    })
}

fn divergence(divergence: &Divergence) -> Value {
    let values = divergence.values.iter().map(|value| {
        json!({
            "run": value.run,
            "text": value.text.as_ref().map(|text| text.as_str()),
            "value": value.value.map(number),
            "line": value.line,
        })
    });
    json!({
        "step": divergence.position.step,
        "epoch": epoch(divergence.position.epoch),
        "segment": divergence.position.segment,
        "index": divergence.index,
        "metric": divergence.metric,
        "rank": divergence.rank,
        "kind": divergence.kind.word(),
        "stage": divergence.stage.map(Stage::word),
        "values": values.collect::<Vec<_>>(),
        "absolute": divergence.absolute.map(number),
        "relative": divergence.relative.map(number),
        "ulps": divergence.ulps,
    })
}

fn levels<'a>(levels: impl IntoIterator<Item = (&'a SettingId, &'a Level)>) -> Value {
    levels.into_iter().map(|(id, level)| (id.to_string(), json!(level.as_str()))).collect::<Map<_, _>>().into()
}

fn run(run: &Run) -> Value {
    let attempts = run.attempts.iter().map(attempt);
    json!({
        "id": run.id,
        "treatment": run.treatment,
        "replicate": run.replicate,
        "settings": levels(&run.settings),
        "read_back": levels(&run.read_back),
        "status": run.status.word(),
        "exit_code": run.exit_code,
        "signal": run.signal,
        "points": run.points,
        "seconds": run.duration.as_secs_f64(),
        "node": run.node,
        "attempts": attempts.collect::<Vec<_>>(),
        "log": run.log.to_string_lossy(),
        "last_words": run.last_words,
    })
}

/// `state` is the older name of `status`.
fn attempt(attempt: &Attempt) -> Value {
    json!({
        "id": attempt.id,
        "node": attempt.node,
        "status": attempt.state,
        "state": attempt.state,
        "reason": attempt.reason,
    })
}

fn treatment(result: &TreatmentResult) -> Value {
    let (outcome, reason) = match &result.outcome {
        Some(Outcome::Agreed) => ("same", None),
        Some(Outcome::Diverged(_)) => ("diverged", None),
        Some(Outcome::Unresolved(why)) => ("unresolved", Some(why)),
        None => ("skipped", None),
    };
    json!({
        "id": result.treatment.id,
        "settings": levels(&result.treatment.settings),
        "outcome": outcome,
        "reason": reason,
        "divergence": words::divergence_of(result).map(divergence),
        "runs": result.runs,
        "notes": result.notes,
    })
}

fn effect(effect: &Effect) -> Value {
    let confounded = effect.confounded_with.iter().map(SettingId::as_str).collect::<Vec<_>>();
    json!({
        "setting": effect.setting.as_str(),
        "levels": effect.levels,
        "changes_repeatability": effect.changes_repeatability,
        "changes_result": effect.changes_result,
        "step": effect.onset.and_then(|onset| onset.step),
        "epoch": epoch(effect.onset.and_then(|onset| onset.epoch)),
        "prices": effect.prices.iter().map(level_price).collect::<Vec<_>>(),
        "confounded_with": confounded,
    })
}

fn blame(blame: &Blame) -> Value {
    json!({
        "causes": blame.causes.iter().map(cause).collect::<Vec<_>>(),
        "pins": blame.pins.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        "pin_levels": levels(blame.pins.iter().map(|(id, level)| (id, level))),
        "runs_used": blame.runs_used,
        "steps_used": blame.steps_used,
        "history": blame.history,
    })
}

fn cause(cause: &Cause) -> Value {
    json!({
        "id": cause.id,
        "grade": cause.grade.word(),
        "summary": cause.summary,
        "evidence": cause.evidence,
        "remedy": cause.remedy,
        "where": cause.location.as_ref().map(|at| json!({ "file": at.file.to_string_lossy(), "line": at.line })),
        "price": cause.price.as_ref().map(price),
    })
}

fn level_price(of: &LevelPrice) -> Value {
    let told = of.price.as_ref();
    json!({
        "level": of.level,
        "step_time_ratio": told.ok().map(|price| number(price.step_time_ratio)),
        "spread": told.ok().map(|price| [number(price.spread.0), number(price.spread.1)]),
        "not_measurable": told.err(),
    })
}

fn price(price: &Price) -> Value {
    json!({
        "step_time_ratio": number(price.step_time_ratio),
        "spread": [number(price.spread.0), number(price.spread.1)],
    })
}

fn confidence(confidence: &Confidence) -> Value {
    let missed = confidence
        .missed
        .iter()
        .map(|missed| json!({ "rate": number(missed.rate), "probability": number(missed.probability) }));
    json!({
        "repeats": confidence.repeats,
        "statement": confidence.statement,
        "missed": missed.collect::<Vec<_>>(),
    })
}
