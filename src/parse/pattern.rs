//! Lines read by the user's own expression.

use regex::bytes::{Captures, Regex};

use super::format::Reader;
use super::frames::{End, Frame, Frames, Reads};
use super::literal::Literal;
use super::number;
use super::options::Pattern;
use super::run::Slot;
use super::sink::{Place, Shown, Sink};

/// Reads every match of a pattern.
#[derive(Clone, Debug)]
pub(crate) struct PatternReader {
    frames: Frames,
    matches: Matches,
}

#[derive(Clone, Debug)]
struct Matches {
    regex: Regex,
    /// The same pattern where it is a word and a number: found without the expression.
    literal: Option<Literal>,
    id: Option<usize>,
    count: u64,
    odd: u64,
}

impl PatternReader {
    /// A reader for `pattern`.
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let literal = Literal::of(pattern.as_str());
        Self {
            frames: Frames::default(),
            matches: Matches { regex: pattern.regex.clone(), literal, id: None, count: 0, odd: 0 },
        }
    }
}

impl Reader for PatternReader {
    fn fork(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn push(&mut self, bytes: &[u8], sink: &mut Sink) {
        self.frames.read(bytes, &mut self.matches, sink);
    }

    fn finish(&mut self, sink: &mut Sink) {
        let matches = &mut self.matches;
        self.frames.finish(&mut |frame| matches.frame(frame, sink));
        sink.flush_all();
        if matches.odd > 0 {
            sink.warn(format!("{} matches of the pattern held no number", matches.odd));
        }
    }

    fn line(&self) -> Option<u64> {
        Some(self.frames.line())
    }

    fn detail(&self) -> String {
        format!("{} matches of the pattern", self.matches.count)
    }
}

impl Reads for Matches {
    /// Reads whole lines without cutting them out, as far as no line is drawn again.
    fn skim(&mut self, bytes: &[u8], frames: &mut Frames, sink: &mut Sink) -> usize {
        let plain = || memchr::memchr3(b'\r', 0x08, 0x1b, bytes).is_none();
        let (Some(literal), Some((first, false))) = (&self.literal, frames.beginning()) else { return 0 };
        let Some(end) = memchr::memrchr(b'\n', bytes).filter(|_| plain()) else { return 0 };
        let whole = &bytes[..=end];
        let (mut counted, mut line) = (0, first);
        for found in literal.find_in(whole) {
            line += memchr::memchr_iter(b'\n', &whole[counted..found.start]).count() as u64;
            counted = found.start;
            self.count += 1;
            let id = *self.id.get_or_insert_with(|| sink.plain("value"));
            let text = &whole[found.clone()];
            match number::lex(text, 0).filter(|number| number.end == text.len()) {
                Some(number) if number.decimals.is_some() => {
                    let slot = Slot { id, at: found, spelling: number.spelling, decimals: number.decimals };
                    sink.record_row(Place::default(), whole, &[slot], line);
                }
                _ => record(text, id, Place::default(), (line, false), &mut self.odd, sink),
            }
        }
        line += memchr::memchr_iter(b'\n', &whole[counted..]).count() as u64;
        frames.go_to(line);
        whole.len()
    }

    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) {
        read(&self.regex, frame, &mut self.count, &mut self.odd, sink);
    }

    fn learn(&mut self, _raw: &[u8], _length: usize, _end: End, _redrawn: bool) {}
}

/// Records what a pattern has found, where it is a number.
fn record(text: &[u8], id: usize, place: Place, (line, redraw): (u64, bool), odd: &mut u64, sink: &mut Sink) {
    match number::whole(text) {
        Some(value) => {
            sink.record(id, place, Shown { value: value.into(), text: text.trim_ascii(), line, redraw });
        }
        None => *odd += 1,
    }
}

fn read(regex: &Regex, frame: Frame<'_>, matches: &mut u64, odd: &mut u64, sink: &mut Sink) {
    for found in regex.captures_iter(frame.text) {
        let Some(group) = found.name("value").or_else(|| found.get(1)) else { continue };
        *matches += 1;
        let number = |name| found.name(name).and_then(|m| number::whole(m.as_bytes()));
        let place = Place { epoch: number("epoch"), step: number("step").map(|s| s as i64), lap: 0 };
        if number::whole(group.as_bytes()).is_none() {
            *odd += 1;
            continue;
        }
        let id = sink.plain(&name(&found));
        record(group.as_bytes(), id, place, (frame.line, frame.redrawn), odd, sink);
    }
}

fn name(found: &Captures<'_>) -> String {
    found.name("metric").map_or_else(|| "value".to_owned(), |m| String::from_utf8_lossy(m.as_bytes()).trim().to_owned())
}
