//! Lines of an untrusted file, in bounded memory.

use std::io::{self, BufRead};

/// Most bytes of one line.
const LONGEST: usize = 8 << 20;

/// A line of a record.
pub enum Line<'a> {
    /// Without its end.
    Whole(&'a [u8]),
    /// Longer than any record; passed over.
    TooLong,
    /// The last one, without an end.
    Torn,
}

/// The lines of a record, none of them kept longer than 8 MiB.
pub struct Lines<R> {
    file: R,
    line: Vec<u8>,
    /// Bytes read so far.
    pub read: u64,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `file`, from where it stands.
    pub fn new(file: R) -> Self {
        Self { file, line: Vec::new(), read: 0 }
    }

    /// The next line; `None` at the end of the file.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut whole = false;
        let mut length = 0;
        while !whole {
            let buffer = self.file.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            if length + part.len() <= LONGEST {
                self.line.extend_from_slice(part);
            }
            length += part.len();
            let used = part.len() + usize::from(end.is_some());
            whole = end.is_some();
            self.read += used as u64;
            self.file.consume(used);
        }
        Ok(match (whole, length) {
            (false, 0) => None,
            (false, _) => Some(Line::Torn),
            (true, length) if length > LONGEST => Some(Line::TooLong),
            (true, _) => Some(Line::Whole(&self.line)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(io::BufReader::with_capacity(3, text));
        let mut seen = Vec::new();
        while let Some(line) = lines.next().expect("memory can be read") {
            seen.push(match line {
                Line::Whole(line) => String::from_utf8_lossy(line).into_owned(),
                Line::TooLong => "too long".to_owned(),
                Line::Torn => "torn".to_owned(),
            });
        }
        seen
    }

    #[test]
    fn tells_whole_lines_from_a_torn_last_one() {
        assert_eq!(seen(b"one\n\nthree\n"), ["one", "", "three"]);
        assert_eq!(seen(b"one\ntw"), ["one", "torn"]);
    }

    #[test]
    fn passes_over_a_line_that_is_too_long_and_reads_the_next() {
        let text = [vec![b'x'; LONGEST + 1], b"\nshort\n".to_vec()].concat();
        assert_eq!(seen(&text), ["too long", "short"]);
    }
}
