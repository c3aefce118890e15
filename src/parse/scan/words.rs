//! Where words begin and end, and the marks among them.

use crate::parse::names;

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Whether a byte may stand anywhere in a name.
pub(super) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@' | b'/' | b'.' | b'%' | b'$' | b'&' | b'!' | b'?' | b'^')
}

pub(super) fn inside_word(line: &[u8], at: usize) -> bool {
    at > 0
        && line[at - 1].is_ascii_alphanumeric()
        && line.get(at + 1).is_some_and(|b| b.is_ascii_alphabetic() || *b == b' ')
        && !matches!(line.get(at + 1), Some(b' ') if line[at - 1] != b's')
}

/// End of the word at `at`. A word in a script without blanks ends before an ASCII digit: `第3轮`.
pub(super) fn word_end(line: &[u8], at: usize) -> usize {
    let mut end = at;
    let mut wide = false;
    while end < line.len() {
        let byte = line[end];
        if byte >= 0x80 {
            if end > at && wide_mark(line, end) {
                break;
            }
            wide = true;
            end += 1;
        } else if byte.is_ascii_digit() && wide {
            break;
        } else if is_word_byte(byte)
            || (end > at
                && (matches!(byte, b'-' | b'+' | b'#' | b'*' | b'~') || byte == b'\'' && inside_word(line, end)))
        {
            end += 1;
        } else if byte == b'(' && end > at && !starts_numeric_group(line, end) {
            match matching(line, end) {
                Some(close) if !line[end..close].iter().any(|b| matches!(b, b'=' | b',' | b':')) => end = close + 1,
                _ => break,
            }
        } else {
            break;
        }
    }
    // Whatever it is, go on.
    end.max(at + 1)
}

pub(super) fn starts_numeric_group(line: &[u8], at: usize) -> bool {
    line.get(behind_brackets(line, at + 1)).is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b' '))
}

/// Where the first number of `tensor([[0.5]])` stands, behind what its lists open with.
pub(super) fn behind_brackets(line: &[u8], at: usize) -> usize {
    at + line[at.min(line.len())..].iter().take(4).take_while(|byte| **byte == b'[').count()
}

pub(super) fn wide_mark(line: &[u8], at: usize) -> bool {
    let Some(glyph) = line.get(at..at + 3) else { return false };
    ["：", "＝", "，", "；", "、", "（", "）"].iter().any(|mark| mark.as_bytes() == glyph)
        || matches!(glyph, [0xE2, 0x94..=0x97 | 0x86 | 0x87 | 0x80, _] | [0xE3, 0x80, 0x8A..=0x91])
}

/// The bracket that closes the one at `at`, on a short distance.
pub(super) fn matching(line: &[u8], at: usize) -> Option<usize> {
    let open = line[at];
    let close = if open == b'[' { b']' } else { b')' };
    let mut depth = 0;
    for (offset, &byte) in line[at..].iter().take(120).enumerate() {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(at + offset);
            }
        }
    }
    None
}

/// What frameworks call the thing that holds a number.
pub(super) fn is_tensor(word: &[u8]) -> bool {
    [
        &b"tensor"[..],
        b"tf.Tensor",
        b"Tensor",
        b"array",
        b"Array",
        b"DeviceArray",
        b"np.float32",
        b"np.float64",
        b"mx.array",
    ]
    .contains(&word)
}

/// `step 10 epoch 1`: whether what stands in a bracket counts something, so that it is no part of a name.
pub(super) fn counts(inside: &[u8]) -> bool {
    let word = inside.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let behind = &inside[word..];
    word > 0
        && behind.first() == Some(&b' ')
        && behind.trim_ascii_start().first().is_some_and(u8::is_ascii_digit)
        && names::is_position_word(&inside[..word])
}

/// `1-50`: whether a bracket holds nothing but two whole numbers and a dash.
pub(super) fn is_range(inside: &[u8]) -> bool {
    let mut ends = inside.split(|byte| *byte == b'-');
    let whole = |end: Option<&[u8]>| end.is_some_and(|end| !end.is_empty() && end.iter().all(u8::is_ascii_digit));
    whole(ends.next()) && whole(ends.next()) && ends.next().is_none()
}

/// `metric 'epoch_loss'=0.5`: whether a quotation mark behind a word opens a name that has its number right behind it.
pub(super) fn quotes_a_name(line: &[u8], at: usize) -> bool {
    let quote = line[at];
    let name = line[at + 1..].iter().take(60).take_while(|byte| is_word(**byte)).count();
    let behind = line.get(at + 1 + name..).unwrap_or_default();
    let marked = behind.first() == Some(&quote) && matches!(behind.get(1), Some(b'=' | b':'));
    at > 1 && line[at - 1] == b' ' && is_word(line[at - 2]) && name > 0 && marked
}

/// Length of `Iter` in `Iter100`: a word that counts, before nothing but digits.
pub(super) fn counter_before_digits(word: &[u8]) -> Option<usize> {
    const COUNTERS: [&[u8]; 6] = [b"epoch", b"step", b"iter", b"iteration", b"batch", b"episode"];
    let name = word.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let digits = word[name..].iter().all(|byte| byte.is_ascii_digit() || *byte == b'/') && word.len() > name;
    (digits && COUNTERS.iter().any(|counter| counter.eq_ignore_ascii_case(&word[..name]))).then_some(name)
}

/// Length of `loss` in `loss0.693`: the name of a loss, and its number right behind it.
pub(super) fn loss_before_fraction(word: &[u8]) -> Option<usize> {
    let name = word.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let whole = word[name..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let fraction = word[name + whole..].strip_prefix(b".")?;
    let decimals = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let ends = fraction[decimals..].iter().all(|byte| *byte == b'-');
    let loss = || names::has_loss(&names::tokens(&String::from_utf8_lossy(&word[..name])));
    (name > 2 && whole > 0 && decimals > 0 && ends && loss()).then_some(name)
}

/// Length of `Iter` in `Iter-100`: a word that counts, before a dash and nothing but digits.
pub(super) fn counter_before_dash(word: &[u8]) -> Option<usize> {
    let digits = word.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let name = word[..word.len() - digits].strip_suffix(b"-").filter(|_| digits > 0)?;
    (name.iter().all(u8::is_ascii_alphabetic) && names::is_position_word(name)).then_some(name.len())
}
