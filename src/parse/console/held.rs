//! Lines that are waited with: a dict over several lines, and indented lines whose step may stand below them.

use super::rows::{Pair, position_of};
use super::{Console, Here};
use crate::parse::sink::Sink;
use crate::parse::table;

/// Most lines and bytes that are held.
const LINES: usize = 128;
const BYTES: usize = 32 << 10;
/// Most lines of others within a dict.
const STRAYS: usize = 8;

/// A line as it came.
#[derive(Clone, Debug)]
pub(super) struct HeldLine {
    text: Vec<u8>,
    line: u64,
    rank: Option<u32>,
    /// Its name and its number, where it has both.
    pair: Option<(String, String)>,
    name: String,
}

/// A dict of which the end has not come yet.
#[derive(Clone, Debug)]
pub(super) struct OpenDict {
    lines: Vec<HeldLine>,
    /// Which of them another process wrote.
    strays: Vec<usize>,
    depth: i32,
    bytes: usize,
}

impl Console {
    /// Takes a line that belongs to a dict over several lines; false where it is to be read at once.
    pub(super) fn gather(&mut self, here: Here<'_>, sink: &mut Sink) -> bool {
        let text = here.text.trim_ascii();
        let Some(mut open) = self.open_dict.take() else {
            let first = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
            let begins = first.is_some_and(|first| matches!(first.first(), None | Some(b'\'' | b'"')));
            let depth = depth(text);
            if here.redraw || here.cut || !begins || depth <= 0 || text.len() > BYTES {
                return false;
            }
            self.open_dict =
                Some(OpenDict { lines: vec![HeldLine::new(here)], strays: Vec::new(), depth, bytes: text.len() });
            return true;
        };
        open.bytes += text.len();
        let stray = !belongs_to_dict(text);
        let full = open.bytes > BYTES || open.lines.len() >= LINES || stray && open.strays.len() >= STRAYS;
        if here.redraw || here.cut || full {
            self.open_dict = Some(open);
            self.give_up(sink);
            return false;
        }
        if stray {
            open.strays.push(open.lines.len());
        } else {
            open.depth += depth(text);
        }
        open.lines.push(HeldLine::new(here));
        if open.depth > 0 {
            self.open_dict = Some(open);
            return true;
        }
        let own = open.lines.iter().enumerate().filter(|(index, _)| !open.strays.contains(index));
        let joined = own.map(|(_, line)| line.text.as_slice()).collect::<Vec<_>>().join(&b' ');
        let first = &open.lines[0];
        self.text(Here { text: &joined, indented: false, line: first.line, rank: first.rank, ..here }, sink, 0);
        for stray in open.strays {
            self.text(open.lines[stray].here(), sink, 0);
        }
        self.lesson = None;
        true
    }

    /// Reads the lines of a dict that never ended, one by one.
    pub(super) fn give_up(&mut self, sink: &mut Sink) {
        for held in self.open_dict.take().map(|open| open.lines).unwrap_or_default() {
            self.text(held.here(), sink, 0);
        }
        self.lesson = None;
    }

    /// Holds an indented line with one pair, or a row of two columns; false for any other.
    pub(super) fn hold(&mut self, here: Here<'_>, sink: &mut Sink) -> bool {
        if here.redraw || here.cut || !(here.indented || self.two_columns) {
            return false;
        }
        let parted = if self.two_columns { two_columns(here.text) } else { pair(here.text) };
        if parted.is_none() && !self.lines.is_empty() && here.text.starts_with(b"- ") {
            // An item of a list in the block has no name.
            return true;
        }
        let Some((name, value)) = parted.or_else(|| heading(here.text).map(|name| (name, &b""[..]))) else {
            return false;
        };
        let name = self.name_below_heading(name);
        let known = self.lines.iter().any(|held| held.name == name && held.pair.is_some());
        if known || self.lines.len() >= LINES {
            self.release_lines(sink);
        }
        let found = table::cell_number(value).filter(|found| found.end == value.len());
        let pair = found.map(|_| (name.clone(), String::from_utf8_lossy(value).into_owned()));
        // A word says nothing, but it does not end a block either.
        if pair.is_none() && self.lines.is_empty() {
            return false;
        }
        self.lines.push(HeldLine { pair, name, ..HeldLine::new(here) });
        true
    }

    /// The name of a pair: where it stands in the block already, the heading that came between goes before it.
    fn name_below_heading(&self, name: &str) -> String {
        let known = self.lines.iter().position(|held| held.name == name && held.pair.is_some());
        let behind = &self.lines[known.map_or(self.lines.len(), |known| known + 1)..];
        let heading = behind.iter().rev().find_map(|held| heading(&held.text));
        heading.map_or_else(|| name.to_owned(), |heading| format!("{heading}/{name}"))
    }

    /// Reads the lines that were held: together where one of them tells the step, else one by one.
    pub(super) fn release_lines(&mut self, sink: &mut Sink) {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        let held = |held: &HeldLine| held.pair.clone().map(|(name, value)| (name, value, held.line));
        let block: Vec<Pair> = lines.iter().filter_map(held).collect();
        let (said, told) = position_of(&block, lines[0].rank);
        if !told || block.len() < 3 || said.step.is_none() && said.epoch.is_none() {
            for held in &lines {
                self.pairs(held.here(), sink);
            }
            self.lesson = None;
            return;
        }
        self.styles.rows += 1;
        self.record_block(&said, &block, sink);
    }
}

impl HeldLine {
    fn new(here: Here<'_>) -> Self {
        let text = here.text.trim_ascii().to_vec();
        Self { text, line: here.line, rank: here.rank, pair: None, name: String::new() }
    }

    fn here(&self) -> Here<'_> {
        Here {
            text: &self.text,
            indented: false,
            column: 0,
            line: self.line,
            redraw: false,
            cut: false,
            rank: self.rank,
        }
    }
}

/// Whether a line may stand in a dict over several lines: it begins with a name or a bracket, or is a part of a list.
fn belongs_to_dict(text: &[u8]) -> bool {
    match text.first() {
        Some(b'"' | b'\'' | b'}' | b']' | b'{') => true,
        Some(b'[' | b'-' | b'0'..=b'9') => matches!(text.last(), Some(b',' | b'[' | b']' | b'}' | b')' | b'0'..=b'9')),
        _ => false,
    }
}

/// How many more braces a text opens than it closes.
fn depth(text: &[u8]) -> i32 {
    text.iter().map(|byte| i32::from(*byte == b'{') - i32::from(*byte == b'}')).sum()
}

/// `name: value` or `name=value`, and nothing else.
fn pair(text: &[u8]) -> Option<(&str, &[u8])> {
    let at = text.iter().position(|byte| matches!(byte, b':' | b'='))?;
    let name = std::str::from_utf8(text[..at].trim_ascii()).ok()?;
    let value = text[at + 1..].trim_ascii();
    let wordy =
        name.starts_with(|c: char| c.is_alphabetic()) && name.len() <= 60 && !name.contains([',', '|', '(', '[']);
    let lone = !value.is_empty() && !value.iter().any(|byte| matches!(byte, b' ' | b',' | b':' | b'=' | b'|'));
    (wordy && lone && name.split(' ').count() <= 4).then_some((name, value))
}

/// `info:`, with what it is about on the lines below.
fn heading(text: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(text.trim_ascii().strip_suffix(b":")?).ok()?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    (!name.is_empty() && name.len() <= 60 && name.chars().all(plain)).then_some(name)
}

/// `name   value`, two blanks apart.
fn two_columns(text: &[u8]) -> Option<(&str, &[u8])> {
    let at = memchr::memmem::find(text, b"  ")?;
    let name = std::str::from_utf8(&text[..at]).ok()?;
    let value = text[at..].trim_ascii();
    (name.starts_with(char::is_alphabetic) && !value.is_empty() && !value.contains(&b' ')).then_some((name, value))
}
