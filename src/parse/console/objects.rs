//! Lines that are one JSON object, or end in one.

use std::ops::Range;

use super::recipe::Lesson;
use super::{Console, Here, Said, is_bar_like, unescape_controls};
use crate::parse::envelope;
use crate::parse::frames::{Frame, Frames};
use crate::parse::names::Meaning;
use crate::parse::number;
use crate::parse::sink::Sink;
use crate::parse::walk::{self, Leaf};

/// A leaf of an object: its name, and where the text shows it.
struct Number {
    name: String,
    at: Range<usize>,
    quoted: bool,
}

impl Console {
    /// Reads a line that is one JSON object, or ends in one.
    pub(super) fn object(&mut self, here: Here<'_>, sink: &mut Sink, depth: u8) -> bool {
        let Some(open) = memchr::memchr(b'{', here.text) else { return false };
        let json = here.text[open..].trim_ascii_end();
        if !json.ends_with(b"}") || !json.contains(&b'"') || open > 200 {
            return false;
        }
        let start = here.text.as_ptr() as usize;
        let mut leaves: Vec<Number> = Vec::new();
        let end = walk::walk(json, &mut |path, leaf| {
            let (text, quoted) = match leaf {
                Leaf::Number(text) => (text, false),
                Leaf::Text(text) => (text, true),
                Leaf::Word => return,
            };
            if leaves.len() < 4096 {
                let text = number::wrapped(text).filter(|_| quoted).map_or(text, |inner| &text[inner]);
                let at = text.as_ptr() as usize - start;
                leaves.push(Number { name: walk::name(path), at: at..at + text.len(), quoted });
            }
        });
        if end != Some(json.len()) {
            return false;
        }
        self.styles.objects += 1;
        name_the_value(&mut leaves, here.text);
        let numbers: Vec<&Number> =
            leaves.iter().filter(|n| number::whole(&here.text[n.at.clone()]).is_some()).collect();
        let told =
            numbers.iter().any(|n| matches!(self.meaning_of(n.name.as_bytes()), Meaning::Loss | Meaning::Result));
        if !told {
            // A container's or a structured logger's envelope around a line of text.
            const NAMES: [&str; 10] =
                ["log", "message", "msg", "text", "line", "event", "body", "out", "textpayload", "@message"];
            let called = |n: &Number| n.name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            let message = leaves.iter().find(|n| n.quoted && NAMES.contains(&called(n).as_str()));
            if let Some(message) = message {
                let inner = walk::unescape(&here.text[message.at.clone()]);
                let stream = leaves.iter().find(|n| n.quoted && n.name == "stream" && message.name == "log");
                let inner = match stream.map(|stream| &here.text[stream.at.clone()]) {
                    Some(stream) => self.pieces.join_message(inner, usize::from(stream == b"stderr")),
                    None => inner,
                };
                self.message(inner.trim_end(), here, sink, depth);
                // Beside a message that shows numbers, those of its collector say nothing: offsets, priorities.
                if numbers.is_empty() || inner.bytes().any(|byte| byte.is_ascii_digit()) {
                    return true;
                }
            }
        }
        self.object_numbers(&numbers, here, told, sink);
        for leaf in leaves.iter().filter(|leaf| leaf.quoted && number::whole(&here.text[leaf.at.clone()]).is_none()) {
            if matches!(self.meaning_of(leaf.name.as_bytes()), Meaning::Loss | Meaning::Result) {
                sink.note_unread(&leaf.name, &here.text[leaf.at.clone()]);
                self.lesson = None;
            }
        }
        true
    }

    /// Reads the text in an envelope as a terminal would have shown it: a bar drawn in place is one message with many frames.
    fn message(&mut self, text: &str, here: Here<'_>, sink: &mut Sink, depth: u8) {
        let mut shown: Vec<(Vec<u8>, bool)> = Vec::new();
        let mut keep = |frame: Frame<'_>| {
            shown.push((frame.text.to_vec(), is_bar_like(frame.redrawn, frame.end, frame.text.len())));
        };
        let mut frames = Frames::default();
        frames.push(text.as_bytes(), &mut keep);
        frames.finish(&mut keep);
        if shown.is_empty() {
            self.blank(sink);
        }
        for (text, redraw) in shown {
            let unescaped = unescape_controls(&text);
            let opened = self.open(unescaped.as_deref().unwrap_or(&text));
            if !envelope::is_tracker_talk(opened.text) {
                let inner = opened.here(here.line, here.redraw || redraw, false);
                self.text(Here { rank: inner.rank.or(here.rank), ..inner }, sink, depth + 1);
            }
        }
    }

    fn object_numbers(&mut self, numbers: &[&Number], here: Here<'_>, told: bool, sink: &mut Sink) {
        let mut said = Said { rank: here.rank, ..Said::default() };
        let mut best = 0;
        let value = |n: &Number| number::whole(&here.text[n.at.clone()]).unwrap_or(f64::NAN);
        for number in numbers {
            match self.meaning_of(number.name.as_bytes()) {
                Meaning::Epoch => {
                    said.epoch = Some(value(number));
                    said.epoch_at = number.at.clone();
                }
                Meaning::Step(rank) if rank > best => {
                    best = rank;
                    said.step = Some(value(number) as i64);
                    said.step_at = number.at.clone();
                }
                Meaning::Rank => said.rank = said.rank.or(Some(value(number) as u32)),
                _ => {}
            }
        }
        let kinds: Vec<bool> = numbers.iter().map(|n| is_wanted(self.meaning_of(n.name.as_bytes()))).collect();
        let place = self.place(&said, kinds.contains(&true));
        let mut held = Vec::new();
        for (number, wanted) in numbers.iter().zip(&kinds) {
            if *wanted {
                let id = self.metric(&number.name, "", said.split, said.rank, place, sink);
                let text = String::from_utf8_lossy(here.text[number.at.clone()].trim_ascii()).into_owned();
                held.push((id, place, value(number), text, here.line));
            } else if self.meaning_of(number.name.as_bytes()) == Meaning::Noise {
                sink.note_noise(&number.name);
            }
        }
        if told && said.rank.is_none() {
            let named = numbers.iter().zip(&kinds).map(|(n, wanted)| (n.at.clone(), wanted.then(|| n.name.clone())));
            self.lesson = Lesson::object(here, &said, &named.collect::<Vec<_>>());
        }
        self.deliver(held, &said, place, here, sink);
    }
}

/// `{"key": "eval_accuracy", "value": 0.7}`: the value has the name that stands beside it.
fn name_the_value(leaves: &mut [Number], text: &[u8]) {
    const NAMES: [&str; 5] = ["key", "name", "metric", "metric_name", "tag"];
    let Some(value) = leaves.iter().position(|leaf| !leaf.quoted && leaf.name == "value") else { return };
    let called = leaves.iter().find(|leaf| leaf.quoted && NAMES.contains(&leaf.name.as_str()));
    let name = called.map(|leaf| String::from_utf8_lossy(&text[leaf.at.clone()]).into_owned());
    // Lines that differ in digits alone are read alike.
    if let Some(name) = name.filter(|name| !name.contains(|c: char| c.is_ascii_digit())) {
        leaves[value].name = name;
    }
}

fn is_wanted(meaning: Meaning) -> bool {
    matches!(meaning, Meaning::Loss | Meaning::Result | Meaning::Schedule | Meaning::Unknown)
}
