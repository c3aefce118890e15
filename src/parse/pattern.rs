//! Lines read by the user's own expression.

use regex::bytes::{Captures, Regex};

use super::format::Reader;
use super::frames::{Frame, Frames};
use super::number;
use super::options::Pattern;
use super::sink::{Place, Shown, Sink};

/// Reads every match of a pattern.
pub(crate) struct PatternReader {
    frames: Frames,
    regex: Regex,
    matches: u64,
    odd: u64,
}

impl PatternReader {
    /// A reader for `pattern`.
    pub(crate) fn new(pattern: &Pattern) -> Self {
        Self { frames: Frames::default(), regex: pattern.regex.clone(), matches: 0, odd: 0 }
    }
}

impl Reader for PatternReader {
    fn push(&mut self, bytes: &[u8], sink: &mut Sink) {
        let Self { frames, regex, matches, odd } = self;
        frames.push(bytes, &mut |frame| read(regex, frame, matches, odd, sink));
    }

    fn finish(&mut self, sink: &mut Sink) {
        let Self { frames, regex, matches, odd } = self;
        frames.finish(&mut |frame| read(regex, frame, matches, odd, sink));
        sink.flush_all();
        if self.odd > 0 {
            sink.warn(format!("{} matches of the pattern held no number", self.odd));
        }
    }

    fn detail(&self) -> String {
        format!("{} matches of the pattern", self.matches)
    }
}

fn read(regex: &Regex, frame: Frame<'_>, matches: &mut u64, odd: &mut u64, sink: &mut Sink) {
    for found in regex.captures_iter(frame.text) {
        let Some(group) = found.name("value").or_else(|| found.get(1)) else { continue };
        *matches += 1;
        let Some(value) = number::whole(group.as_bytes()) else {
            *odd += 1;
            continue;
        };
        let text = String::from_utf8_lossy(group.as_bytes().trim_ascii());
        let number = |name| found.name(name).and_then(|m| number::whole(m.as_bytes()));
        let place = Place { epoch: number("epoch"), step: number("step").map(|s| s as i64), lap: 0 };
        let id = sink.plain(&name(&found));
        sink.record(id, place, Shown { value, text: &text, line: frame.line, redraw: frame.redrawn });
    }
}

fn name(found: &Captures<'_>) -> String {
    found.name("metric").map_or_else(|| "value".to_owned(), |m| String::from_utf8_lossy(m.as_bytes()).trim().to_owned())
}
