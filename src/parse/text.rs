//! Log format `text`: anything a program prints, and JSON lines among it.

use super::console::Console;
use super::format::{LogFormat, Reader, Sample};
use super::frames::{Frames, Reads};
use super::options::Options;
use super::sink::Sink;
use super::walk;
use super::wrapped::Wrapped;
use crate::model::Candidate;

/// Anything a program prints on a console.
pub(crate) struct Text;

impl LogFormat for Text {
    fn id(&self) -> &'static str {
        "text"
    }

    fn describe(&self) -> &'static str {
        "console output: key-value lines, tables, dict and JSON lines, progress bars"
    }

    fn score(&self, sample: &Sample<'_>) -> Candidate {
        let zeros = sample.head.iter().filter(|&&b| b == 0).count();
        let (score, why) = if zeros * 50 > sample.head.len() {
            (0.0, "holds zero bytes")
        } else if sample.head.iter().filter(|b| is_odd_control(**b)).count() * 33 > sample.head.len() {
            (0.0, "holds control characters that no console prints")
        } else if sample.head.is_empty() {
            (0.1, "empty")
        } else {
            (0.5, "text, read line by line")
        };
        Candidate { format: self.id().into(), score, why: why.into() }
    }

    fn reader(&self, _options: &Options) -> Box<dyn Reader> {
        Box::new(TextReader::default())
    }

    fn reader_of(&self, _options: &Options, sample: &Sample<'_>) -> Box<dyn Reader> {
        let wrapped = Wrapped::of_log(sample.head);
        Box::new(TextReader { console: Console::of_log(sample.head), wrapped, ..TextReader::default() })
    }
}

/// Whether a byte is a control character that text and terminals have no use for.
fn is_odd_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x07 | 0x08 | 0x0b | 0x0c | 0x1b)
}

/// One JSON object on each line.
pub(crate) struct JsonLines;

impl LogFormat for JsonLines {
    fn id(&self) -> &'static str {
        "jsonl"
    }

    fn describe(&self) -> &'static str {
        "one JSON object on each line"
    }

    fn score(&self, sample: &Sample<'_>) -> Candidate {
        let text = sample.head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(sample.head);
        let mut lines: Vec<&[u8]> =
            text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty()).take(64).collect();
        if lines.len() > 1 && !sample.whole {
            // The last line may be cut.
            lines.pop();
        }
        let objects =
            lines.iter().filter(|l| l.starts_with(b"{") && walk::walk(l, &mut |_, _| {}) == Some(l.len())).count();
        let (score, why) = match objects {
            0 => (0.0, "no line is a JSON object".to_owned()),
            n if n == lines.len() => (0.9, "every line is a JSON object".to_owned()),
            n => (
                0.45 * n as f64 / lines.len() as f64,
                format!("{n} of the first {} lines are JSON objects", lines.len()),
            ),
        };
        Candidate { format: self.id().into(), score, why }
    }

    fn reader(&self, _options: &Options) -> Box<dyn Reader> {
        Box::new(TextReader::default())
    }
}

impl TextReader {
    /// Reads a line of a new kind, and takes that back where the other log's line turns out to say something else.
    fn new_line_alike(&mut self, lines: [&[u8]; 2], redrawn: bool, sink: &mut Sink) -> bool {
        let allowed = TRIALS + self.bytes_alike / BYTES_OF_A_TRIAL;
        if self.trials >= allowed {
            return false;
        }
        self.trials += 1;
        let before = (self.clone(), sink.clone());
        self.frames.whole(lines[0], &mut self.console, sink);
        let alike = self.console.says_the_same(lines, redrawn) == Some(true);
        if !alike {
            (*self, *sink) = before;
        }
        alike
    }
}

/// A line of a new kind is tried on a copy of all that is known. So many of them may be, and one more for so many bytes that were
/// read together: where nearly every line is of a kind of its own, reading the two logs one by one costs less.
const TRIALS: usize = 128;
const BYTES_OF_A_TRIAL: usize = 64 << 10;

/// Feeds frames to a console.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextReader {
    frames: Frames,
    console: Console,
    /// The log was copied from a screen, whose lines are put together first.
    wrapped: Option<Wrapped>,
    /// How many lines of a new kind were tried for two logs, and how many bytes both had alike.
    trials: usize,
    bytes_alike: usize,
}

impl Reader for TextReader {
    fn beginning(&self) -> String {
        self.console.beginning()
    }

    fn fork(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn push(&mut self, bytes: &[u8], sink: &mut Sink) {
        let (frames, console) = (&mut self.frames, &mut self.console);
        match &mut self.wrapped {
            None => frames.read(bytes, console, sink),
            Some(wrapped) => wrapped.read(bytes, &mut |line, text| {
                frames.go_to(line);
                frames.read(text, console, sink);
            }),
        }
    }

    fn finish(&mut self, sink: &mut Sink) {
        let console = &mut self.console;
        if let Some(wrapped) = &mut self.wrapped {
            wrapped.finish(&mut |_, text| self.frames.read(text, console, sink));
            sink.warn("lines cut at the edge of a screen were put together".into());
        }
        self.frames.finish(&mut |frame| console.frame(frame, sink));
        console.finish(sink);
        let skipped = self.frames.dropped + self.console.passed_over;
        if skipped > 0 {
            sink.warn(format!("{skipped} bytes of over-long lines were skipped"));
        }
    }

    fn read_alike(&mut self, logs: [&[u8]; 2], sink: &mut Sink) -> [usize; 2] {
        if self.wrapped.is_some() {
            return [0, 0];
        }
        if logs.iter().all(|log| log.first().is_some_and(|&next| next != b'\n')) {
            self.frames.settle(&mut self.console, sink);
        }
        let read = self.console.skim_alike(logs, &mut self.frames, sink);
        self.bytes_alike += read[0];
        read
    }

    fn line_alike(&mut self, lines: [&[u8]; 2], sink: &mut Sink) -> bool {
        if self.wrapped.is_some() {
            return false;
        }
        if lines[0] == lines[1] {
            self.frames.read(lines[0], &mut self.console, sink);
            return true;
        }
        let controls = lines.iter().any(|line| memchr::memchr2(0x1b, 0x08, line).is_some());
        let Some((_, redrawn)) = self.frames.beginning().filter(|_| !controls) else { return false };
        match self.console.says_the_same(lines, redrawn) {
            Some(true) => self.frames.whole(lines[0], &mut self.console, sink),
            Some(false) => false,
            None => self.new_line_alike(lines, redrawn, sink),
        }
    }

    fn line(&self) -> Option<u64> {
        // Lines that are put together lag behind the bytes that were read.
        self.wrapped.is_none().then(|| self.frames.line())
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
    fn a_log_copied_from_a_screen_says_what_the_log_says() {
        let line = |step: i32| {
            format!(
                "step {step} of 24, the learning rate is still at 0.001 and the loss {}.25{step:03}, accuracy 0.{step}\n",
                step % 7
            )
        };
        let whole: String = (10..34).map(line).collect();
        let cut =
            |line: &str| line.as_bytes().chunks(66).map(|row| String::from_utf8_lossy(row).into_owned()).collect();
        let copied: Vec<String> = whole.lines().flat_map(|line| -> Vec<String> { cut(line) }).collect();
        let [expected, reading] =
            [whole, copied.join("\n")].map(|text| read_bytes(text.as_bytes(), &Options::default()));
        let texts = |reading: &crate::model::Reading| -> Vec<String> {
            let points = |series: &crate::model::Series| {
                series.points.iter().map(|p| format!("{} {:?} {}", series.metric, p.position.step, p.text)).collect()
            };
            reading.series.iter().flat_map(|series| -> Vec<String> { points(series) }).collect()
        };
        assert_eq!(texts(&reading), texts(&expected));
        assert_eq!(reading.warnings.len(), 1, "{:?}", reading.warnings);
    }

    #[test]
    fn lines_of_ever_new_kinds_are_not_read_together_for_long() {
        let (mut reader, mut sink) = (TextReader::default(), Sink::default());
        let line = |number: usize, time: usize| {
            let word: String = format!("{number:04}").bytes().map(|digit| char::from(digit + b'a' - b'0')).collect();
            format!("[{time}.5s] saved {word} here, step {number} loss 0.5\n").into_bytes()
        };
        let mut alike = |number: &usize| reader.line_alike([&line(*number, 1), &line(*number, 2)], &mut sink);
        assert_eq!((0..10 * TRIALS).take_while(|number| alike(number)).count(), TRIALS);
    }
}
