//! Bytes to frames: what a terminal would have shown between two line ends or redraws, without its control codes.

use memchr::{memchr2, memmem};

use super::sink::Sink;

/// Longest frame that is kept; the rest of a longer one is counted and dropped.
pub(crate) const LONGEST: usize = 1 << 20;

/// Longest text that is read as a drawing of its own where backspaces go back in it: no terminal is so wide.
const DRAWN: usize = 2048;

/// How a frame came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A line feed.
    Line,
    /// A carriage return or backspaces: the same place will be drawn again.
    Redraw,
    /// The log stopped in the middle of the line.
    Cut,
}

/// One frame of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The text, without control codes and trailing blanks.
    pub(crate) text: &'a [u8],
    /// Line of the log, counted from 1.
    pub(crate) line: u64,
    /// How it ended.
    pub(crate) end: End,
    /// Whether this frame or an earlier one of the same line is a redraw.
    pub(crate) redrawn: bool,
}

/// Whoever reads a log frame by frame.
pub(crate) trait Reads {
    /// Reads frames of a known layout without cutting them out, and gives the bytes they took.
    fn skim(&mut self, bytes: &[u8], frames: &mut Frames, sink: &mut Sink) -> usize;
    /// Reads a frame.
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink);
    /// Keeps the layout of the frame just read: its bytes with their end, of which the first `length` are its text.
    fn learn(&mut self, raw: &[u8], length: usize, end: End, redrawn: bool);
}

/// Cuts bytes that arrive in any pieces into frames.
#[derive(Clone, Debug)]
pub(crate) struct Frames {
    rest: Vec<u8>,
    clean: Vec<u8>,
    line: u64,
    redrawn: bool,
    skipping: bool,
    /// The bytes so far end in a carriage return.
    returned: bool,
    /// Bytes that were dropped because their line was longer than [`LONGEST`].
    pub(crate) dropped: u64,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            rest: Vec::new(),
            clean: Vec::new(),
            line: 1,
            redrawn: false,
            skipping: false,
            returned: false,
            dropped: 0,
        }
    }
}

impl Frames {
    /// Hands the frames that `bytes` completes to a reader, which may skip what it knows.
    pub(crate) fn read(&mut self, mut bytes: &[u8], reader: &mut impl Reads, sink: &mut Sink) {
        let plain = memchr2(0x1b, 0x08, bytes).is_none();
        while !bytes.is_empty() {
            bytes = &bytes[reader.skim(bytes, self, sink)..];
            let Some(length) = frame_length(bytes) else {
                self.push(bytes, &mut |frame| reader.frame(frame, sink));
                return;
            };
            let (raw, rest) = bytes.split_at(length);
            let whole = plain && (raw.ends_with(b"\n") || !rest.is_empty());
            if !whole || !self.whole(raw, reader, sink) {
                self.push(raw, &mut |frame| reader.frame(frame, sink));
                if !rest.is_empty() {
                    self.settle(reader, sink);
                }
            }
            bytes = rest;
        }
    }

    /// Says that whole lines up to this one were read by somebody else.
    pub(crate) fn go_to(&mut self, line: u64) {
        self.line = line;
    }

    /// Hands on a frame that is whole, with its end, and has no control codes in it; false within another frame.
    pub(crate) fn whole(&mut self, raw: &[u8], reader: &mut impl Reads, sink: &mut Sink) -> bool {
        let Some((line, redrawn)) = self.beginning() else { return false };
        let end = if raw.ends_with(b"\n") { End::Line } else { End::Redraw };
        let text = without_blanks(raw);
        reader.frame(Frame { text, line, end, redrawn }, sink);
        if end == End::Line || !text.is_empty() {
            self.passed(end);
        }
        if !text.is_empty() {
            reader.learn(raw, text.len(), end, redrawn);
        }
        true
    }

    /// Says that another byte follows a carriage return that came last, and that it is no line feed.
    pub(crate) fn settle(&mut self, reader: &mut impl Reads, sink: &mut Sink) {
        if self.returned {
            self.returned = false;
            self.end_held(b'\r', &mut |frame| reader.frame(frame, sink));
        }
    }

    /// The line that the next byte belongs to.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// At the beginning of a frame: its line, and whether the line was drawn before. `None` within a frame.
    pub(crate) fn beginning(&self) -> Option<(u64, bool)> {
        (self.rest.is_empty() && !self.returned && !self.skipping).then_some((self.line, self.redrawn))
    }

    /// Counts a frame that was read by somebody else: it was not blank, and ended in a line feed or a carriage return.
    pub(crate) fn passed(&mut self, end: End) {
        if end == End::Line {
            self.line += 1;
        }
        self.redrawn = end != End::Line;
    }

    /// Hands every frame that `bytes` completes to `each`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(Frame<'_>)) {
        if self.returned && !bytes.is_empty() {
            // Only now it shows whether the carriage return before was a line end or a redraw.
            self.returned = false;
            let feeds = bytes[0] == b'\n';
            self.end_held(if feeds { b'\n' } else { b'\r' }, each);
            bytes = &bytes[usize::from(feeds)..];
        }
        while let Some(at) = memchr2(b'\n', b'\r', bytes) {
            let mut next = at + 1;
            let mut end = bytes[at];
            if end == b'\r' {
                match bytes.get(next) {
                    Some(b'\n') => {
                        end = b'\n';
                        next += 1;
                    }
                    Some(_) => {}
                    None => {
                        self.keep(&bytes[..at]);
                        self.returned = true;
                        return;
                    }
                }
            }
            if self.rest.is_empty() && !self.skipping {
                // The whole frame is here.
                self.finish_frame(&bytes[..at], end, each);
            } else {
                self.keep(&bytes[..at]);
                self.end_held(end, each);
            }
            bytes = &bytes[next..];
        }
        self.keep(bytes);
    }

    /// Ends the frame whose beginning was held.
    fn end_held(&mut self, end: u8, each: &mut dyn FnMut(Frame<'_>)) {
        let mut whole = std::mem::take(&mut self.rest);
        self.skipping = false;
        self.finish_frame(&whole, end, each);
        whole.clear();
        self.rest = whole;
    }

    /// Hands over what stands after the last line end.
    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(Frame<'_>)) {
        if self.returned {
            self.end_held(b'\r', each);
        }
        let whole = std::mem::take(&mut self.rest);
        if !whole.is_empty() {
            self.emit(&whole, End::Cut, each);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.rest.len());
        let kept = bytes.len().min(room);
        self.rest.extend_from_slice(&bytes[..kept]);
        self.dropped += (bytes.len() - kept) as u64;
        self.skipping |= kept < bytes.len();
    }

    fn finish_frame(&mut self, text: &[u8], end: u8, each: &mut dyn FnMut(Frame<'_>)) {
        if end == b'\n' {
            self.emit(text, End::Line, each);
            self.line += 1;
            self.redrawn = false;
        } else {
            self.emit(text, End::Redraw, each);
            self.redrawn |= !text.trim_ascii().is_empty();
        }
    }

    fn emit(&mut self, text: &[u8], end: End, each: &mut dyn FnMut(Frame<'_>)) {
        let plain = memchr2(0x1b, 0x08, text).is_none();
        if plain {
            let frame = Frame { text: without_blanks(text), line: self.line, end, redrawn: self.redrawn };
            each(frame);
            return;
        }
        let mut clean = std::mem::take(&mut self.clean);
        clean.clear();
        let mut redrawn = self.redrawn;
        let mut under: Option<Under> = None;
        let mut i = 0;
        while i < text.len() {
            match text[i] {
                0x1b => {
                    let restarts = restarts_line(&text[i..]);
                    if let Some(before) = under.take_if(|_| restarts).and_then(|under| under.settle(&mut clean)) {
                        each(Frame { text: before.trim_ascii_end(), line: self.line, end: End::Redraw, redrawn });
                        redrawn = true;
                    }
                    if restarts && !clean.trim_ascii().is_empty() {
                        each(Frame { text: clean.trim_ascii_end(), line: self.line, end: End::Redraw, redrawn });
                        redrawn = true;
                        clean.clear();
                    }
                    i = escape(text, i, &mut clean);
                }
                0x08 => {
                    if let Some(before) = under.take().and_then(|under| under.settle(&mut clean)) {
                        each(Frame { text: before.trim_ascii_end(), line: self.line, end: End::Redraw, redrawn });
                        redrawn = true;
                    }
                    let run = text[i..].iter().take_while(|&&b| b == 0x08).count();
                    // Backspaces count characters, the buffer bytes: a bar of wide glyphs is longer than its run.
                    let keep = characters_back(&clean, run);
                    // A bar drawn anew leaves at most a whole word before it.
                    let whole = keep == 0 || clean[keep - 1] == b' ' || run == 1;
                    if run > 1 && clean.len() > DRAWN {
                        self.dropped += (clean.len() - keep) as u64;
                    } else if run > 1 && !clean.trim_ascii().is_empty() {
                        under = Some(Under { text: clean.clone(), keep });
                    }
                    clean.truncate(if whole { keep } else { 0 });
                    i += run;
                }
                byte => {
                    clean.push(byte);
                    i += 1;
                }
            }
        }
        if let Some(before) = under.and_then(|under| under.settle(&mut clean)) {
            each(Frame { text: before.trim_ascii_end(), line: self.line, end: End::Redraw, redrawn });
            redrawn = true;
        }
        each(Frame { text: clean.trim_ascii_end(), line: self.line, end, redrawn });
        self.redrawn |= redrawn;
        self.clean = clean;
    }
}

/// A text without the blanks behind it; they count where a container's runtime has cut a line that goes on in the next one.
fn without_blanks(text: &[u8]) -> &[u8] {
    let shown = text.trim_ascii_end();
    let goes_on = || {
        [&b" stdout P "[..], b" stderr P "].iter().any(|tag| memmem::find(&text[..text.len().min(64)], tag).is_some())
    };
    if !text[shown.len()..].starts_with(b" ") || !goes_on() {
        return shown;
    }
    let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
    &text[..end]
}

/// What stood on a line when backspaces went back in it.
struct Under {
    text: Vec<u8>,
    /// How much of it stands before the place that they went back to.
    keep: usize,
}

impl Under {
    /// What was drawn before, where what was written since stands for it; else both are one drawing, as with a counter that is
    /// set into the middle of a bar.
    fn settle(self, clean: &mut Vec<u8>) -> Option<Vec<u8>> {
        let (before, rest) = self.text.split_at(self.keep);
        let written = clean.strip_prefix(before).filter(|_| !before.is_empty()).unwrap_or(clean);
        let count = characters(written);
        if self.keep == 0 || count == 0 || count * 2 >= characters(rest) || rest.trim_ascii().is_empty() {
            return Some(self.text);
        }
        let covered: usize = String::from_utf8_lossy(rest).chars().take(count).map(char::len_utf8).sum();
        *clean = [before, written, rest.get(covered..).unwrap_or_default()].concat();
        None
    }
}

/// How many characters a text has.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// Length of the frame that the bytes begin with, its end included; `None` where it does not end in them.
pub(crate) fn frame_length(bytes: &[u8]) -> Option<usize> {
    let at = memchr2(b'\n', b'\r', bytes)?;
    Some(at + 1 + usize::from(bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n')))
}

/// Where `text` ends once `count` characters are taken off it.
fn characters_back(text: &[u8], count: usize) -> usize {
    let mut end = text.len();
    for _ in 0..count {
        while end > 0 {
            end -= 1;
            if text[end] & 0xC0 != 0x80 {
                break;
            }
        }
        if end == 0 {
            break;
        }
    }
    end
}

/// Whether an escape sequence erases the line or goes back to its start: `ESC [ 2 K`, `ESC [ G`, `ESC [ 1 G`.
fn restarts_line(text: &[u8]) -> bool {
    let end = text.iter().skip(2).take(4).position(|b| !b.is_ascii_digit()).map(|n| n + 2);
    let Some((end, true)) = end.map(|end| (end, text.get(1) == Some(&b'['))) else { return false };
    matches!((&text[2..end], text[end]), (b"2", b'K') | (b"" | b"0" | b"1", b'G'))
}

/// Skips the escape sequence at `at`; a cursor movement to the left edge becomes a blank so that words stay apart.
fn escape(text: &[u8], at: usize, clean: &mut Vec<u8>) -> usize {
    match text.get(at + 1) {
        Some(b'[') => {
            let mut i = at + 2;
            while i < text.len() && !(0x40..=0x7e).contains(&text[i]) {
                i += 1;
            }
            // `ESC [ n C` moves right: what it jumps over is blank.
            if text.get(i) == Some(&b'C') {
                clean.push(b' ');
            }
            (i + 1).min(text.len())
        }
        // Titles and messages to the terminal, among them Buildkite's stamp `ESC _ bk;t=1767323045123 BEL`.
        Some(b']' | b'_' | b'P' | b'^' | b'X') => {
            let mut i = at + 2;
            while i < text.len() && text[i] != 0x07 && !(text[i] == 0x1b && text.get(i + 1) == Some(&b'\\')) {
                i += 1;
            }
            if text.get(i) == Some(&0x1b) { i + 2 } else { (i + 1).min(text.len()) }
        }
        Some(b'(' | b')') => (at + 3).min(text.len()),
        Some(_) => at + 2,
        None => at + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(text: &str) -> Vec<(String, u64, End)> {
        let mut seen = Vec::new();
        for size in [1, 3, 1000] {
            let mut frames = Frames::default();
            let mut got = Vec::new();
            let mut each = |f: Frame<'_>| got.push((String::from_utf8_lossy(f.text).into_owned(), f.line, f.end));
            for piece in text.as_bytes().chunks(size) {
                frames.push(piece, &mut each);
            }
            frames.finish(&mut each);
            assert!(seen.is_empty() || seen == got, "pieces of {size} give the same frames");
            seen = got;
        }
        seen
    }

    #[test]
    fn cuts_at_line_ends_redraws_and_backspaces() {
        assert_eq!(
            frames("a\r\nb\x1b[32mc\x1b[0m\n\x1b[1m1/2\x1b[0m\x08\x08\x082/2\nend"),
            vec![
                ("a".into(), 1, End::Line),
                ("bc".into(), 2, End::Line),
                ("1/2".into(), 3, End::Redraw),
                ("2/2".into(), 3, End::Line),
                ("end".into(), 4, End::Cut),
            ]
        );
    }

    #[test]
    fn what_is_set_into_the_middle_of_a_drawing_is_part_of_it() {
        let drawn = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let texts = |text: &str| frames(text).into_iter().map(|(text, ..)| text).collect::<Vec<_>>();
        let back = |count: usize| "\x08".repeat(count);
        assert_eq!(texts(&format!("[==>.....] loss 0.5{} 3/9\n", back(15))), drawn(&["[==> 3/9.] loss 0.5"]));
        assert_eq!(texts(&format!("loss 0.5 10%{}20%\n", back(3))), drawn(&["loss 0.5 10%", "loss 0.5 20%"]));
        assert_eq!(
            texts(&format!("5/9 loss 0.5{}\r6/9 loss 0.4\n", back(12))),
            drawn(&["5/9 loss 0.5", "", "6/9 loss 0.4"])
        );
    }

    #[test]
    fn a_line_without_an_end_is_not_held() {
        let mut frames = Frames::default();
        let mut lengths = Vec::new();
        for _ in 0..40 {
            frames.push(&[b'x'; 100_000], &mut |_| {});
        }
        frames.push(b"\nnext\n", &mut |f| lengths.push(f.text.len()));
        assert_eq!(lengths, [LONGEST, 4]);
        assert_eq!(frames.dropped, 4_000_000 - LONGEST as u64);
    }
}
