//! What begins at a byte, or behind it: a number, a mark, a join between a name and its number.

use super::words::{is_word, wide_mark};
use crate::parse::number;

/// Whether `-`, `.`, `+` or a typographic minus at `at` begins a number rather than being a mark of its own.
pub(super) fn starts_atom(line: &[u8], at: usize) -> bool {
    let free = at == 0 || !is_word(line[at - 1]) || at >= 3 && wide_mark(line, at - 3);
    free && match line[at] {
        b'-' | b'+' | b'.' => match line.get(at + 1) {
            Some(b) if b.is_ascii_digit() => true,
            Some(b'.') => line.get(at + 2).is_some_and(u8::is_ascii_digit),
            Some(b'i' | b'I' | b'n' | b'N') => number::lex(line, at).is_some(),
            _ => false,
        },
        0xE2 => line[at..].starts_with("−".as_bytes()),
        _ => false,
    }
}

pub(super) fn special_starts(line: &[u8], at: usize) -> bool {
    matches!(line[at], b'n' | b'N' | b'i' | b'I') && number::lex(line, at).is_some()
}

pub(super) fn number_follows(line: &[u8], at: usize) -> bool {
    let next = line[at..].iter().position(|b| !b.is_ascii_whitespace() && *b != b'#').map(|skip| at + skip);
    next.is_some_and(|at| line[at].is_ascii_digit() || starts_atom(line, at) || special_starts(line, at))
}

pub(super) fn mark_follows(line: &[u8], at: usize) -> bool {
    matches!(line.get(at), Some(b':' | b'='))
}

/// `('loss', 0.5)`, `(:loss, 0.5)`: whether the comma stands in a tuple, between a name and its number.
pub(super) fn names_in_tuple(line: &[u8], comma: usize) -> bool {
    let before = &line[..comma];
    let symbols = line.starts_with(b"(:");
    // A tuple of its own for each name, or one for all of them.
    let quoted = before.strip_suffix(b"'").is_some_and(|open| {
        line.starts_with(b"('")
            || open.iter().rposition(|&byte| byte == b'\'').is_some_and(|at| open[..at].ends_with(b"("))
    });
    (symbols || quoted) && number_follows(line, comma + 1)
}

/// `Loss --> 0.5`, `loss => 0.5`: length of an arrow that points at a number.
pub(super) fn arrow(line: &[u8], at: usize) -> Option<usize> {
    let shaft = line[at..].iter().take(2).take_while(|&&byte| byte == line[at]).count();
    let points = line.get(at + shaft) == Some(&b'>') && number_follows(line, at + shaft + 1);
    points.then_some(shaft + 1)
}

/// `train CrossEntropy |  0.5`: one pipe parts a name from its number, several part columns.
pub(super) fn is_lone_pipe(line: &[u8]) -> bool {
    memchr::memchr_iter(b'|', line).nth(1).is_none()
}

/// `dice_loss - 0.5` and `train cross_entropy <loss>=0.5`: a dash between blanks right before a number, and brackets around a word
/// of the name.
pub(super) fn joins(line: &[u8], at: usize) -> bool {
    let word = |at: usize| line.get(at).is_some_and(|&byte| is_word(byte));
    match line[at] {
        b'-' => line[..at].ends_with(b" ") && line.get(at + 1) == Some(&b' ') && number_follows(line, at + 1),
        b'<' => word(at + 1),
        b'>' => at > 0 && word(at - 1) && line.get(at + 1) == Some(&b'='),
        _ => false,
    }
}

/// `loss 0.51/0.200`: whether a stroke parts two numbers with decimals.
pub(super) fn parts_fractions(line: &[u8], at: usize) -> bool {
    let decimals =
        |number: Option<number::Number>| number.is_some_and(|number| number.spelling == number::Spelling::Decimal);
    let before = line[..at].iter().rev().take(24).take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    decimals(number::lex(line, at - before))
        && line[at - before..at].contains(&b'.')
        && decimals(number::lex(line, at + 1))
}
