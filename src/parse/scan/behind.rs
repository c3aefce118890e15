//! What stands right behind a number: a total, the end of a range, a unit.

use std::ops::Range;

use super::words::wide_mark;
use crate::parse::names;
use crate::parse::number::{self, Spelling};

/// `/6400` after `640`, with blanks on either side of the stroke.
pub(super) fn fraction(line: &[u8], at: usize) -> Option<(usize, i64)> {
    let blank = |from: usize| line[from.min(line.len())..].iter().take(8).take_while(|&&b| b == b' ').count();
    let stroke = at + blank(at).min(2);
    if line.get(stroke) != Some(&b'/') {
        return None;
    }
    let start = stroke + 1 + blank(stroke + 1);
    let number = number::lex(line, start)?;
    let whole = matches!(number.spelling, Spelling::Integer | Spelling::Thousands) && line[start].is_ascii_digit();
    let letter = line.get(number.end).is_some_and(u8::is_ascii_alphabetic);
    if !whole || letter {
        return None;
    }
    Some((number.end, number::value(&line[start..number.end], number.spelling, false) as i64))
}

/// `99` in `minibatches 0-99`: where a range of whole numbers ends.
pub(super) fn end_of_range(line: &[u8], first: Range<usize>) -> Option<Range<usize>> {
    let start = first.end + 1 + line.get(first.end + 1..)?.iter().take(8).take_while(|byte| **byte == b' ').count();
    let digits = line.get(start..)?.iter().take(12).take_while(|byte| byte.is_ascii_digit()).count();
    let last = start..start + digits;
    let closed = line.get(last.end).is_none_or(|byte| matches!(byte, b' ' | b':' | b',' | b')' | b']'));
    let count = |range: &Range<usize>| number::count(&line[range.clone()]);
    (line[first.end] == b'-' && closed && count(&first)? < count(&last)?).then_some(last)
}

/// End of what is glued to a number: `12ms`, `4%`, `7850.76/s`, `9.5GiB`; `None` for a word that begins with digits.
pub(super) fn attached_unit(line: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    while end < line.len() {
        let byte = line[end];
        let part = byte.is_ascii_alphabetic()
            || byte == b'%'
            || byte == b'/'
            // `µs`, `°C`
            || matches!(byte, 0xC2 | 0xCE)
            || end > at && matches!((line[end - 1], byte), (0xC2, 0xB0 | 0xB5) | (0xCE, 0xBC));
        if byte == b'/' && !line.get(end + 1).is_some_and(u8::is_ascii_alphabetic) {
            break;
        }
        if !part {
            break;
        }
        end += 1;
    }
    let letters = end - at;
    let joined = line.get(end).is_some_and(|b| b.is_ascii_digit() || *b == b'_') && letters > 0;
    if joined || letters > 16 {
        return None;
    }
    Some(end)
}

/// The word after a number and one blank, or after a closing bracket.
pub(super) fn next_word(line: &[u8], at: usize) -> Range<usize> {
    let start = at + usize::from(line.get(at) == Some(&b' '));
    let mut end = start;
    while line.get(end).is_some_and(|b| b.is_ascii_alphabetic() || *b >= 0x80 || matches!(b, b'/' | b'_' | b'%')) {
        if line[end] >= 0x80 && wide_mark(line, end) {
            break;
        }
        end += 1;
    }
    // `第1轮 : Loss`: what is written to the number without a blank is its counter's word.
    let glued = start == at && end > start && line[start] >= 0x80;
    if glued && names::is_position_word(&line[start..end]) {
        return start..end;
    }
    // A word that has a mark behind it is the next key, not a unit.
    let blank = line[end.min(line.len())..].iter().take_while(|&&b| b == b' ').count();
    if matches!(line.get(end + blank), Some(b':' | b'=')) { start..start } else { start..end }
}
