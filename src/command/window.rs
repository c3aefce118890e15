//! The raw lines of a log around a place.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::model::RawLine;

/// Longest text kept of one line; a progress bar redrawn a thousand times is one line.
const LONGEST: usize = 2000;

/// Lines `first..=last` of a log, counted from 1; as many as can be read. `mark` is an earlier line with the offset of a
/// byte in it, where one is known.
pub fn lines(path: &Path, first: u64, last: u64, mark: Option<(u64, u64)>) -> Vec<RawLine> {
    let Ok(mut file) = File::open(path) else { return Vec::new() };
    let mark = mark.filter(|(line, offset)| *line < first && file.seek(SeekFrom::Start(*offset)).is_ok());
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut kept = Vec::new();
    if mark.is_some() {
        skip_line(&mut reader);
    }
    let next = mark.map_or(1, |(line, _)| line + 1);
    for number in next..=last {
        if number < first {
            skip_line(&mut reader);
            continue;
        }
        let Some(bytes) = line(&mut reader) else { break };
        let text = String::from_utf8_lossy(&bytes);
        let shown = text.trim_end().rsplit('\r').next().unwrap_or_default();
        kept.push(RawLine { number, text: shown.to_owned() });
    }
    kept
}

/// The next line, cut to the longest kept: the rest of it is read and dropped. `None` at the end of the file.
fn line(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.by_ref().take(LONGEST as u64).read_until(b'\n', &mut bytes).ok()?;
    if read == 0 {
        return None;
    }
    if bytes.last() != Some(&b'\n') {
        skip_line(reader);
    }
    Some(bytes)
}

fn skip_line(reader: &mut impl BufRead) {
    while let Ok(buffer) = reader.fill_buf() {
        let length = buffer.len();
        match memchr::memchr(b'\n', buffer) {
            Some(at) => return reader.consume(at + 1),
            None if length == 0 => return,
            None => reader.consume(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_lines_asked_for_and_cuts_long_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, format!("one\n{}\nthree\nold\rnew\nlast", "x".repeat(5000))).unwrap();
        let window = lines(&path, 2, 9, None);
        let texts: Vec<&str> = window.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(window[0].text.len(), LONGEST);
        assert_eq!(&texts[1..], ["three", "new", "last"]);
        assert_eq!(window[3].number, 5);
        assert_eq!(lines(&path, 3, 9, Some((2, 100))), window[1..], "from within the second line");
        assert_eq!(lines(&path, 2, 9, Some((2, 100))), window, "a mark that is too late is of no use");
        assert!(lines(Path::new("/nonexistent"), 1, 2, None).is_empty());
    }
}
