//! The prefix that all lines of a log share, whoever wrote it: found by comparing the lines of the beginning, where no known prefix
//! explains them.

use super::super::names::{self, Meaning, Split};
use super::super::scan::clock_or_date;

/// Lines at the beginning that are looked at, and the fewest of them that tell anything.
const FIRST: usize = 128;
const FEWEST: usize = 6;
/// Of so many lines one may be without the prefix; of many more, one in twenty.
const SOME: usize = 11;
/// Longest prefix.
const LONGEST: usize = 160;
/// Kinds of lines behind a prefix that show that it is none of the text.
const KINDS: usize = 3;

/// A part of the prefix.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    /// These bytes, a digit for a digit.
    Text(Vec<u8>),
    /// A date or a clock.
    Clock,
}

/// The prefix of all lines, or none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    pieces: Vec<Piece>,
}

impl Shared {
    /// The prefix that nearly all lines at the beginning of a log share: dates and clocks, and between them what is the same in each
    /// line, up to the first word that may be a name of the text. It is believed where it has a clock or names a process, or where
    /// lines of several kinds stand behind it.
    pub(crate) fn at_the_beginning(head: &[u8]) -> Self {
        let lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').take(FIRST + 1).collect();
        // The last one may not be at its end, and a carriage return draws over what stands before it.
        let lines = lines[..lines.len() - 1].iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let lines: Vec<&[u8]> = lines.filter(|line| !line.trim_ascii().is_empty()).collect();
        let plain = lines.iter().all(|line| memchr::memchr2(b'\r', 0x1b, line).is_none());
        if lines.len() < FEWEST || !plain {
            return Self::default();
        }
        if let Some(mark) = quotation(&lines) {
            return Self { pieces: vec![Piece::Text(mark)] };
        }
        let mut shared = Self { pieces: common(&lines) };
        shared.cut();
        let known = |line: &&&[u8]| super::strip(line).start + 1 >= shared.length(line);
        let explained = lines.iter().filter(known).count() * 2 > lines.len();
        let believed = !explained && shared.is_proper(&lines);
        if believed { shared } else { Self::default() }
    }

    /// The prefix as text, each clock as a `\0`.
    pub(crate) fn words(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Piece::Clock => "\0".to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// Length of the prefix of a line; 0 where it has none, or another one.
    pub(crate) fn length(&self, line: &[u8]) -> usize {
        let mut at = 0;
        for piece in &self.pieces {
            let length = match piece {
                Piece::Clock => clock_or_date(line, at).map(|end| end - at),
                Piece::Text(text) => same_but_for_digits(text, line, at).then_some(text.len()),
            };
            // An empty text behind a prefix takes the blank at its end along.
            let Some(length) = length.or_else(|| ends_within(piece, line, at)) else { return 0 };
            at += length;
        }
        at
    }

    /// What stands behind the prefix of a line: without the quote that closes one which the prefix opened.
    pub(crate) fn text<'t>(&self, line: &'t [u8]) -> &'t [u8] {
        let (prefix, text) = line.split_at(self.length(line));
        text.strip_suffix(b"\"").filter(|_| prefix.ends_with(b"\"")).unwrap_or(text)
    }

    /// Ends the prefix before the first word that may belong to the text, and behind the last mark or blank before that.
    fn cut(&mut self) {
        for index in 0..self.pieces.len() {
            let Piece::Text(text) = &self.pieces[index] else { continue };
            let last = index + 1 == self.pieces.len();
            let told = first_told(text);
            let Some(end) = told.or(last.then_some(text.len())) else { continue };
            let kept = &text[..end];
            let end = kept
                .iter()
                .rposition(|byte| matches!(byte, b' ' | b'\t' | b']' | b'|' | b'>' | b',' | b'"'))
                .map_or(0, |at| at + 1);
            // Of several blanks at the end all but the first are the text's.
            let solid = kept[..end].trim_ascii_end().len();
            let colon = kept.get(end) == Some(&b':') && kept[..end].ends_with(b"]");
            let end = end.min(solid + 1) + usize::from(colon);
            let text = text[..end].to_vec();
            self.pieces.truncate(index);
            if !text.is_empty() {
                self.pieces.push(Piece::Text(text));
            }
            break;
        }
        if !self.is_balanced() {
            self.pieces.clear();
        }
    }

    /// Whether every bracket that the prefix opens is closed in it; absl closes one that nothing opened.
    fn is_balanced(&self) -> bool {
        let texts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Clock => None,
        });
        let depth = |depth: i32, byte: &u8| match byte {
            b'[' | b'(' | b'{' => depth + 1,
            b']' | b')' | b'}' => depth - 1,
            _ => depth,
        };
        texts.flatten().fold(0, depth) <= 0
    }

    fn is_proper(&self, lines: &[&[u8]]) -> bool {
        let fitting: Vec<&[u8]> = lines.iter().map(|line| &line[self.length(line)..]).collect();
        let others = lines.iter().filter(|line| self.length(line) == 0).count();
        let nearly_all = others <= usize::from(lines.len() >= SOME).max(lines.len() / 20);
        if self.pieces.is_empty() || !nearly_all {
            return false;
        }
        if self.pieces.contains(&Piece::Clock) {
            return true;
        }
        let Some(Piece::Text(text)) = self.pieces.first() else { return false };
        // `top-1: 50.1` is a name and its number.
        let named = matches!(text.trim_ascii_end().last(), Some(b':' | b'='));
        let numbers =
            named && fitting.iter().any(|text| text.trim_ascii_start().first().is_some_and(u8::is_ascii_digit));
        let mut kinds: Vec<Vec<u8>> = Vec::new();
        for text in fitting {
            let kind: Vec<u8> = text.iter().filter(|byte| !byte.is_ascii_digit()).take(12).copied().collect();
            if kinds.len() < KINDS && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let told = text.iter().any(u8::is_ascii_alphanumeric);
        told && !numbers && (kinds.len() >= KINDS || names_a_process(text) || is_tag(text))
    }
}

/// Whether a line begins as one with a shared prefix may: with a clock, the name of a process, a tag, or the mark of a
/// quotation.
pub(super) fn may_begin(line: &[u8]) -> bool {
    let tag = || {
        memchr::memchr(b']', &line[..line.len().min(32)]).and_then(|close| line.get(..close + 2)).is_some_and(is_tag)
    };
    if line.starts_with(b">") || tag() {
        return true;
    }
    let head = &line[..line.len().min(64)];
    let clock = |text: &[u8]| text[2] == b':' && [0, 1, 3, 4].iter().all(|at| text[*at].is_ascii_digit());
    head.windows(5).any(clock) || names_a_process(head)
}

/// The mark behind which mail and notes quote each line: `> `, `>> `.
fn quotation(lines: &[&[u8]]) -> Option<Vec<u8>> {
    let end = lines[0].iter().take_while(|byte| matches!(byte, b'>' | b' ')).count();
    let depth = lines[0][..end].iter().rposition(|byte| *byte == b'>')? + 1;
    let (mark, blank) = (&lines[0][..depth], lines.iter().all(|line| matches!(line.get(depth), None | Some(b' '))));
    let mark = [mark, &b" "[..usize::from(blank)]].concat();
    (mark[0] == b'>' && lines.iter().all(|line| line.starts_with(&mark[..depth]))).then_some(mark)
}

/// What the lines have in common, from their beginning on.
fn common(lines: &[&[u8]]) -> Vec<Piece> {
    // A line that shares nothing with the others, a few of which there may be, must not end it all.
    let first = |line: &&[u8]| {
        line.iter().take(4).map(|byte| if byte.is_ascii_digit() { b'0' } else { *byte }).collect::<Vec<u8>>()
    };
    let usual = lines.iter().map(first).max_by_key(|head| lines.iter().filter(|line| first(line) == *head).count());
    let lines: Vec<&[u8]> = lines.iter().filter(|line| Some(first(line)) == usual).copied().collect();
    let mut places = vec![0; lines.len()];
    let mut pieces: Vec<Piece> = Vec::new();
    while places[0] < LONGEST {
        let clocks: Option<Vec<usize>> = lines.iter().zip(&places).map(|(line, at)| clock_or_date(line, *at)).collect();
        if let Some(ends) = clocks.filter(|_| lines[0].get(places[0]).is_some_and(u8::is_ascii_digit)) {
            pieces.push(Piece::Clock);
            places = ends;
            continue;
        }
        let Some(&byte) = lines[0].get(places[0]) else { break };
        if !lines.iter().zip(&places).all(|(line, at)| line.get(*at) == Some(&byte)) {
            break;
        }
        match pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(byte),
            _ => pieces.push(Piece::Text(vec![byte])),
        }
        places.iter_mut().for_each(|at| *at += 1);
    }
    pieces
}

/// Where the first word begins that may name a number or a part of the data.
fn first_told(text: &[u8]) -> Option<usize> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/') || byte >= 0x80;
    let mut at = 0;
    while at < text.len() {
        if !is_part(text[at]) {
            at += 1;
            continue;
        }
        let length = text[at..].iter().take_while(|byte| is_part(**byte)).count();
        let word = String::from_utf8_lossy(&text[at..at + length]).into_owned();
        let tells = matches!(
            names::meaning(&word),
            Meaning::Epoch | Meaning::Step(_) | Meaning::Loss | Meaning::Result | Meaning::Schedule
        );
        // A word in brackets is a tag, and so is what a clock or a file's line stands beside.
        let part = names::split(&names::tokens(&word)) != Split::Unsaid;
        let piped = text[at + length..].trim_ascii_start().starts_with(b"|");
        let marked = matches!(text.get(at + length), Some(b']' | b')' | b'[' | b'|' | b':' | b'"'));
        let job = word.contains('_') && text[at + length..].starts_with(b" - ");
        let tag = piped || marked || job || word.contains('.') || word.contains('-');
        if tells || part && !tag {
            return Some(at);
        }
        at += length;
    }
    None
}

/// `train-0`, `app[worker.1]`, `train.1.k2j3h4`: whether a word has letters and a number of its own in it.
fn names_a_process(text: &[u8]) -> bool {
    text.split(|byte| byte.is_ascii_whitespace()).any(|word| {
        let numbered = word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic);
        numbered
            && word.len() > 5
            && word.iter().any(|byte| matches!(byte, b'-' | b'.' | b'@'))
            && !word.contains(&b'=')
    })
}

/// `[train] `: whether a prefix is the name of a branch of a build, as Jenkins writes it before what each of several prints at once.
fn is_tag(text: &[u8]) -> bool {
    let name = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"] ")).unwrap_or_default();
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b' '));
    let held = || names::split(&names::tokens(&String::from_utf8_lossy(name))) == Split::Held;
    plain && name.iter().any(u8::is_ascii_alphabetic) && !held()
}

/// Whether a line says at `at` what `text` says, a digit for a digit.
pub(super) fn same_but_for_digits(text: &[u8], line: &[u8], at: usize) -> bool {
    let shown = line.get(at..at + text.len());
    let same = |(a, b): (&u8, &u8)| a == b || a.is_ascii_digit() && b.is_ascii_digit();
    shown.is_some_and(|shown| text.iter().zip(shown).all(same))
}

/// The rest of a line that ends where only blanks of the prefix are left.
fn ends_within(piece: &Piece, line: &[u8], at: usize) -> Option<usize> {
    let Piece::Text(text) = piece else { return None };
    let rest = line.get(at..)?;
    let ends = text.trim_ascii_end() == rest && !rest.is_empty();
    ends.then_some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rests<'t>(lines: &[&'t str]) -> Vec<&'t str> {
        let shared = Shared::at_the_beginning((lines.join("\n") + "\n").as_bytes());
        lines.iter().map(|line| &line[shared.length(line.as_bytes())..]).collect()
    }

    const TEXTS: [&str; 7] =
        ["[1 | 2.5] loss=0.5", "[2 | 2.5] loss=0.4", "Epoch done", "| loss | 0.5 |", "  12  0.5", "0.4 0.5", "saved"];

    #[test]
    fn one_line_in_front_may_be_without_the_prefix() {
        let line = |step: usize| format!("12:00:0{step} main[7] | step {step} loss 0.{step}");
        for (count, known) in [(9, false), (10, true)] {
            let lines: Vec<String> = std::iter::once("starting".to_owned()).chain((0..count).map(line)).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(rests(&lines)[1].starts_with("step"), known, "{lines:?}");
        }
    }

    #[test]
    fn a_prefix_of_all_lines_is_none_of_their_text() {
        for prefix in [
            "[2026-01-02, 03:04:0# UTC] {logging_mixin.py:149} INFO - ",
            "03:04:0#.123 | INFO    | Task run 'train-0' - ",
            "I, [2026-01-02T03:04:0#.123456 4242]  INFO -- : ",
            "[train-7d9f8b6c5-x2b4c] ",
            "train-0 main ",
            "0|train    | ",
            "2026-01-02 03:04:0# +0000 - dagster - INFO - train_job - 0f1e2d3c - ",
            "\"2026-01-02T03:04:0#.001Z\",\"node1\",\"train\",\"",
            "2026-01-02 03:04:0# node1 train[4242] INFO ",
            "2026-01-02T03:04:0# {app=\"train\"} I0102 03:04:05.678 123 train.py:10] ",
        ] {
            let lines: Vec<String> =
                TEXTS.iter().enumerate().map(|(i, text)| prefix.replace('#', &i.to_string()) + text).collect();
            assert_eq!(rests(&lines.iter().map(String::as_str).collect::<Vec<_>>()), TEXTS, "{prefix}");
        }
    }

    #[test]
    fn quotes_and_tags_around_every_line_are_none_of_its_text() {
        let lines: Vec<String> = TEXTS.iter().map(|text| format!("\"2026-01-02 03:04:05\",\"{text}\"")).collect();
        let shared = Shared::at_the_beginning((lines.join("\n") + "\n").as_bytes());
        let texts: Vec<&[u8]> = lines.iter().map(|line| shared.text(line.as_bytes())).collect();
        assert_eq!(texts, TEXTS.map(str::as_bytes));
        let mail: Vec<String> = TEXTS.iter().map(|text| format!(">> {text}")).collect();
        let branch: Vec<String> = (0..8).map(|i| format!("[train] {i} loss 0.5")).collect();
        assert_eq!(rests(&branch.iter().map(String::as_str).collect::<Vec<_>>())[7], "7 loss 0.5");
        assert_eq!(rests(&mail.iter().map(String::as_str).collect::<Vec<_>>()), TEXTS);
    }

    #[test]
    fn what_lines_of_one_kind_have_in_common_is_their_text() {
        for line in [
            "step # loss 0.5#",
            "top-1: 50.#",
            "[1, #00] loss: 0.5",
            "[epoch #] loss: 0.5",
            "[val] # loss: 0.5",
            "Finished training it #/9 of epoch 0, loss 0.5",
            "| epoch 1 | #/9 batches | loss 0.5 |",
            "[proc 0][Train](#/9) average loss: 0.5",
            "2026-01-02 03:04:0# step # loss 0.5",
            "cost #",
        ] {
            let lines: Vec<String> = (0..8).map(|i| line.replace('#', &i.to_string())).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(rests(&lines), lines, "{line}");
        }
    }
}
