//! Fields of one record to plain values; `None` where a field that must be there is not, or is of another type.

use std::path::PathBuf;

use serde_json::Value;

use crate::model::flight::{
    Alert, AppliedLevel, DisturbedSeed, Drilled, ExactNumber, FlightItem, FlightProcess, FlightStep, GivenItem,
    Operation, Overridden, SavedCheckpoint, SeedCall, TracedPlace,
};
use crate::model::{SourceLine, half};

/// Most items, numbers or names taken of one record.
const MOST_PARTS: usize = 8192;
/// Most versions and flags of a process.
const MOST_FACTS: usize = 512;

/// A value as text: a string as it is, numbers and booleans as written, null and the rest not at all.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

pub fn text(record: &Value, name: &str) -> Option<String> {
    plain(record.get(name)?)
}

pub fn number(record: &Value, name: &str) -> Option<u64> {
    record.get(name)?.as_u64()
}

pub fn line(record: &Value) -> Option<SourceLine> {
    let line = u32::try_from(number(record, "line")?).ok()?;
    Some(SourceLine { file: PathBuf::from(text(record, "file")?), line })
}

pub fn pairs(record: &Value) -> Vec<(String, String)> {
    let Some(object) = record.as_object() else { return Vec::new() };
    let told = object.iter().filter(|(name, _)| *name != "r").take(MOST_PARTS);
    told.filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect()
}

pub fn hello(process: &mut FlightProcess, record: &Value) {
    process.pid = number(record, "pid").unwrap_or(0);
    process.parent = number(record, "ppid").unwrap_or(0);
    process.rank = number(record, "rank");
    process.role = text(record, "role").unwrap_or_default();
    let arguments = record.get("argv").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    process.arguments = arguments.iter().take(MOST_PARTS).filter_map(plain).collect();
    facts(process, record);
}

/// Versions and flags; those told later replace those told before.
pub fn facts(process: &mut FlightProcess, record: &Value) {
    let mut told = pairs(record);
    if let Some(flags) = record.get("flags") {
        told.extend(pairs(flags));
    }
    for (name, value) in told {
        let room = process.facts.len() < MOST_FACTS;
        match process.facts.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None if room => process.facts.push((name, value)),
            None => {}
        }
    }
}

/// An error of the shim's own: of a hold, whose settings it names, or else of the recording.
pub fn fault(process: &mut FlightProcess, record: &Value) -> Option<()> {
    let error = format!("{}: {}", text(record, "where")?, text(record, "error")?);
    let settings = record.get("settings").and_then(Value::as_array);
    match settings {
        Some(settings) => {
            let told = settings.iter().take(MOST_PARTS).filter_map(plain);
            process.given_up.extend(told.map(|setting| (setting, error.clone())));
        }
        None => process.faults.push(error),
    }
    Some(())
}

pub fn applied(record: &Value) -> Option<AppliedLevel> {
    Some(AppliedLevel {
        setting: text(record, "setting")?,
        asked: text(record, "asked")?,
        read_back: text(record, "read_back"),
        ok: record.get("ok")?.as_bool()?,
        note: text(record, "note"),
        phase: text(record, "phase").unwrap_or_default(),
        by_job: record.get("by_job").and_then(Value::as_bool).unwrap_or(false),
    })
}

pub fn overridden(record: &Value) -> Option<Overridden> {
    Some(Overridden { setting: text(record, "setting")?, asked: text(record, "asked")?, at: line(record) })
}

pub fn seed(record: &Value) -> Option<SeedCall> {
    Some(SeedCall {
        generator: text(record, "generator")?,
        how: text(record, "how")?,
        value: text(record, "value"),
        by_user: text(record, "by")? == "user",
        used_before: record.get("used_before").and_then(Value::as_bool),
        at: line(record),
    })
}

pub fn disturbed(record: &Value) -> Option<DisturbedSeed> {
    let (how, asked, given) = (text(record, "how")?, text(record, "asked")?, text(record, "given")?);
    Some(DisturbedSeed { how, asked, given, at: line(record) })
}

pub fn place(record: &Value) -> Option<TracedPlace> {
    Some(TracedPlace {
        source: text(record, "source")?,
        what: text(record, "what")?,
        kind: text(record, "kind")?,
        at: line(record)?,
        function: text(record, "function").unwrap_or_default(),
        count: number(record, "count").unwrap_or(1),
        order: number(record, "order").unwrap_or(0),
        worker: number(record, "worker"),
        entries: number(record, "entries"),
    })
}

pub fn drilled(record: &Value) -> Option<Drilled> {
    let count = |name: &str| record.get(name)?.as_u64();
    Some(Drilled {
        again: count("again")?,
        late: count("late")?,
        failed: count("failed")?,
        error: text(record, "error"),
    })
}

pub fn alert(record: &Value) -> Option<Alert> {
    Some(Alert { operation: text(record, "operation")?, device: text(record, "device"), at: line(record) })
}

pub fn operation(record: &Value) -> Option<Operation> {
    Some(Operation {
        number: number(record, "n")?,
        name: text(record, "name")?,
        inputs: text(record, "in")?,
        outputs: text(record, "out")?,
        random: record.get("random").and_then(Value::as_bool).unwrap_or(false),
        at: line(record),
    })
}

pub fn saved(record: &Value) -> Option<SavedCheckpoint> {
    Some(SavedCheckpoint {
        steps: number(record, "steps")?,
        path: text(record, "path").map(PathBuf::from),
        taken: number(record, "taken"),
    })
}

pub fn given(record: &Value) -> Option<GivenItem> {
    Some(GivenItem {
        item: text(record, "item")?,
        differs: record.get("differs")?.as_bool()?,
        given: record.get("given")?.as_bool()?,
        rounded: text(record, "rounded"),
    })
}

pub fn step(record: &Value) -> FlightStep {
    let items = record.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let leaves = record.get("leaves").and_then(Value::as_object);
    FlightStep {
        number: number(record, "n").unwrap_or(0),
        optimizer: number(record, "opt").unwrap_or(0),
        at: number(record, "t").unwrap_or(0),
        items: items.iter().take(MOST_PARTS).filter_map(item).collect(),
        leaves: leaves.map(|all| all.iter().take(MOST_PARTS).map(leaf).collect()).unwrap_or_default(),
    }
}

fn leaf((name, values): (&String, &Value)) -> (String, Vec<String>) {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    (name.clone(), values.iter().take(MOST_PARTS).filter_map(plain).collect())
}

/// `[name, digest, moved?]`, or `[name, [[bits, type]...]]` for numbers.
fn item(value: &Value) -> Option<FlightItem> {
    let parts = value.as_array()?;
    let name = plain(parts.first()?)?;
    let moved = parts.get(2).and_then(Value::as_bool).unwrap_or(false);
    match parts.get(1)? {
        Value::Array(numbers) => {
            let numbers: Vec<ExactNumber> = numbers.iter().take(MOST_PARTS).filter_map(exact).collect();
            let digest = numbers.iter().map(|n| format!("{:x}:{}", n.bits, n.precision)).collect::<Vec<_>>().join(",");
            Some(FlightItem { name, digest, moved, numbers })
        }
        Value::Null => Some(FlightItem { name, moved, ..FlightItem::default() }),
        other => Some(FlightItem { name, digest: plain(other)?, moved, numbers: Vec::new() }),
    }
}

/// `[bits as hex, type]` to a number.
fn exact(value: &Value) -> Option<ExactNumber> {
    let parts = value.as_array()?;
    let (hex, precision) = (plain(parts.first()?)?, plain(parts.get(1)?)?);
    let bits = u64::from_str_radix(&hex, 16).ok()?;
    let value = match precision.as_str() {
        "float64" => Some(f64::from_bits(bits)),
        "float32" => u32::try_from(bits).ok().map(|bits| f64::from(f32::from_bits(bits))),
        "bfloat16" => u16::try_from(bits).ok().map(|bits| f64::from(f32::from_bits(u32::from(bits) << 16))),
        "float16" => u16::try_from(bits).ok().map(half),
        _ => None,
    };
    Some(ExactNumber { bits, precision, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_half_precision() {
        assert_eq!([half(0x3c00), half(0xc000), half(1)], [1.0, -2.0, 2f64.powi(-24)]);
    }
}
