//! Flight records to plain values. The files come from the job's side and are not trusted: sizes and memory are bounded,
//! nothing panics, a torn last line is dropped and counted.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::model::SourceLine;
use crate::model::flight::{Flight, FlightProcess};

use fields::text;
use lines::{Line, Lines};

mod fields;
mod lines;

/// The format that this reader understands.
const FORMAT: &str = "repro-audit.flight/1";
/// Most files read of one run.
const MOST_FILES: usize = 4096;
/// Most bytes read of one file: the shim itself stops at 256 MiB.
const MOST_BYTES: u64 = 300 << 20;
/// Most bytes read of one run.
const MOST_BYTES_IN_ALL: u64 = 2 << 30;
/// Most records and parts of records kept of one run; a step has some twelve parts.
const MOST_KEPT: usize = 16_000_000;
/// Most traced places of a process.
const MOST_PLACES: usize = 8192;

/// What may still be read and kept of a run.
struct Room {
    bytes: u64,
    kept: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { bytes: MOST_BYTES_IN_ALL, kept: MOST_KEPT }
    }
}

/// Reads every flight record in `folder`; a folder without any gives a flight without processes. Files of the job that lie
/// in `home`, where it was started, are told relative to it.
///
/// # Errors
/// Where the folder or a record cannot be read.
pub fn read(folder: &Path, home: &Path) -> Result<Flight> {
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
            flight.entered = entries(open(&path)?).map_err(Error::file("read", &path))?;
        } else if name.starts_with("flight-") && name.ends_with(".jsonl") {
            names.push(path);
        }
    }
    names.sort();
    if names.len() > MOST_FILES {
        flight.notes.push(format!("{} flight records, only {MOST_FILES} of them read", names.len()));
        names.truncate(MOST_FILES);
    }
    let mut room = Room::default();
    for path in names {
        let process = one(&path, open(&path)?, home, &mut room)?;
        if process.dropped > 0 {
            flight.notes.push(format!("{}: {} lines dropped", process.file, process.dropped));
        }
        flight.processes.push(process);
    }
    if room.bytes == 0 || room.kept == 0 {
        flight.notes.push("the flight records are too large to be read whole".to_owned());
    }
    flight.processes.sort_by(|a, b| (a.rank, &a.role, &a.file).cmp(&(b.rank, &b.role, &b.file)));
    flight.entered = flight.entered.max(flight.processes.len());
    Ok(flight)
}

fn open(path: &Path) -> Result<io::BufReader<fs::File>> {
    Ok(io::BufReader::new(fs::File::open(path).map_err(Error::file("read", path))?))
}

/// How many interpreters were entered: one line each.
fn entries(file: impl BufRead) -> io::Result<usize> {
    let mut count = 0;
    let mut lines = Lines::new(file.take(MOST_BYTES));
    while let Some(line) = lines.next()? {
        count += usize::from(!matches!(line, Line::Whole([])));
    }
    Ok(count)
}

/// One record to one process. Any bytes give an answer, in bounded memory.
///
/// # Errors
/// Where the file cannot be read.
pub fn process(path: &Path, file: impl Read) -> Result<FlightProcess> {
    one(path, file, Path::new(""), &mut Room::default())
}

fn one(path: &Path, file: impl Read, home: &Path, room: &mut Room) -> Result<FlightProcess> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut reader = Reader::new(name, room.kept);
    let mut lines = Lines::new(io::BufReader::new(file.take(room.bytes.min(MOST_BYTES))));
    while let Some(line) = lines.next().map_err(Error::file("read", path))? {
        let record = match line {
            Line::Whole(line) => serde_json::from_slice::<Value>(line).ok().map(|record| at_home(record, home)),
            Line::TooLong | Line::Torn => None, // torn: the process died while it wrote
        };
        reader.take(record.as_ref());
    }
    *room = Room { bytes: room.bytes.saturating_sub(lines.read), kept: reader.room };
    Ok(reader.process)
}

/// Puts the records of one file together.
struct Reader {
    process: FlightProcess,
    /// Where each traced place lies in `process.trace`.
    places: HashMap<(String, String, String, SourceLine), usize>,
    /// Records and parts of records that may still be kept.
    room: usize,
    first: bool,
}

impl Reader {
    fn new(file: String, room: usize) -> Self {
        let process = FlightProcess { file, ..FlightProcess::default() };
        Self { process, places: HashMap::new(), room, first: true }
    }

    /// Takes the next line's record; one that makes no sense is counted.
    fn take(&mut self, record: Option<&Value>) {
        if record.and_then(|record| self.put(record)).is_none() {
            self.process.dropped += 1;
        }
        self.first = false;
    }

    /// Puts one record where it belongs; `None` where it makes no sense.
    fn put(&mut self, record: &Value) -> Option<()> {
        let kind = record.get("r")?.as_str()?;
        if self.first && (kind != "hello" || text(record, "format").as_deref() != Some(FORMAT)) {
            return None;
        }
        self.room = self.room.saturating_sub(parts(record));
        if self.room == 0 {
            return None;
        }
        let process = &mut self.process;
        match kind {
            "hello" => fields::hello(process, record),
            "libraries" => fields::facts(process, record),
            "apply" => process.applied.push(fields::applied(record)?),
            "override" => process.overrides.push(fields::overridden(record)?),
            "seed" => process.seeds.push(fields::seed(record)?),
            "disturbed" => process.disturbed.push(fields::disturbed(record)?),
            "loader" => process.loaders.push(fields::pairs(record)),
            "start" => process.start = Some(fields::step(record)),
            "step" => process.steps.push(fields::step(record)),
            "output" => process.outputs.push(fields::step(record)),
            "alert" => process.alerts.push(fields::alert(record)?),
            "trace" => self.trace(record)?,
            "op" => process.operations.push(fields::operation(record)?),
            "drilled" => process.drilled = Some(fields::drilled(record)?),
            "save" => process.saves.push(fields::saved(record)?),
            "load" => process.loads.push(PathBuf::from(text(record, "path")?)),
            "given" => process.given.push(fields::given(record)?),
            "interrupted" => process.interrupted = true,
            "fault" => fields::fault(process, record)?,
            "end" => process.ended = Some(text(record, "why")?),
            _ => {} // a record of a later version
        }
        Some(())
    }

    /// A traced place; told again, its counts replace those told before.
    fn trace(&mut self, record: &Value) -> Option<()> {
        let place = fields::place(record)?;
        let key = (place.source.clone(), place.what.clone(), place.kind.clone(), place.at.clone());
        let places = &mut self.process.trace;
        if let Some(known) = self.places.get(&key).and_then(|at| places.get_mut(*at)) {
            *known = place;
        } else if places.len() < MOST_PLACES {
            self.places.insert(key, places.len());
            places.push(place);
        } else {
            return None;
        }
        Some(())
    }
}

/// The same record, with the file that it names relative to `home` where it lies in it.
fn at_home(mut record: Value, home: &Path) -> Value {
    if let Some(Value::String(file)) = record.get_mut("file")
        && let Ok(within) = Path::new(file.as_str()).strip_prefix(home)
    {
        *file = within.to_string_lossy().into_owned();
    }
    record
}

/// What a record costs of the room: itself and what its lists hold.
fn parts(record: &Value) -> usize {
    match record {
        Value::Array(all) => all.iter().map(parts).sum::<usize>() + 1,
        Value::Object(all) => all.values().map(parts).sum::<usize>() + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"r":"hello","format":"repro-audit.flight/1","pid":7,"ppid":1,"rank":null,"role":"main"}"#;
    const STEP: &str =
        r#"{"r":"step","n":0,"opt":0,"t":5,"items":[["rng.torch","ab",true,true],["loss",[["3f800000","float32"]]]]}"#;

    fn read(text: &str) -> FlightProcess {
        process(Path::new("flight-main-7.jsonl"), text.as_bytes()).expect("memory can be read")
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
    fn names_files_of_the_jobs_folder_as_seen_from_there() {
        let seed = |file: &str| {
            format!(r#"{{"r":"seed","generator":"torch","how":"seed","by":"user","file":"{file}","line":3}}"#)
        };
        let text = format!("{HELLO}\n{}\n{}\n", seed("/elsewhere/job/src/train.py"), seed("/elsewhere/jobs/x.py"));
        let mut room = Room::default();
        let seen = one(Path::new("f"), text.as_bytes(), Path::new("/elsewhere/job"), &mut room).expect("memory");
        let files = seen.seeds.iter().map(|seed| seed.at.as_ref().expect("a line").file.to_str().expect("UTF-8"));
        assert_eq!(files.collect::<Vec<_>>(), ["src/train.py", "/elsewhere/jobs/x.py"]);
    }

    #[test]
    fn survives_any_cut_and_any_wrong_byte() {
        let text = format!("{HELLO}\n{STEP}\n{STEP}\n");
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 0x15;
            let wrong = process(Path::new("f"), bytes.as_slice()).expect("memory can be read");
            let cut = process(Path::new("f"), &bytes[..at]).expect("memory can be read");
            assert!(wrong.steps.len() <= 2 && cut.steps.len() <= 2);
        }
    }

    #[test]
    fn takes_nothing_from_a_file_of_another_format() {
        let other = read("{\"r\":\"hello\",\"format\":\"other/9\"}\n");
        assert_eq!((other.pid, other.dropped), (0, 1));
    }

    #[test]
    fn drops_what_is_nested_without_end_and_reads_on() {
        let deep = format!("{{\"r\":\"step\",\"items\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let seen = read(&format!("{HELLO}\n{deep}\n{STEP}\n"));
        assert_eq!((seen.steps.len(), seen.dropped), (1, 1));
    }

    #[test]
    fn takes_no_value_of_another_type_for_a_number_or_a_digest() {
        let odd = r#"{"r":"step","n":"0","opt":-1,"t":1e300,"items":[["loss",{"a":1}],7,[],["grads",[["zz","float32"],[1]]],[["x"],"y"]],"leaves":[1]}"#;
        let seen =
            read(&format!("{HELLO}\n{odd}\n{{\"r\":\"apply\",\"setting\":\"x\",\"asked\":[],\"ok\":\"yes\"}}\n"));
        let names: Vec<&str> = seen.steps[0].items.iter().map(|item| item.name.as_str()).collect();
        assert_eq!((names, seen.applied.len(), seen.dropped), (vec!["grads"], 0, 1));
        assert_eq!(seen.losses(), []);
    }

    #[test]
    fn keeps_no_more_of_a_run_than_there_is_room_for() {
        let mut room = Room { bytes: 4096, kept: 20 };
        let text = format!("{HELLO}\n{}", format!("{STEP}\n").repeat(100));
        let seen = one(Path::new("f"), text.as_bytes(), Path::new(""), &mut room).expect("memory can be read");
        assert_eq!((seen.steps.len(), room.kept), (3, 0), "a step with a loss takes six");
        assert!(room.bytes == 0 && seen.dropped > 0);
    }
}
