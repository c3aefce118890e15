//! Log format `tensorboard`: event files, both checksums of every record verified.

mod checksum;
mod mould;
mod record;
mod value;

use mould::{Cast, Marks, Moulds};
use record::{LONGEST, Record, length, masked};
use value::Value;

use super::format::{LogFormat, Reader, Sample};
use super::metric::Metric;
use super::names::{self, Meaning};
use super::options::Options;
use super::protobuf::{self, Fields, Wire};
use super::sink::{Place, Shown, Sink, Worth};
use crate::model::{Candidate, Source};

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
    moulds: Moulds,
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

    fn read_alike(&mut self, logs: [&[u8]; 2], sink: &mut Sink) -> [usize; 2] {
        // What both logs began together is completed from each of them.
        let held = self.rest.len();
        if self.skip.is_some() || self.broken {
            return [0, 0];
        }
        let mut read = 0;
        if held > 0 {
            let rest = std::mem::take(&mut self.rest);
            let begun = logs.map(|log| [&rest, &log[..log.len().min(LONGEST)]].concat());
            match self.record_alike([&begun[0], &begun[1]], sink) {
                Some(length) => read = length - held,
                None => {
                    self.rest = rest;
                    return [0, 0];
                }
            }
        }
        while let Some(length) = self.record_alike(logs.map(|log| &log[read..]), sink) {
            read += length;
        }
        [read, read]
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

    /// Reads the record that two logs begin with, where both are sound and differ in nothing but when they were written; gives
    /// its length.
    fn record_alike(&mut self, logs: [&[u8]; 2], sink: &mut Sink) -> Option<usize> {
        let [one, other] = logs.map(|log| Record::at_start_of(log).filter(|record| record.is_sound()));
        let (one, other) = (one?, other?);
        if !one.says_the_same_as(&other) {
            return None;
        }
        self.read(&one, sink);
        Some(one.length())
    }

    /// Takes in a record that is sound.
    fn read(&mut self, record: &Record<'_>, sink: &mut Sink) {
        self.records += 1;
        self.event(record.data, sink);
        self.offset += record.length() as u64;
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
            let Some(record) = Record::at_start_of(rest) else { return at };
            if !record.is_sound() {
                self.fail("the checksum of the record is wrong", sink);
                return bytes.len();
            }
            self.read(&record, sink);
            at += record.length();
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
        if let Some(Cast { step, value, metric }) = self.moulds.cast(message) {
            self.scalars += 1;
            self.record(metric, step, f64::from(value), sink);
            return;
        }
        let mut step = 0;
        let mut summary = None;
        let (mut time_at, mut step_at) = (None, None);
        let mut fields = Fields::of(message);
        while let Some((field, wire)) = fields.next() {
            let end = message.len() - fields.left();
            match (field, wire) {
                (1, Wire::Fixed64(_)) => time_at = Some(end - 8..end),
                (2, Wire::Varint(value)) => {
                    step = value as i64;
                    step_at = Some(protobuf::varint_before(message, end));
                }
                (5, Wire::Bytes(bytes)) => summary = Some(bytes),
                _ => {}
            }
        }
        let values = summary.into_iter().flat_map(Fields::of).filter_map(|(field, wire)| match (field, wire) {
            (1, Wire::Bytes(value)) => Some(Value::of(value)),
            _ => None,
        });
        let values: Vec<Value<'_>> = values.collect();
        for value in &values {
            let Some(number) = value.number else { continue };
            self.scalars += 1;
            let metric = self.metric(value.tag, sink);
            self.record(metric, step, number, sink);
            if let ([_], Some(bits)) = (&values[..], value.bits) {
                let start = bits.as_ptr().addr() - message.as_ptr().addr();
                let marks = Marks { time: time_at.clone(), step: step_at.clone(), value: start..start + bits.len() };
                self.moulds.keep(message, marks, metric);
            }
        }
    }

    fn record(&self, metric: Option<usize>, step: i64, number: f64, sink: &mut Sink) {
        let Some(id) = metric else { return };
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

    /// An event with the wall time that a logger writes first.
    fn timed(time: f64, step: u64, tag: &str, value: f32) -> Vec<u8> {
        let plain = scalar_event(0, tag, value);
        let mut event = [&[9][..], &time.to_le_bytes(), &[0x10]].concat();
        let mut left = step;
        while left >= 0x80 {
            event.push(left as u8 | 0x80);
            left >>= 7;
        }
        event.push(left as u8);
        event.extend(&plain[14..plain.len() - 4]);
        record(&event)
    }

    /// An event whose value is a tensor, as TensorFlow writes it.
    fn tensor_event(step: u8, tag: &str, tensor: &[u8]) -> Vec<u8> {
        let value = [&[10, tag.len() as u8][..], tag.as_bytes(), &[0x42, tensor.len() as u8], tensor].concat();
        record(&[&[0x10, step, 0x2a, value.len() as u8 + 2, 10, value.len() as u8][..], &value].concat())
    }

    fn points(sink: &Sink) -> Vec<(String, Option<i64>, u64)> {
        let of = |seen: &crate::parse::sink::Observation| {
            (sink.metrics[seen.metric].name.clone(), seen.point.position.step, seen.point.value.to_bits())
        };
        sink.out.iter().map(of).collect()
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

    #[test]
    fn a_record_of_a_known_mould_says_what_its_fields_say() {
        let event = |n: u64| match n % 4 {
            0 => timed(n as f64, n * 37, "loss", n as f32 / 7.0),
            1 => scalar_event(n as u8 & 0x7f, "rate", -(n as f32)),
            2 => tensor_event(n as u8 & 0x7f, "acc", &[&[8, 1, 0x2a, 4][..], &(n as f32).to_le_bytes()].concat()),
            _ => tensor_event(n as u8 & 0x7f, "big", &[&[8, 2, 0x22, 8][..], &(n as f64).to_le_bytes()].concat()),
        };
        let bytes: Vec<Vec<u8>> = (0..400).map(event).collect();
        let (mut by_fields, mut sink) = (EventsReader::default(), Sink::default());
        for record in &bytes {
            by_fields.moulds = Moulds::default();
            by_fields.push(record, &mut sink);
        }
        let seen = read(&bytes.concat(), 1 << 20);
        assert_eq!(seen.out.len(), 400);
        assert_eq!(points(&seen), points(&sink));
    }

    #[test]
    fn two_logs_are_read_together_as_far_as_only_their_clocks_differ() {
        let log = |clock: f64, odd: u64| -> Vec<u8> {
            (0..50).flat_map(|n| timed(clock + n as f64, n, "loss", if n == odd { 9.0 } else { 0.5 })).collect()
        };
        let (one, other) = (log(1.0, 99), log(2.0, 30));
        let (mut reader, mut sink) = (EventsReader::default(), Sink::default());
        // The beginning of a record may be read already, where both logs have it in common.
        reader.push(&one[..12], &mut sink);
        let read = reader.read_alike([&one[12..], &other[12..]], &mut sink);
        assert_eq!(read, [one.len() / 50 * 30 - 12; 2]);
        assert_eq!(sink.out.len(), 30);
        reader.push(&other[12 + read[1]..], &mut sink);
        assert_eq!((sink.out.len(), sink.out[30].point.value), (50, 9.0));
    }

    #[test]
    fn a_damaged_record_is_not_read_for_both_logs() {
        let (one, mut other) = (timed(1.0, 1, "loss", 0.5), timed(2.0, 1, "loss", 0.5));
        let last = other.len() - 1;
        other[last] ^= 1;
        let (mut reader, mut sink) = (EventsReader::default(), Sink::default());
        assert_eq!(reader.read_alike([&one, &other], &mut sink), [0, 0]);
        assert_eq!(reader.read_alike([&other, &one], &mut sink), [0, 0]);
        assert!(sink.out.is_empty());
    }
}
