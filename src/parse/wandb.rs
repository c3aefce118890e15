//! Log format `wandb`: the transaction log that an offline (or online) run of Weights & Biases leaves, `run-*.wandb`.

use super::format::{LogFormat, Reader, Sample};
use super::metric::Metric;
use super::names::{self, Meaning};
use super::number;
use super::options::Options;
use super::protobuf::{self, Fields, Wire};
use super::sink::{Place, Shown, Sink};
use super::walk::{self, Leaf};
use crate::model::{Candidate, Source};

const BLOCK: u64 = 32 << 10;
const HEADER: usize = 7;
/// A record longer than this holds no history.
const LONGEST: usize = 16 << 20;

/// The transaction log of a wandb run.
pub(crate) struct Wandb;

impl LogFormat for Wandb {
    fn id(&self) -> &'static str {
        "wandb"
    }

    fn describe(&self) -> &'static str {
        "Weights & Biases transaction logs (run-*.wandb), online or offline"
    }

    fn score(&self, sample: &Sample<'_>) -> Candidate {
        let fits = sample.head.starts_with(b":W&B");
        let (score, why) = if fits { (1.0, "begins with :W&B") } else { (0.0, "does not begin with :W&B") };
        Candidate { format: self.id().into(), score, why: why.into() }
    }

    fn reader(&self, _options: &Options) -> Box<dyn Reader> {
        Box::new(WandbReader::default())
    }
}

/// Reads the blocks of a transaction log.
#[derive(Clone, Debug, Default)]
struct WandbReader {
    rest: Vec<u8>,
    offset: u64,
    record: Vec<u8>,
    started: bool,
    broken: bool,
    records: u64,
    rows: u64,
}

impl Reader for WandbReader {
    fn fork(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn push(&mut self, bytes: &[u8], sink: &mut Sink) {
        if self.broken {
            return;
        }
        self.rest.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.rest);
        let used = self.chunks(&held, sink);
        self.rest = held;
        self.rest.drain(..used);
    }

    fn finish(&mut self, sink: &mut Sink) {
        if !self.broken && self.rest.iter().any(|&b| b != 0) {
            sink.warn(format!(
                "the last record, at byte {}, is not complete: the run is still going, or was cut",
                self.offset
            ));
        }
    }

    fn detail(&self) -> String {
        format!("{} records checked, {} rows of history", self.records, self.rows)
    }
}

impl WandbReader {
    fn chunks(&mut self, bytes: &[u8], sink: &mut Sink) -> usize {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let left = (BLOCK - self.offset % BLOCK) as usize;
            let used = if !self.started {
                if rest.len() < HEADER {
                    return at;
                }
                self.started = true;
                HEADER
            } else if left < HEADER {
                if rest.len() < left {
                    return at;
                }
                left
            } else {
                match self.chunk(rest, sink) {
                    Some(used) => used,
                    None => return if self.broken { bytes.len() } else { at },
                }
            };
            at += used;
            self.offset += used as u64;
        }
    }

    /// One chunk: checksum, length, kind (whole, first, middle, last), data.
    fn chunk(&mut self, rest: &[u8], sink: &mut Sink) -> Option<usize> {
        let header = rest.get(..HEADER)?;
        let sum = u32::from_le_bytes(header[..4].try_into().ok()?);
        let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let kind = header[6];
        let data = rest.get(HEADER..HEADER + length)?;
        if sum == 0 && length == 0 && kind == 0 {
            return Some(HEADER);
        }
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&[kind]);
        hasher.update(data);
        if hasher.finalize() != sum {
            self.broken = true;
            sink.warn(format!("byte {}: the checksum of the record is wrong; nothing behind it was read", self.offset));
            return None;
        }
        if kind == 1 || kind == 2 {
            self.record.clear();
        }
        if self.record.len() + length <= LONGEST {
            self.record.extend_from_slice(data);
        }
        if kind == 1 || kind == 4 {
            let record = std::mem::take(&mut self.record);
            self.records += 1;
            self.message(&record, sink);
            self.record = record;
        }
        Some(HEADER + length)
    }

    fn message(&mut self, record: &[u8], sink: &mut Sink) {
        for (field, wire) in Fields::of(record) {
            if let (2, Wire::Bytes(history)) = (field, wire) {
                self.rows += 1;
                history_row(history, self.records, sink);
            }
        }
    }
}

fn history_row(history: &[u8], line: u64, sink: &mut Sink) {
    let mut values: Vec<(String, String, f64)> = Vec::new();
    let mut place = Place::default();
    for (field, wire) in Fields::of(history) {
        match (field, wire) {
            (1, Wire::Bytes(item)) => item_values(item, &mut values),
            (2, Wire::Bytes(step)) => {
                let number = Fields::of(step).find_map(|(f, w)| match (f, w) {
                    (1, Wire::Varint(n)) => Some(n as i64),
                    _ => None,
                });
                place.step = Some(number.unwrap_or(0));
            }
            _ => {}
        }
    }
    for (name, _, value) in &values {
        match name.as_str() {
            "_step" => place.step = Some(*value as i64),
            _ if names::meaning(name) == Meaning::Epoch => place.epoch = Some(*value),
            _ => {}
        }
    }
    for (name, text, value) in &values {
        if name.starts_with('_') {
            if name != "_step" {
                sink.note_noise(name);
            }
            continue;
        }
        match names::meaning(name) {
            Meaning::Noise => sink.note_noise(name),
            Meaning::Epoch | Meaning::Step(_) => {}
            _ => {
                let id = sink.metric(name.as_bytes(), || Metric { source: Source::Exact, ..Metric::named(name) });
                sink.record(id, place, Shown { value: (*value).into(), text: text.as_bytes(), line, redraw: false });
            }
        }
    }
}

/// The numbers of one item; a nested value gives one for each leaf.
fn item_values(item: &[u8], values: &mut Vec<(String, String, f64)>) {
    let mut key = String::new();
    let mut nested = Vec::new();
    let mut json: &[u8] = b"";
    for (field, wire) in Fields::of(item) {
        match field {
            1 => key = protobuf::text(wire).unwrap_or_default(),
            2 => nested.extend(protobuf::text(wire)),
            16 => {
                if let Wire::Bytes(bytes) = wire {
                    json = bytes;
                }
            }
            _ => {}
        }
    }
    if key.is_empty() {
        key = nested.join("/");
    }
    walk::walk(json, &mut |path, leaf| {
        let text = match leaf {
            Leaf::Number(text) => text,
            // Infinities and NaN are kept as strings.
            Leaf::Text(text @ (b"NaN" | b"Infinity" | b"-Infinity")) => text,
            _ => return,
        };
        let Some(value) = number::whole(text) else { return };
        let name = if path.is_empty() { key.clone() } else { format!("{key}.{}", walk::name(path)) };
        values.push((name, String::from_utf8_lossy(text).into_owned(), value));
    });
}
