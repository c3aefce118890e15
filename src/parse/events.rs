//! Log format `tensorboard`: event files, both checksums of every record verified.

use super::checksum;
use super::format::{LogFormat, Reader, Sample};
use super::names::{self, Meaning};
use super::options::Options;
use super::protobuf::{Fields, Wire};
use super::sink::{Metric, Place, Shown, Sink, Worth};
use crate::model::{Candidate, Source, half};

/// Records longer than this hold images or graphs, never a scalar; their bytes are checked and dropped.
const LONGEST: usize = 4 << 20;

/// How many tags are remembered with their metric.
const TAGS: usize = 64;

/// TensorBoard event files.
pub(crate) struct Events;

impl LogFormat for Events {
    fn id(&self) -> &'static str {
        "tensorboard"
    }

    fn describe(&self) -> &'static str {
        "TensorBoard event files (torch, Lightning, Keras, TensorFlow, tensorboardX)"
    }

    fn score(&self, sample: &Sample<'_>) -> Candidate {
        let fits = begins(sample.head);
        let (score, why) = if fits { (1.0, "begins with a checked record") } else { (0.0, "no event record") };
        Candidate { format: self.id().into(), score, why: why.into() }
    }

    fn reader(&self, _options: &Options) -> Box<dyn Reader> {
        Box::new(EventsReader::default())
    }
}

/// Whether `head` begins with an event record.
pub(crate) fn begins(head: &[u8]) -> bool {
    length(head).is_some_and(|(_, sound)| sound)
}

/// The length of the record at the start of `bytes`, and whether its checksum holds.
fn length(bytes: &[u8]) -> Option<(u64, bool)> {
    let length = bytes.get(..8)?;
    let sum = bytes.get(8..12)?;
    let value = u64::from_le_bytes(length.try_into().ok()?);
    let sum = u32::from_le_bytes(sum.try_into().ok()?);
    Some((value, masked(checksum::crc32c(length)) == sum))
}

/// The checksum as event files store it.
pub(crate) fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Reads the records of one event file.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventsReader {
    rest: Vec<u8>,
    offset: u64,
    skip: Option<Skip>,
    broken: bool,
    records: u64,
    scalars: u64,
    /// Put before every tag: the sub-run.
    prefix: String,
    /// The tags seen last, with their metric; `None` for one that is not kept.
    tags: Vec<(Vec<u8>, Option<usize>)>,
}

/// A long record whose bytes are only summed.
#[derive(Clone, Debug)]
struct Skip {
    left: u64,
    sum: u32,
}

impl Reader for EventsReader {
    fn fork(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn push(&mut self, bytes: &[u8], sink: &mut Sink) {
        if self.broken {
            return;
        }
        if self.rest.is_empty() && self.skip.is_none() {
            let used = self.records(bytes, sink);
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            self.rest.extend_from_slice(bytes);
            let held = std::mem::take(&mut self.rest);
            let used = self.records(&held, sink);
            self.rest = held;
            self.rest.drain(..used);
        }
    }

    fn finish(&mut self, sink: &mut Sink) {
        if !self.broken && (!self.rest.is_empty() || self.skip.is_some()) {
            sink.warn(format!(
                "the last record, at byte {}, is not complete: the file is still being written, or was cut",
                self.offset
            ));
        }
    }

    fn detail(&self) -> String {
        format!("{} records checked, {} scalars", self.records, self.scalars)
    }
}

impl EventsReader {
    /// A reader that puts the name of a sub-run before every tag.
    pub(crate) fn below(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..Self::default() }
    }

    /// Reads whole records from `bytes` and gives how many bytes they took.
    fn records(&mut self, bytes: &[u8], sink: &mut Sink) -> usize {
        let mut at = 0;
        loop {
            if self.skip.is_some() {
                at += self.skip_on(&bytes[at..], sink);
                if self.skip.is_some() {
                    return at;
                }
            }
            let rest = &bytes[at..];
            let Some((long, sound)) = length(rest) else { return at };
            if !sound {
                self.fail("the checksum of the record's length is wrong", sink);
                return bytes.len();
            }
            if long > LONGEST as u64 {
                self.skip = Some(Skip { left: long, sum: 0 });
                self.offset += 12;
                at += 12;
                continue;
            }
            let long = long as usize;
            let Some(data) = rest.get(12..12 + long) else { return at };
            let Some(sum) = rest.get(12 + long..16 + long) else { return at };
            if masked(checksum::crc32c(data)).to_le_bytes() != sum {
                self.fail("the checksum of the record is wrong", sink);
                return bytes.len();
            }
            self.records += 1;
            self.event(data, sink);
            at += 16 + long;
            self.offset += 16 + long as u64;
        }
    }

    fn skip_on(&mut self, bytes: &[u8], sink: &mut Sink) -> usize {
        let Some(skip) = &mut self.skip else { return 0 };
        let now = bytes.len().min(usize::try_from(skip.left).unwrap_or(usize::MAX));
        skip.sum = crc32c::crc32c_append(skip.sum, &bytes[..now]);
        skip.left -= now as u64;
        let mut used = now;
        if skip.left == 0 {
            let Some(sum) = bytes.get(now..now + 4) else { return self.moved(used) };
            used += 4;
            let right = masked(skip.sum).to_le_bytes() == sum;
            self.skip = None;
            self.records += 1;
            if !right {
                self.fail("the checksum of the record is wrong", sink);
                return self.moved(bytes.len());
            }
        }
        self.moved(used)
    }

    fn moved(&mut self, used: usize) -> usize {
        self.offset += used as u64;
        used
    }

    fn fail(&mut self, what: &str, sink: &mut Sink) {
        self.broken = true;
        sink.warn(format!("byte {}: {what}; nothing behind it was read", self.offset));
    }

    fn event(&mut self, message: &[u8], sink: &mut Sink) {
        let mut step = 0;
        let mut summary = None;
        for (field, wire) in Fields::of(message) {
            match (field, wire) {
                (2, Wire::Varint(value)) => step = value as i64,
                (5, Wire::Bytes(bytes)) => summary = Some(bytes),
                _ => {}
            }
        }
        for (field, wire) in summary.into_iter().flat_map(Fields::of) {
            if let (1, Wire::Bytes(value)) = (field, wire) {
                self.value(value, step, sink);
            }
        }
    }

    fn value(&mut self, message: &[u8], step: i64, sink: &mut Sink) {
        let mut tag: &[u8] = b"";
        let mut number = None;
        for (field, wire) in Fields::of(message) {
            match (field, wire) {
                (1, Wire::Bytes(bytes)) => tag = bytes,
                (2, Wire::Fixed32(bits)) => number = Some(f64::from(f32::from_bits(bits))),
                (8, Wire::Bytes(tensor)) => number = number.or_else(|| scalar(tensor)),
                _ => {}
            }
        }
        let Some(number) = number else { return };
        self.scalars += 1;
        let Some(id) = self.metric(tag, sink) else { return };
        let place = Place { epoch: None, step: Some(step), lap: 0 };
        sink.record(id, place, Shown { value: Worth::Exact(number), text: b"", line: self.records, redraw: false });
    }

    /// The metric of a tag; `None` where it is not compared.
    fn metric(&mut self, tag: &[u8], sink: &mut Sink) -> Option<usize> {
        if let Some((_, known)) = self.tags.iter().find(|(known, _)| known == tag) {
            return *known;
        }
        let text = String::from_utf8_lossy(tag);
        let name = if self.prefix.is_empty() { text.into_owned() } else { format!("{}/{text}", self.prefix) };
        let id = match names::meaning(&name) {
            Meaning::Noise => {
                sink.note_noise(&name);
                None
            }
            Meaning::Epoch => None,
            _ => Some(sink.metric(name.as_bytes(), || Metric { source: Source::Exact, ..Metric::named(&name) })),
        };
        if self.tags.len() == TAGS {
            self.tags.clear();
        }
        self.tags.push((tag.to_vec(), id));
        id
    }
}

/// The single number of a tensor, where it holds exactly one.
fn scalar(message: &[u8]) -> Option<f64> {
    let mut kind = 0;
    let mut content: &[u8] = b"";
    let mut number = None;
    let mut count = 0;
    for (field, wire) in Fields::of(message) {
        match (field, wire) {
            (1, Wire::Varint(value)) => kind = value,
            (2, Wire::Bytes(shape)) if elements(shape) != 1 => return None,
            (4, Wire::Bytes(bytes)) => content = bytes,
            (5, Wire::Bytes(packed)) => {
                count += packed.len() / 4;
                number = packed.first_chunk().map(|b| f64::from(f32::from_le_bytes(*b)));
            }
            (5, Wire::Fixed32(bits)) => {
                count += 1;
                number = Some(f64::from(f32::from_bits(bits)));
            }
            (6, Wire::Bytes(packed)) => {
                count += packed.len() / 8;
                number = packed.first_chunk().map(|b| f64::from_le_bytes(*b));
            }
            (6, Wire::Fixed64(bits)) => {
                count += 1;
                number = Some(f64::from_bits(bits));
            }
            (7 | 10, Wire::Varint(value)) => {
                count += 1;
                number = Some(value as i64 as f64);
            }
            (7 | 10, Wire::Bytes(packed)) => {
                count += packed.iter().filter(|b| **b & 0x80 == 0).count();
                number = super::protobuf::varint(packed).map(|(v, _)| v as i64 as f64);
            }
            _ => {}
        }
    }
    if content.is_empty() { number.filter(|_| count == 1) } else { from_content(kind, content) }
}

fn elements(shape: &[u8]) -> u64 {
    let dimensions = Fields::of(shape).filter_map(|(field, wire)| match (field, wire) {
        (2, Wire::Bytes(dimension)) => Some(dimension),
        _ => None,
    });
    dimensions
        .map(|dimension| {
            Fields::of(dimension)
                .find_map(|(field, wire)| match (field, wire) {
                    (1, Wire::Varint(size)) => Some(size),
                    _ => None,
                })
                .unwrap_or(0)
        })
        .fold(1, u64::saturating_mul)
}

fn from_content(kind: u64, content: &[u8]) -> Option<f64> {
    Some(match kind {
        1 => f64::from(f32::from_le_bytes(content.try_into().ok()?)),
        2 => f64::from_le_bytes(content.try_into().ok()?),
        3 => f64::from(i32::from_le_bytes(content.try_into().ok()?)),
        9 => i64::from_le_bytes(content.try_into().ok()?) as f64,
        14 => f64::from(f32::from_bits(u32::from(u16::from_le_bytes(content.try_into().ok()?)) << 16)),
        19 => half(u16::from_le_bytes(content.try_into().ok()?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u64).to_le_bytes();
        let mut bytes = length.to_vec();
        bytes.extend(masked(crc32c::crc32c(&length)).to_le_bytes());
        bytes.extend(data);
        bytes.extend(masked(crc32c::crc32c(data)).to_le_bytes());
        bytes
    }

    fn scalar_event(step: u8, tag: &str, value: f32) -> Vec<u8> {
        let mut inner = vec![10, tag.len() as u8];
        inner.extend(tag.as_bytes());
        inner.push(0x15);
        inner.extend(value.to_le_bytes());
        let mut summary = vec![10, inner.len() as u8];
        summary.extend(inner);
        let mut event = vec![0x10, step, 0x2a, summary.len() as u8];
        event.extend(summary);
        record(&event)
    }

    fn read(bytes: &[u8], piece: usize) -> Sink {
        let mut reader = EventsReader::default();
        let mut sink = Sink::default();
        for part in bytes.chunks(piece) {
            reader.push(part, &mut sink);
        }
        reader.finish(&mut sink);
        sink
    }

    #[test]
    fn reads_scalars_however_the_bytes_are_cut() {
        let bytes: Vec<u8> = (0..5).flat_map(|s| scalar_event(s, "loss", 0.1 * f32::from(s))).collect();
        for piece in [1, 7, 1000] {
            let sink = read(&bytes, piece);
            assert_eq!(sink.out.len(), 5);
            assert_eq!(sink.out[3].point.text.as_str(), "0.30000001192092896");
            assert!(sink.warnings.is_empty());
        }
    }

    #[test]
    fn names_the_byte_at_which_a_file_is_damaged() {
        let mut bytes: Vec<u8> = (0..5).flat_map(|s| scalar_event(s, "loss", 1.0)).collect();
        let one = bytes.len() / 5;
        bytes[2 * one + 14] ^= 1;
        let sink = read(&bytes, 9);
        assert_eq!(sink.out.len(), 2);
        assert!(sink.warnings[0].starts_with(&format!("byte {}: ", 2 * one)), "{:?}", sink.warnings);
        let sink = read(&bytes[..one + 5], 9);
        assert!(sink.warnings[0].contains("still being written"));
    }
}
