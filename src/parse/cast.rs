//! Log format `asciicast`: what a terminal showed, as asciinema records it, `[seconds, "o", "text"]` on each line.

use super::console::Console;
use super::format::{LogFormat, Reader, Sample};
use super::frames::{Frames, Reads};
use super::options::Options;
use super::sink::Sink;
use super::walk::{self, Leaf};
use crate::model::Candidate;

/// Longest line of a recording; a longer one is counted and left out.
const LONGEST: usize = 4 << 20;

/// A recording of a terminal.
pub(crate) struct Asciicast;

impl LogFormat for Asciicast {
    fn id(&self) -> &'static str {
        "asciicast"
    }

    fn describe(&self) -> &'static str {
        "recordings of a terminal by asciinema (.cast)"
    }

    fn score(&self, sample: &Sample<'_>) -> Candidate {
        let first = sample.head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
        let (mut version, mut screen) = (false, false);
        let whole = walk::walk(first, &mut |path, leaf| {
            let Leaf::Number(number) = leaf else { return };
            let name = walk::name(path);
            version |= name == "version" && matches!(number, b"2" | b"3");
            screen |= matches!(name.as_str(), "width" | "term.cols");
        });
        let header = whole == Some(first.len()) && first.starts_with(b"{") && version && screen;
        let (score, why) = match header {
            true => (0.97, "begins with the header of a recording"),
            false => (0.0, "no header of a recording"),
        };
        Candidate { format: self.id().into(), score, why: why.into() }
    }

    fn reader(&self, _options: &Options) -> Box<dyn Reader> {
        Box::new(CastReader::default())
    }
}

/// Reads what was shown as a console's output.
#[derive(Clone, Debug, Default)]
struct CastReader {
    /// A line that is not at its end yet.
    rest: Vec<u8>,
    /// The lines before it.
    lines: u64,
    /// Lines that are no event, the header aside.
    skipped: u64,
    frames: Frames,
    console: Console,
}

impl CastReader {
    fn line_of_cast(&mut self, line: &[u8], sink: &mut Sink) {
        self.lines += 1;
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        match event(line) {
            Some(Event::Shown(text)) => {
                self.frames.go_to(self.lines);
                self.frames.read(text.as_bytes(), &mut self.console, sink);
            }
            Some(Event::Other) => {}
            None => self.skipped += u64::from(self.lines > 1),
        }
    }
}

/// What a line of a recording tells.
enum Event {
    /// Text that the terminal showed.
    Shown(String),
    /// What was typed, a change of the window's size, a mark.
    Other,
}

/// `[0.25, "o", "step 1\r\n"]`.
fn event(line: &[u8]) -> Option<Event> {
    let (mut parts, mut kind, mut text) = (0, "", None);
    let end = walk::walk(line, &mut |_, leaf| {
        match (parts, leaf) {
            (1, Leaf::Text(b"o")) => kind = "o",
            (1, Leaf::Text(_)) => kind = "other",
            (2, Leaf::Text(shown)) => text = Some(walk::unescape(shown)),
            _ => {}
        }
        parts += 1;
    });
    if end != Some(line.len()) || !line.starts_with(b"[") || parts != 3 || kind.is_empty() {
        return None;
    }
    Some(text.filter(|_| kind == "o").map_or(Event::Other, Event::Shown))
}

impl Reader for CastReader {
    fn fork(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn push(&mut self, bytes: &[u8], sink: &mut Sink) {
        let mut bytes = bytes;
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let mut line = std::mem::take(&mut self.rest);
            line.extend_from_slice(&bytes[..end]);
            self.line_of_cast(&line, sink);
            bytes = &bytes[end + 1..];
        }
        if self.rest.len() < LONGEST {
            self.rest.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self, sink: &mut Sink) {
        let rest = std::mem::take(&mut self.rest);
        self.line_of_cast(&rest, sink);
        if self.skipped > 0 {
            sink.warn(format!("{} lines of the recording are no events: they were skipped", self.skipped));
        }
        self.frames.finish(&mut |frame| self.console.frame(frame, sink));
        self.console.finish(sink);
    }

    fn line(&self) -> Option<u64> {
        Some(self.lines + 1)
    }

    fn detail(&self) -> String {
        self.console.styles.told()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::read_bytes;

    #[test]
    fn a_recording_says_what_its_terminal_showed() {
        let cast = "{\"version\": 2, \"width\": 80, \"height\": 24}\n[0.1, \"o\", \"step 1 lo\"]\n\
                    [0.15, \"i\", \"step 9 loss 9.5\\r\\n\"]\n[0.2, \"o\", \"ss 0.5\\r\\nst\"]\n\
                    [0.3, \"o\", \"ep 2 loss \\u001b[1m0.25\\u001b[0m\\r\\n\"]\nnoise\n[0.4, \"r\", \"90x24\"]\n";
        let reading = read_bytes(cast.as_bytes(), &Options::default());
        let series = reading.primary().expect("a loss");
        let points: Vec<_> = series.points.iter().map(|p| (p.position.step, p.text.as_str())).collect();
        assert_eq!((series.metric.as_str(), points), ("loss", vec![(Some(1), "0.5"), (Some(2), "0.25")]));
        assert_eq!(reading.warnings, ["1 lines of the recording are no events: they were skipped"]);
    }
}
