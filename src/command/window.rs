//! The raw lines of a log around a point.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use memchr::{memchr, memchr2, memmem};

use crate::model::{Point, RawLine};

/// Lines shown before and after the point's.
const CONTEXT: u64 = 3;

/// Longest text kept of one line, or of one drawing of a line that was drawn over and over.
const LONGEST: usize = 2000;

/// How far before the place where a point was known to have been read its drawing is looked for first, in bytes.
const REACH: u64 = 1 << 18;

/// What is known of where things stand in a log that was read; it saves reading it again from its beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Lines of it in their order, each with the offset of a byte in it; a line may stand there more than once.
    pub marks: &'a [(u64, u64)],
    /// How many bytes were read when the point had just been seen.
    pub read: Option<u64>,
}

impl Known<'_> {
    /// The last mark of this line, or of one before it.
    fn mark(&self, line: u64) -> Option<(u64, u64)> {
        let marks = &self.marks[..self.marks.partition_point(|(known, _)| *known <= line)];
        marks.last().copied()
    }
}

/// Lines of a log around a point, as many as can be read. Of a line that was drawn over and over, the drawing that shows the
/// point is given for the point's own line, and the last one for others.
pub fn around(log: &Path, point: &Point, known: Known<'_>) -> Vec<RawLine> {
    if point.line == 0 {
        return Vec::new(); // it was seen from inside
    }
    let first = point.line.saturating_sub(CONTEXT).max(1);
    let Some(mut lines) = File::open(log).ok().and_then(|file| Lines::seek(file, first, known)) else {
        return Vec::new();
    };
    let text = |number| if number == point.line { lines.drawing(point, known) } else { lines.last_drawing() };
    let found = (first..=point.line + CONTEXT).map(text).take_while(Option::is_some).flatten();
    (first..).zip(found).map(|(number, text)| RawLine { number, text }).collect()
}

/// The lines of a log, one after the other.
struct Lines(BufReader<File>);

impl Lines {
    /// Stands at the beginning of a line.
    fn seek(file: File, line: u64, known: Known<'_>) -> Option<Self> {
        let mut lines = Self(BufReader::with_capacity(1 << 16, file));
        let mut next = 1;
        if let Some((before, offset)) = known.mark(line - 1) {
            lines.0.seek(SeekFrom::Start(offset)).ok()?;
            lines.skip()?;
            next = before + 1;
        }
        (next..line).try_for_each(|_| lines.skip())?;
        Some(lines)
    }

    /// The last drawing of the next line; `None` at the end of the log.
    fn last_drawing(&mut self) -> Option<String> {
        let mut last = self.piece()?;
        while !last.ends_line {
            let Some(piece) = self.piece() else { break };
            // What clears a bar, and a carriage return before the line feed, draw nothing.
            last =
                if piece.text.trim_ascii().is_empty() { Piece { ends_line: piece.ends_line, ..last } } else { piece };
        }
        Some(last.shown())
    }

    /// The drawing of the next line that shows a point; the last one where none does.
    fn drawing(&mut self, point: &Point, known: Known<'_>) -> Option<String> {
        let start = self.0.stream_position().ok()?;
        let inside = known.mark(point.line).filter(|(line, _)| *line == point.line).map(|(_, offset)| offset);
        let near = inside.zip(known.read).map(|(inside, read)| inside.min(read.saturating_sub(REACH)).max(start));
        let found = near.and_then(|near| {
            self.0.seek(SeekFrom::Start(near)).ok()?;
            self.shows(point, known.read.unwrap_or(u64::MAX))
        });
        self.0.seek(SeekFrom::Start(start)).ok()?;
        let Some(found) = found.or_else(|| self.shows(point, u64::MAX)) else {
            self.0.seek(SeekFrom::Start(start)).ok()?;
            return self.last_drawing();
        };
        self.0.seek(SeekFrom::Start(inside.unwrap_or(start))).ok()?;
        self.skip()?;
        Some(found)
    }

    /// The last piece of this line that shows the value of a point beside its step; without the step where none shows both.
    /// Pieces that begin behind the offset `end` are not looked at.
    fn shows(&mut self, point: &Point, end: u64) -> Option<String> {
        let value = memmem::Finder::new(point.text.as_bytes());
        let step = point.position.step.map(|step| step.to_string());
        let (mut beside, mut alone) = (None, None);
        let mut at = self.0.stream_position().ok()?;
        while at <= end {
            let Some(piece) = self.piece() else { break };
            at += piece.length;
            if stands_in(&piece.text, &value) {
                let with_step = step.as_ref().is_some_and(|step| stands_in(&piece.text, &memmem::Finder::new(step)));
                *(if with_step { &mut beside } else { &mut alone }) = Some(piece.shown());
            }
            if piece.ends_line {
                break;
            }
        }
        beside.or(alone)
    }

    /// The next text up to a line feed or a carriage return, cut to the longest kept; `None` at the end of the log.
    fn piece(&mut self) -> Option<Piece> {
        let mut piece = Piece::default();
        loop {
            let buffer = self.0.fill_buf().ok()?;
            let end = memchr2(b'\n', b'\r', buffer);
            let text = &buffer[..end.unwrap_or(buffer.len())];
            let room = LONGEST.saturating_sub(piece.text.len()).min(text.len());
            piece.text.extend_from_slice(&text[..room]);
            let taken = end.map_or(buffer.len(), |end| end + 1);
            piece.ends_line = end.is_some_and(|end| buffer[end] == b'\n');
            self.0.consume(taken);
            piece.length += taken as u64;
            if end.is_some() || taken == 0 {
                return (piece.length > 0).then_some(piece);
            }
        }
    }

    /// Goes on to the next line; `None` where the log cannot be read.
    fn skip(&mut self) -> Option<()> {
        loop {
            let buffer = self.0.fill_buf().ok()?;
            let end = memchr(b'\n', buffer);
            let taken = end.map_or(buffer.len(), |end| end + 1);
            self.0.consume(taken);
            if end.is_some() || taken == 0 {
                return Some(());
            }
        }
    }
}

/// A part of a line that ends in a line feed or a carriage return.
#[derive(Default)]
struct Piece {
    /// The beginning of its text.
    text: Vec<u8>,
    /// Its bytes in the log, the one that ends it included.
    length: u64,
    ends_line: bool,
}

impl Piece {
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.text).trim_end().to_owned()
    }
}

/// Whether a number stands in a text, and not only as a part of a longer one.
fn stands_in(text: &[u8], number: &memmem::Finder<'_>) -> bool {
    let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.');
    number.find_iter(text).any(|at| {
        let end = at + number.needle().len();
        // A full stop that ends a sentence is no part of a number.
        let stops = text.get(end) == Some(&b'.') && !part(text.get(end + 1));
        let goes_on = part(text.get(end)) && !stops;
        !goes_on && !part(text[..at].last())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Known<'_> = Known { marks: &[], read: None };

    fn texts(lines: &[RawLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn keeps_the_lines_around_and_cuts_long_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines = format!("0\none\n{}\nthree\r\nloss 5\n\nold\rnew\rnewest\r\nlast", "x".repeat(5000));
        std::fs::write(&path, lines).unwrap();
        let point = Point::printed(1, "5", 5);
        let window = around(&path, &point, NOTHING);
        assert_eq!((window[0].number, window[1].text.len()), (2, LONGEST));
        assert_eq!(texts(&window)[2..], ["three", "loss 5", "", "newest", "last"]);
        for mark in [(1, 1), (2, 3), (4, 5010), (5, 5020), (8, 5040)] {
            let known = Known { marks: &[mark], read: None };
            assert_eq!(around(&path, &point, known), window, "{mark:?}");
        }
        assert!(around(Path::new("/nonexistent"), &point, NOTHING).is_empty());
    }

    #[test]
    fn of_a_bar_the_drawing_of_the_step_is_shown_and_not_another_one_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let bar = |step: u32| format!("\r{step}/90000 loss={}.5, 1.5", step % 10);
        let lines = format!("first\n{}\nlast\n", (0..90_000).map(bar).collect::<String>());
        std::fs::write(&path, &lines).unwrap();
        let shown = |step: i64, value: &str, known: Known<'_>| {
            let window = around(&path, &Point::printed(step, value, 2), known);
            assert_eq!((window.len(), window[2].text.as_str()), (3, "last"));
            window[1].text.clone()
        };
        let offset = lines.find("\r70004/").unwrap() as u64;
        let marks: Vec<(u64, u64)> = (0..20).map(|k| (2, 50_000 * k + 20)).collect();
        for known in [
            NOTHING,
            Known { marks: &marks, read: None },
            Known { marks: &marks, read: Some(offset + 100) },
            Known { marks: &marks, read: Some(offset + 100_000) },
            Known { marks: &marks[..1], read: Some(offset + 1_000_000) },
            Known { marks: &[], read: Some(offset + 100) },
        ] {
            assert_eq!(shown(70_004, "4.5", known), "70004/90000 loss=4.5, 1.5", "{known:?}");
        }
        assert_eq!(shown(123_456, "4.5", NOTHING), "89994/90000 loss=4.5, 1.5", "a step that is not in its words");
        assert_eq!(shown(70_004, "7.25", NOTHING), "89999/90000 loss=9.5, 1.5", "a value that is not in its words");
    }

    #[test]
    fn a_number_stands_in_a_text_only_whole() {
        let stands = |text: &str, number: &str| stands_in(text.as_bytes(), &memmem::Finder::new(number));
        assert!(stands("12/400 loss=0.5, lr", "0.5") && stands("12/400", "12") && stands("is 0.5.", "0.5"));
        assert!(!stands("loss=0.55", "0.5") && !stands("loss=10.5", "0.5") && !stands("3.12/400", "12"));
        assert!(!stands("1.5.2", "1.5"));
    }
}
