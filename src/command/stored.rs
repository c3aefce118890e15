//! An audit as its own report tells it: the document that `report::json` wrote, read back. What is in no document (curves,
//! the points and lines around a divergence) is left empty.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::model::{
    Attempt, Audit, Blame, Cause, Confidence, Divergence, Effect, Environment, Grade, Kind, Level, LevelPrice, Missed,
    Outcome, Position, Price, Resolution, Run, RunValue, SettingId, Source, SourceLine, Stage, Status, Token,
    Treatment, TreatmentResult, Verdict,
};
use crate::record::Recorded;

/// What the report of a record says; `None` where there is no report, or it makes no sense.
pub fn audit(recorded: &Recorded) -> Option<Audit> {
    let bytes = recorded.document("report.json").ok().flatten()?;
    let document: Document = serde_json::from_slice(&bytes).ok()?;
    Some(Audit { record: Some(recorded.folder.clone()), ..document.into_audit() })
}

type Levels = BTreeMap<String, String>;
type Facts = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Document {
    command: String,
    #[serde(deserialize_with = "verdict")]
    verdict: Verdict,
    reason: String,
    #[serde(default)]
    tolerance: Option<String>,
    metric: Option<String>,
    resolution: Option<StoredResolution>,
    divergence: Option<StoredDivergence>,
    #[serde(default)]
    also_diverged: Vec<StoredDivergence>,
    runs: Vec<StoredRun>,
    treatments: Vec<StoredTreatment>,
    effects: Vec<StoredEffect>,
    blame: Option<StoredBlame>,
    confidence: Option<StoredConfidence>,
    #[serde(default)]
    not_checked: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    next: Vec<String>,
    #[serde(default)]
    environment: Option<Facts>,
    #[serde(default)]
    environments: BTreeMap<String, Facts>,
    #[serde(default)]
    picture: Vec<String>,
}

#[derive(Deserialize)]
struct StoredResolution {
    #[serde(deserialize_with = "source")]
    source: Source,
    decimals: Option<u32>,
    note: String,
}

#[derive(Deserialize)]
struct StoredDivergence {
    step: Option<i64>,
    #[serde(deserialize_with = "number")]
    epoch: Option<f64>,
    #[serde(default)]
    segment: u32,
    index: usize,
    metric: String,
    #[serde(default)]
    rank: Option<u32>,
    #[serde(deserialize_with = "kind")]
    kind: Kind,
    #[serde(deserialize_with = "stage")]
    stage: Option<Stage>,
    values: Vec<StoredValue>,
    #[serde(deserialize_with = "number")]
    absolute: Option<f64>,
    #[serde(deserialize_with = "number")]
    relative: Option<f64>,
    ulps: Option<u64>,
}

#[derive(Deserialize)]
struct StoredValue {
    run: String,
    text: Option<String>,
    #[serde(deserialize_with = "number")]
    value: Option<f64>,
    line: Option<u64>,
}

#[derive(Deserialize)]
struct StoredRun {
    id: String,
    treatment: String,
    replicate: u32,
    settings: Levels,
    read_back: Levels,
    #[serde(deserialize_with = "status")]
    status: Status,
    exit_code: Option<i32>,
    signal: Option<i32>,
    points: usize,
    seconds: f64,
    node: String,
    attempts: Vec<StoredAttempt>,
    log: PathBuf,
    #[serde(default)]
    last_words: Vec<String>,
}

#[derive(Deserialize)]
struct StoredAttempt {
    id: String,
    node: String,
    status: String,
    reason: String,
}

#[derive(Deserialize)]
struct StoredTreatment {
    id: String,
    settings: Levels,
    outcome: String,
    #[serde(default)]
    reason: Option<String>,
    divergence: Option<StoredDivergence>,
    runs: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct StoredEffect {
    setting: String,
    levels: Vec<String>,
    changes_repeatability: Option<bool>,
    changes_result: Option<bool>,
    step: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    epoch: Option<f64>,
    #[serde(default)]
    prices: Vec<StoredLevelPrice>,
    #[serde(default)]
    confounded_with: Vec<String>,
}

#[derive(Deserialize)]
struct StoredLevelPrice {
    level: String,
    step_time_ratio: Option<Value>,
    spread: Option<[Value; 2]>,
    #[serde(default)]
    not_measurable: Option<String>,
}

#[derive(Deserialize)]
struct StoredBlame {
    causes: Vec<StoredCause>,
    #[serde(default)]
    pin_levels: Levels,
    runs_used: usize,
    steps_used: u64,
    #[serde(default)]
    history: Vec<String>,
}

#[derive(Deserialize)]
struct StoredCause {
    id: String,
    #[serde(deserialize_with = "grade")]
    grade: Grade,
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
    #[serde(deserialize_with = "real")]
    step_time_ratio: f64,
    spread: [Value; 2],
}

#[derive(Deserialize)]
struct StoredConfidence {
    repeats: usize,
    statement: String,
    missed: Vec<StoredMissed>,
}

#[derive(Deserialize)]
struct StoredMissed {
    #[serde(deserialize_with = "real")]
    rate: f64,
    #[serde(deserialize_with = "real")]
    probability: f64,
}

impl Document {
    fn into_audit(self) -> Audit {
        let environment = |facts| Environment { facts };
        Audit {
            verdict: self.verdict,
            reason: self.reason,
            tolerance: self.tolerance.and_then(|rule| rule.parse().ok()).unwrap_or_default(),
            metric: self.metric,
            resolution: self.resolution.map(|of| Resolution {
                source: of.source,
                decimals: of.decimals,
                note: of.note,
            }),
            divergence: self.divergence.map(divergence),
            also_diverged: self.also_diverged.into_iter().map(divergence).collect(),
            picture: self.picture,
            runs: self.runs.into_iter().map(run).collect(),
            treatments: self.treatments.into_iter().map(treatment).collect(),
            effects: self.effects.into_iter().map(effect).collect(),
            blame: self.blame.map(blame),
            confidence: self.confidence.map(confidence),
            not_checked: self.not_checked,
            warnings: self.warnings,
            next: self.next,
            environments: self.environments.into_iter().map(|(name, facts)| (name, environment(facts))).collect(),
            environment: self.environment.map(environment),
            ..Audit::blank(&self.command)
        }
    }
}

fn divergence(stored: StoredDivergence) -> Divergence {
    let value = |value: StoredValue| RunValue {
        run: value.run,
        text: value.text.map(|text| Token::new(&text)),
        value: value.value,
        line: value.line,
    };
    Divergence {
        position: Position { segment: stored.segment, epoch: stored.epoch, step: stored.step },
        index: stored.index,
        metric: stored.metric,
        rank: stored.rank,
        kind: stored.kind,
        stage: stored.stage,
        values: stored.values.into_iter().map(value).collect(),
        absolute: stored.absolute,
        relative: stored.relative,
        ulps: stored.ulps,
    }
}

fn run(stored: StoredRun) -> Run {
    let attempt = |of: StoredAttempt| Attempt { id: of.id, node: of.node, state: of.status, reason: of.reason };
    Run {
        id: stored.id,
        treatment: stored.treatment,
        replicate: stored.replicate,
        settings: levels(stored.settings),
        read_back: levels(stored.read_back),
        status: stored.status,
        exit_code: stored.exit_code,
        signal: stored.signal,
        points: stored.points,
        duration: Duration::try_from_secs_f64(stored.seconds).unwrap_or_default(),
        node: stored.node,
        attempts: stored.attempts.into_iter().map(attempt).collect(),
        log: stored.log,
        last_words: stored.last_words,
    }
}

fn treatment(stored: StoredTreatment) -> TreatmentResult {
    let outcome = match (stored.outcome.as_str(), stored.divergence) {
        ("same", _) => Some(Outcome::Agreed),
        ("diverged", Some(of)) => Some(Outcome::Diverged(divergence(of))),
        ("skipped", _) => None,
        _ => Some(Outcome::Unresolved(stored.reason.unwrap_or_default())),
    };
    TreatmentResult {
        treatment: Treatment { id: stored.id, settings: levels(stored.settings) },
        outcome,
        notes: stored.notes,
        runs: stored.runs,
    }
}

fn effect(stored: StoredEffect) -> Effect {
    let onset = Position { segment: 0, epoch: stored.epoch, step: stored.step };
    Effect {
        setting: SettingId::new(stored.setting),
        levels: stored.levels,
        changes_repeatability: stored.changes_repeatability,
        changes_result: stored.changes_result,
        onset: (onset != Position::default()).then_some(onset),
        prices: stored.prices.into_iter().map(level_price).collect(),
        confounded_with: stored.confounded_with.into_iter().map(SettingId::new).collect(),
    }
}

fn level_price(stored: StoredLevelPrice) -> LevelPrice {
    let measured = stored.step_time_ratio.as_ref().and_then(as_number).zip(stored.spread);
    let price = measured.map(|(step_time_ratio, spread)| price(StoredPrice { step_time_ratio, spread }));
    LevelPrice { level: stored.level, price: price.ok_or_else(|| stored.not_measurable.unwrap_or_default()) }
}

fn price(stored: StoredPrice) -> Price {
    let [low, high] = stored.spread.map(|bound| as_number(&bound).unwrap_or(f64::NAN));
    Price { step_time_ratio: stored.step_time_ratio, spread: (low, high) }
}

fn blame(stored: StoredBlame) -> Blame {
    Blame {
        causes: stored.causes.into_iter().map(cause).collect(),
        pins: levels(stored.pin_levels).into_iter().collect(),
        runs_used: stored.runs_used,
        steps_used: stored.steps_used,
        history: stored.history,
    }
}

fn cause(stored: StoredCause) -> Cause {
    Cause {
        id: stored.id,
        grade: stored.grade,
        summary: stored.summary,
        evidence: stored.evidence,
        remedy: stored.remedy,
        location: stored.location.map(|at| SourceLine { file: at.file, line: at.line }),
        price: stored.price.map(price),
    }
}

fn confidence(stored: StoredConfidence) -> Confidence {
    let missed = |of: StoredMissed| Missed { rate: of.rate, probability: of.probability };
    Confidence {
        repeats: stored.repeats,
        statement: stored.statement,
        missed: stored.missed.into_iter().map(missed).collect(),
    }
}

fn levels(stored: Levels) -> BTreeMap<SettingId, Level> {
    stored.into_iter().map(|(id, level)| (SettingId::new(id), Level::new(level))).collect()
}

/// A number; NaN and infinities, which JSON lacks, are the strings that Rust reads.
fn as_number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Value::deserialize(from).map(|value| as_number(&value))
}

fn real<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    number(from).map(|number| number.unwrap_or(f64::NAN))
}

fn verdict<'de, D: Deserializer<'de>>(from: D) -> Result<Verdict, D::Error> {
    one_of(&Verdict::ALL, Verdict::word, from)
}

fn grade<'de, D: Deserializer<'de>>(from: D) -> Result<Grade, D::Error> {
    one_of(&Grade::ALL, Grade::word, from)
}

fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
    one_of(&Kind::ALL, Kind::word, from)
}

fn source<'de, D: Deserializer<'de>>(from: D) -> Result<Source, D::Error> {
    one_of(&Source::ALL, Source::word, from)
}

fn status<'de, D: Deserializer<'de>>(from: D) -> Result<Status, D::Error> {
    one_of(&Status::ALL, Status::word, from)
}

fn stage<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Stage>, D::Error> {
    let word = Option::<String>::deserialize(from)?;
    Ok(word.and_then(|word| Stage::ALL.into_iter().find(|stage| stage.word() == word)))
}

/// The one of `all` that goes by the word that is read.
fn one_of<'de, T: Copy, D: Deserializer<'de>>(all: &[T], word: fn(T) -> &'static str, from: D) -> Result<T, D::Error> {
    let read = String::deserialize(from)?;
    let known = all.iter().copied().find(|one| word(*one) == read);
    known.ok_or_else(|| serde::de::Error::custom(format!("`{read}` is not known here")))
}
