//! The raw log lines of two runs around the divergence, compared word by word, noise included.

use std::cmp::Ordering;

use similar::{ChangeTag, DiffOp, TextDiff};

use super::{untrusted, words};
use crate::model::{Audit, Comparison, Divergence, Point, RawLine, RunValue};

/// Which of the two runs has a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Both, letter for letter.
    Both,
    /// The first one.
    First,
    /// The second one.
    Second,
}

/// What a piece of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The other run has it too.
    Same,
    /// The other run has something else there: noise, or a metric that was not asked about.
    Other,
    /// The very value that parts.
    Value,
}

/// A piece of a line; its text is safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub mark: Mark,
    /// Its text.
    pub text: String,
}

/// One line of a raw window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// Whose it is.
    pub tag: Tag,
    /// Its number in that run's log.
    pub number: u64,
    /// Its text, in pieces.
    pub pieces: Vec<Piece>,
}

/// The raw log lines of two runs around the divergence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawDiff<'a> {
    /// The first run.
    pub first: &'a str,
    /// The second run.
    pub second: &'a str,
    /// The lines.
    pub lines: Vec<DiffLine>,
}

impl<'a> RawDiff<'a> {
    /// The raw lines of the two runs that lie farthest apart, with `before` lines
    /// ahead of the divergent ones and `after` behind them.
    pub fn shown(audit: &'a Audit, before: u64, after: u64) -> Option<Self> {
        let (divergence, _) = words::shown_divergence(audit)?;
        let (a, b) = words::apart(divergence);
        Self::between(audit, divergence, divergence.values.get(a)?, divergence.values.get(b)?, (before, after))
    }

    /// The raw lines of the reference beside those of each other run that has lines.
    pub fn all(audit: &'a Audit, before: u64, after: u64) -> Vec<Self> {
        let Some((divergence, _)) = words::shown_divergence(audit) else { return Vec::new() };
        let Some((reference, others)) = divergence.values.split_first() else { return Vec::new() };
        others.iter().filter_map(|other| Self::between(audit, divergence, reference, other, (before, after))).collect()
    }

    fn between(
        audit: &'a Audit,
        divergence: &Divergence,
        first: &RunValue,
        second: &RunValue,
        context: (u64, u64),
    ) -> Option<Self> {
        let of = |value: &RunValue| audit.comparisons.iter().find(|comparison| comparison.run == value.run);
        let (one, two) = (of(first)?, of(second)?);
        let (old, new) = (near(one, first, divergence, context), near(two, second, divergence, context));
        if old.is_empty() && new.is_empty() {
            return None;
        }
        let value = |value: &RunValue| value.text.as_ref().map_or("", |text| text.as_str()).to_owned();
        let values = divergence.values.iter().map(value).filter(|text| !text.is_empty()).collect::<Vec<_>>();
        Some(Self { first: &one.run, second: &two.run, lines: diff(&old, &new, &values) })
    }
}

/// The lines of a window that lie near the value's line; where the run lacks the value, the line of its last point before.
fn near(
    comparison: &Comparison,
    value: &RunValue,
    divergence: &Divergence,
    (before, after): (u64, u64),
) -> Vec<RawLine> {
    let lines = &comparison.raw;
    let safe = |line: &RawLine| RawLine { number: line.number, text: untrusted::plain(&line.text).into_owned() };
    let earlier = |point: &&Point| point.position.order(&divergence.position) != Some(Ordering::Greater);
    let last_before = || comparison.window.points.iter().rfind(earlier).map(|point| point.line);
    let (at, before) = match value.line {
        Some(line) => (line, before),
        None => (last_before().or(lines.last().map(|line| line.number)).unwrap_or(0), 0),
    };
    lines.iter().filter(|line| line.number + before >= at && line.number <= at + after).map(safe).collect()
}

fn diff(old: &[RawLine], new: &[RawLine], values: &[String]) -> Vec<DiffLine> {
    let texts = |lines: &[RawLine]| lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
    let (old_texts, new_texts) = (texts(old), texts(new));
    let (old_refs, new_refs): (Vec<&str>, Vec<&str>) =
        (old_texts.iter().map(String::as_str).collect(), new_texts.iter().map(String::as_str).collect());
    let whole = |tag, line: &RawLine, mark| DiffLine {
        tag,
        number: line.number,
        pieces: vec![Piece { mark, text: line.text.clone() }],
    };
    let mut lines = Vec::new();
    for op in TextDiff::from_slices(&old_refs, &new_refs).ops() {
        match *op {
            DiffOp::Equal { old_index, len, .. } => {
                lines.extend(old[old_index..old_index + len].iter().map(|line| whole(Tag::Both, line, Mark::Same)));
            }
            DiffOp::Delete { old_index, old_len, .. } => {
                let gone = &old[old_index..old_index + old_len];
                lines.extend(gone.iter().map(|line| whole(Tag::First, line, Mark::Other)));
            }
            DiffOp::Insert { new_index, new_len, .. } => {
                let come = &new[new_index..new_index + new_len];
                lines.extend(come.iter().map(|line| whole(Tag::Second, line, Mark::Other)));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                let (gone, come) = (&old[old_index..old_index + old_len], &new[new_index..new_index + new_len]);
                for (gone, come) in gone.iter().zip(come) {
                    let (first, second) = within(&gone.text, &come.text, values);
                    lines.push(DiffLine { tag: Tag::First, number: gone.number, pieces: first });
                    lines.push(DiffLine { tag: Tag::Second, number: come.number, pieces: second });
                }
                let paired = old_len.min(new_len);
                lines.extend(gone[paired..].iter().map(|line| whole(Tag::First, line, Mark::Other)));
                lines.extend(come[paired..].iter().map(|line| whole(Tag::Second, line, Mark::Other)));
            }
        }
    }
    lines
}

/// Two lines in pieces: what they share and where they differ.
fn within(old: &str, new: &str, values: &[String]) -> (Vec<Piece>, Vec<Piece>) {
    let (old_tokens, new_tokens) = (tokens(old), tokens(new));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for change in TextDiff::from_slices(&old_tokens, &new_tokens).iter_all_changes() {
        let text = change.value();
        let mark = match change.tag() {
            ChangeTag::Equal => Mark::Same,
            _ if values.iter().any(|value| value == text) => Mark::Value,
            _ => Mark::Other,
        };
        if change.tag() != ChangeTag::Insert {
            push(&mut first, mark, text);
        }
        if change.tag() != ChangeTag::Delete {
            push(&mut second, mark, text);
        }
    }
    (first, second)
}

fn push(pieces: &mut Vec<Piece>, mark: Mark, text: &str) {
    match pieces.last_mut() {
        Some(last) if last.mark == mark => last.text.push_str(text),
        _ => pieces.push(Piece { mark, text: text.to_owned() }),
    }
}

/// Splits a line into words, numbers (sign and exponent included) and single other characters.
fn tokens(line: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match number(rest) {
            0 if first.is_alphanumeric() => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
            }
            0 => first.len_utf8(),
            length => length,
        };
        let (token, tail) = rest.split_at(length);
        tokens.push(token);
        rest = tail;
    }
    tokens
}

/// Length of the number that `text` begins with, 0 where there is none.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let whole = digits(at);
    at += whole;
    let mut fraction = 0;
    if bytes.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        if fraction > 0 {
            at += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return 0;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
        let exponent = if at + 1 + sign < bytes.len() { digits(at + 1 + sign) } else { 0 };
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_whole_and_words_apart() {
        assert_eq!(tokens("Loss: 2.30e-05 (12%)"), ["Loss", ":", " ", "2.30e-05", " ", "(", "12", "%", ")"]);
        assert_eq!(tokens("-0.5,x1-"), ["-0.5", ",", "x1", "-"]);
        assert_eq!(tokens("1e"), ["1", "e"]);
    }

    #[test]
    fn the_value_that_parts_is_told_from_noise() {
        let values = ["2.30".to_owned(), "2.31".to_owned()];
        let (first, second) = within("loss 2.30 time 0.1s", "loss 2.31 time 0.2s", &values);
        let marked = |pieces: &[Piece]| -> Vec<(Mark, String)> {
            pieces.iter().filter(|piece| piece.mark != Mark::Same).map(|p| (p.mark, p.text.clone())).collect()
        };
        assert_eq!(marked(&first), [(Mark::Value, "2.30".to_owned()), (Mark::Other, "0.1".to_owned())]);
        assert_eq!(marked(&second), [(Mark::Value, "2.31".to_owned()), (Mark::Other, "0.2".to_owned())]);
    }
}
