//! Lines that are one JSON object, or end in one.

use super::{Console, Here, Said};
use crate::parse::envelope;
use crate::parse::names::Meaning;
use crate::parse::number;
use crate::parse::sink::Sink;
use crate::parse::walk::{self, Leaf};

impl Console {
    /// Reads a line that is one JSON object, or ends in one.
    pub(super) fn object(&mut self, here: Here<'_>, sink: &mut Sink, depth: u8) -> bool {
        let Some(open) = memchr::memchr(b'{', here.text) else { return false };
        let json = here.text[open..].trim_ascii_end();
        if !json.ends_with(b"}") || !json.contains(&b'"') || open > 200 {
            return false;
        }
        let mut leaves: Vec<(String, Vec<u8>, bool)> = Vec::new();
        let end = walk::walk(json, &mut |path, leaf| {
            let (text, quoted) = match leaf {
                Leaf::Number(text) => (text, false),
                Leaf::Text(text) => (text, true),
                Leaf::Word => return,
            };
            if leaves.len() < 4096 {
                leaves.push((walk::name(path), text.to_vec(), quoted));
            }
        });
        if end != Some(json.len()) {
            return false;
        }
        self.styles.objects += 1;
        let numbers: Vec<&(String, Vec<u8>, bool)> =
            leaves.iter().filter(|(_, text, _)| number::whole(text).is_some()).collect();
        let told = numbers
            .iter()
            .any(|(name, ..)| matches!(self.meaning_of(name.as_bytes()), Meaning::Loss | Meaning::Result));
        if !told {
            // A container's or a structured logger's envelope around a line of text.
            let message = leaves.iter().find(|(name, _, quoted)| {
                *quoted
                    && matches!(
                        name.to_ascii_lowercase().as_str(),
                        "log" | "message" | "msg" | "text" | "line" | "event" | "body"
                    )
            });
            if let Some((_, text, _)) = message {
                let inner = walk::unescape(text);
                let inner = inner.trim_end();
                let stripped = envelope::strip(inner.as_bytes());
                let text = &inner.as_bytes()[stripped.start..];
                let rank = here.rank.or(stripped.rank);
                if text.iter().any(u8::is_ascii_digit) {
                    self.text(Here { text, rank, cut: false, ..here }, sink, depth + 1);
                }
                if numbers.is_empty() {
                    return true;
                }
            }
        }
        self.object_numbers(&numbers, here, sink);
        true
    }

    pub(super) fn object_numbers(&mut self, numbers: &[&(String, Vec<u8>, bool)], here: Here<'_>, sink: &mut Sink) {
        let mut said = Said { rank: here.rank, ..Said::default() };
        let mut best = 0;
        for (name, text, _) in numbers {
            let value = number::whole(text).unwrap_or(f64::NAN);
            match self.meaning_of(name.as_bytes()) {
                Meaning::Epoch => said.epoch = Some(value),
                Meaning::Step(rank) if rank > best => {
                    best = rank;
                    said.step = Some(value as i64);
                }
                Meaning::Rank => said.rank = said.rank.or(Some(value as u32)),
                _ => {}
            }
        }
        let wanted = |m: Meaning| matches!(m, Meaning::Loss | Meaning::Result | Meaning::Schedule | Meaning::Unknown);
        let any = numbers.iter().any(|(name, ..)| wanted(self.meaning_of(name.as_bytes())));
        let place = self.place(&said, any);
        let mut held = Vec::new();
        for (name, text, _) in numbers {
            match self.meaning_of(name.as_bytes()) {
                Meaning::Noise => sink.note_noise(name),
                meaning if wanted(meaning) => {
                    let id = self.metric(name, "", said.split, said.rank, place, sink);
                    let value = number::whole(text).unwrap_or(f64::NAN);
                    let text = String::from_utf8_lossy(text.trim_ascii()).into_owned();
                    held.push((id, place, value, text, here.line));
                }
                _ => {}
            }
        }
        self.deliver(held, &said, place, here, sink);
    }
}
