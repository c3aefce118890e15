//! Flight records to plain values. The files come from the job's side and are not trusted: sizes are bounded, nothing
//! panics, a torn last line is dropped and counted.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::model::SourceLine;
use crate::model::flight::{
    Alert, AppliedLevel, DisturbedSeed, ExactNumber, Flight, FlightItem, FlightProcess, FlightStep, GivenItem,
    Operation, Overridden, SavedCheckpoint, SeedCall, TracedPlace,
};

/// The format that this reader understands.
const FORMAT: &str = "repro-audit.flight/1";
/// Most files read of one run.
const MOST_FILES: usize = 4096;
/// Most bytes read of one file.
const MOST_BYTES: u64 = 300 << 20;
/// Most bytes of one line.
const LONGEST_LINE: usize = 8 << 20;
/// Most records of a kind kept.
const MOST_RECORDS: usize = 2_000_000;
/// Most items, numbers or names in one record.
const MOST_PARTS: usize = 8192;

/// Reads every flight record in `folder`; a folder without any gives a flight without processes.
pub fn read(folder: &Path) -> Result<Flight> {
    let mut flight = Flight::default();
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let path = entry.map_err(Error::file("read", folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let plain = fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_file());
        if !plain {
            continue;
        }
        if name == "entered.jsonl" {
            let bytes = bounded(&path)?;
            flight.entered = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        } else if name.starts_with("flight-") && name.ends_with(".jsonl") {
            names.push(path);
        }
    }
    names.sort();
    if names.len() > MOST_FILES {
        flight.notes.push(format!("{} flight records, only {MOST_FILES} of them read", names.len()));
        names.truncate(MOST_FILES);
    }
    for path in names {
        let process = process(&path, &bounded(&path)?);
        if process.dropped > 0 {
            flight.notes.push(format!("{}: {} lines dropped", process.file, process.dropped));
        }
        flight.processes.push(process);
    }
    flight.processes.sort_by(|a, b| (a.rank, &a.role, &a.file).cmp(&(b.rank, &b.role, &b.file)));
    flight.entered = flight.entered.max(flight.processes.len());
    Ok(flight)
}

/// The bytes of a file, no more than the bound.
fn bounded(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(Error::file("read", path))?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    Ok(bytes)
}

/// One file to one process. Any bytes give an answer.
pub fn process(path: &Path, bytes: &[u8]) -> FlightProcess {
    let mut process = FlightProcess {
        file: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        ..FlightProcess::default()
    };
    let mut rest = bytes;
    let mut first = true;
    while !rest.is_empty() {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            process.dropped += 1; // torn: the process died while it wrote
            break;
        };
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        let parsed = if line.len() > LONGEST_LINE { None } else { serde_json::from_slice::<Value>(line).ok() };
        let kept = parsed.is_some_and(|record| take(&mut process, &record, first).is_some());
        if !kept {
            process.dropped += 1;
        }
        first = false;
    }
    process
}

/// Puts one record where it belongs; `None` where it makes no sense.
fn take(process: &mut FlightProcess, record: &Value, first: bool) -> Option<()> {
    let kind = record.get("r")?.as_str()?;
    if first && (kind != "hello" || text(record, "format").as_deref() != Some(FORMAT)) {
        return None;
    }
    match kind {
        "hello" => hello(process, record),
        "libraries" => facts(process, record),
        "apply" => push(&mut process.applied, applied(record)?)?,
        "override" => push(&mut process.overrides, overridden(record)?)?,
        "seed" => push(&mut process.seeds, seed(record)?)?,
        "disturbed" => push(&mut process.disturbed, disturbed(record)?)?,
        "loader" => push(&mut process.loaders, pairs(record))?,
        "start" => process.start = Some(step(record)),
        "batch" => push(&mut process.batches, text(record, "d")?)?,
        "step" => push(&mut process.steps, step(record))?,
        "output" => push(&mut process.outputs, step(record))?,
        "alert" => push(&mut process.alerts, Alert { operation: text(record, "operation")?, at: line(record) })?,
        "trace" => trace(process, record)?,
        "op" => push(&mut process.operations, operation(record)?)?,
        "save" => push(&mut process.saves, saved(record)?)?,
        "load" => push(&mut process.loads, PathBuf::from(text(record, "path")?))?,
        "given" => push(&mut process.given, given(record)?)?,
        "interrupted" => process.interrupted = true,
        "fault" => push(&mut process.faults, format!("{}: {}", text(record, "where")?, text(record, "error")?))?,
        "end" => process.ended = Some(text(record, "why")?),
        _ => {} // a record of a later version
    }
    Some(())
}

/// Keeps a record unless there are too many of its kind.
fn push<T>(kept: &mut Vec<T>, record: T) -> Option<()> {
    (kept.len() < MOST_RECORDS).then(|| kept.push(record))
}

/// A value as text: a string as it is, numbers and booleans as written, null and the rest not at all.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text(record: &Value, name: &str) -> Option<String> {
    plain(record.get(name)?)
}

fn number(record: &Value, name: &str) -> Option<u64> {
    record.get(name)?.as_u64()
}

fn line(record: &Value) -> Option<SourceLine> {
    let line = u32::try_from(number(record, "line")?).ok()?;
    Some(SourceLine { file: PathBuf::from(text(record, "file")?), line })
}

fn pairs(record: &Value) -> Vec<(String, String)> {
    let Some(object) = record.as_object() else { return Vec::new() };
    let told = object.iter().filter(|(name, _)| *name != "r").take(MOST_PARTS);
    told.filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect()
}

fn hello(process: &mut FlightProcess, record: &Value) {
    process.pid = number(record, "pid").unwrap_or(0);
    process.parent = number(record, "ppid").unwrap_or(0);
    process.rank = number(record, "rank");
    process.role = text(record, "role").unwrap_or_default();
    let arguments = record.get("argv").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    process.arguments = arguments.iter().take(MOST_PARTS).filter_map(plain).collect();
    facts(process, record);
}

/// Versions and flags; those told later replace those told before.
fn facts(process: &mut FlightProcess, record: &Value) {
    let mut told = pairs(record);
    if let Some(flags) = record.get("flags") {
        told.extend(pairs(flags));
    }
    for (name, value) in told {
        let room = process.facts.len() < MOST_PARTS;
        match process.facts.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None if room => process.facts.push((name, value)),
            None => {}
        }
    }
}

fn applied(record: &Value) -> Option<AppliedLevel> {
    Some(AppliedLevel {
        setting: text(record, "setting")?,
        asked: text(record, "asked")?,
        read_back: text(record, "read_back"),
        ok: record.get("ok")?.as_bool()?,
        note: text(record, "note"),
        phase: text(record, "phase").unwrap_or_default(),
    })
}

fn overridden(record: &Value) -> Option<Overridden> {
    Some(Overridden { setting: text(record, "setting")?, asked: text(record, "asked")?, at: line(record) })
}

fn seed(record: &Value) -> Option<SeedCall> {
    Some(SeedCall {
        generator: text(record, "generator")?,
        how: text(record, "how")?,
        value: text(record, "value"),
        by_user: text(record, "by")? == "user",
        used_before: record.get("used_before").and_then(Value::as_bool),
        at: line(record),
    })
}

fn disturbed(record: &Value) -> Option<DisturbedSeed> {
    let (how, asked, given) = (text(record, "how")?, text(record, "asked")?, text(record, "given")?);
    Some(DisturbedSeed { how, asked, given, at: line(record) })
}

fn trace(process: &mut FlightProcess, record: &Value) -> Option<()> {
    let place = TracedPlace {
        source: text(record, "source")?,
        what: text(record, "what")?,
        kind: text(record, "kind")?,
        at: line(record)?,
        function: text(record, "function").unwrap_or_default(),
        count: number(record, "count").unwrap_or(1),
        order: number(record, "order").unwrap_or(0),
        worker: number(record, "worker"),
        entries: number(record, "entries"),
    };
    let same = |known: &&mut TracedPlace| {
        known.source == place.source && known.what == place.what && known.kind == place.kind && known.at == place.at
    };
    let room = process.trace.len() < MOST_PARTS;
    match process.trace.iter_mut().find(same) {
        Some(known) => *known = place, // told again with its final count
        None if room => process.trace.push(place),
        None => return None,
    }
    Some(())
}

fn operation(record: &Value) -> Option<Operation> {
    Some(Operation {
        number: number(record, "n")?,
        name: text(record, "name")?,
        inputs: text(record, "in")?,
        outputs: text(record, "out")?,
        random: record.get("random").and_then(Value::as_bool).unwrap_or(false),
        at: line(record),
    })
}

fn saved(record: &Value) -> Option<SavedCheckpoint> {
    Some(SavedCheckpoint {
        steps: number(record, "steps")?,
        path: text(record, "path").map(PathBuf::from),
        taken: number(record, "taken"),
    })
}

fn given(record: &Value) -> Option<GivenItem> {
    Some(GivenItem {
        item: text(record, "item")?,
        differs: record.get("differs")?.as_bool()?,
        given: record.get("given")?.as_bool()?,
        rounded: text(record, "rounded"),
    })
}

fn step(record: &Value) -> FlightStep {
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

/// A half-precision float, by its parts.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"r":"hello","format":"repro-audit.flight/1","pid":7,"ppid":1,"rank":null,"role":"main"}"#;
    const STEP: &str =
        r#"{"r":"step","n":0,"opt":0,"t":5,"items":[["rng.torch","ab",true,true],["loss",[["3f800000","float32"]]]]}"#;

    fn read(text: &str) -> FlightProcess {
        process(Path::new("flight-main-7.jsonl"), text.as_bytes())
    }

    #[test]
    fn drops_a_torn_last_line_and_counts_it() {
        let whole = read(&format!("{HELLO}\n{STEP}\n"));
        let torn = read(&format!("{HELLO}\n{STEP}\n{}", &STEP[..40]));
        assert_eq!((whole.steps.len(), whole.dropped), (1, 0));
        assert_eq!((torn.steps.len(), torn.dropped), (1, 1));
    }

    #[test]
    fn gives_the_loss_with_its_exact_bits() {
        let losses = read(&format!("{HELLO}\n{STEP}\n")).losses();
        assert_eq!((losses[0].bits, losses[0].value), (0x3f80_0000, 1.0));
    }

    #[test]
    fn reads_half_precision() {
        assert_eq!([half(0x3c00), half(0xc000), half(1)], [1.0, -2.0, 2f64.powi(-24)]);
    }

    #[test]
    fn survives_any_cut_and_any_wrong_byte() {
        let text = format!("{HELLO}\n{STEP}\n{STEP}\n");
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 0x15;
            let wrong = process(Path::new("f"), &bytes);
            let cut = process(Path::new("f"), &bytes[..at]);
            assert!(wrong.steps.len() <= 2 && cut.steps.len() <= 2);
        }
    }

    #[test]
    fn takes_nothing_from_a_file_of_another_format() {
        let other = read("{\"r\":\"hello\",\"format\":\"other/9\"}\n");
        assert_eq!((other.pid, other.dropped), (0, 1));
    }
}
