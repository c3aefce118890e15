//! Numbers as logs print them: where one begins and ends, and its correctly rounded value.

use std::borrow::Cow;

/// How a number is spelled around its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `12`, `-3`: digits alone.
    Integer,
    /// `0.5`, `1e-3`: with a point or an exponent.
    Decimal,
    /// `0,5`: a comma that can only be a decimal comma.
    DecimalComma,
    /// `1,234`: three digits after a comma, a thousands separator or a decimal comma.
    Thousands,
    /// `nan`, `inf`, `-Infinity`.
    Special,
}

/// A number found in a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    /// Byte after the last one.
    pub(crate) end: usize,
    /// How it is spelled.
    pub(crate) spelling: Spelling,
}

/// The number that begins exactly at `at`, as long as it goes.
pub(crate) fn lex(bytes: &[u8], at: usize) -> Option<Number> {
    let mut i = at;
    if matches!(bytes.get(i), Some(b'+' | b'-')) {
        i += 1;
    } else if bytes[i..].starts_with("−".as_bytes()) {
        i += "−".len();
    }
    if let Some(end) = special(bytes, i) {
        return Some(Number { end, spelling: Spelling::Special });
    }
    let whole = digits(bytes, i);
    let grouped = groups(bytes, whole);
    if whole > i && whole - i <= 3 && grouped > whole {
        return Some(after_groups(bytes, i, whole, grouped));
    }
    if whole > i && bytes.get(whole) == Some(&b',') {
        let end = digits(bytes, whole + 1);
        if end > whole + 1 && ends_here(bytes, end, b",") {
            let end = exponent(bytes, end);
            return Some(Number { end, spelling: Spelling::DecimalComma });
        }
    }
    plain(bytes, i, whole)
}

/// `12`, `12.`, `12.5`, `.5`, `1e-3`, from digits that end at `whole`.
fn plain(bytes: &[u8], start: usize, whole: usize) -> Option<Number> {
    let mut end = whole;
    let mut spelling = Spelling::Integer;
    if bytes.get(whole) == Some(&b'.') {
        let fraction = digits(bytes, whole + 1);
        let bare_point = fraction == whole + 1;
        // `12.` at the end of a sentence is the integer 12; `1.` in an array such as `[1.]` has its point dropped unharmed.
        if !bare_point {
            end = fraction;
            spelling = Spelling::Decimal;
        } else if whole > start && matches!(bytes.get(whole + 1), Some(b'e' | b'E')) {
            end = whole + 1;
        }
    }
    if end == start || (whole == start && spelling == Spelling::Integer) {
        return None;
    }
    let after = exponent(bytes, end);
    if after > end {
        return Some(Number { end: after, spelling: Spelling::Decimal });
    }
    Some(Number { end, spelling })
}

/// `1,234` and `1,234.5` and `1.234,5`.
fn after_groups(bytes: &[u8], start: usize, whole: usize, grouped: usize) -> Number {
    if bytes.get(grouped) == Some(&b'.') {
        let fraction = digits(bytes, grouped + 1);
        if fraction > grouped + 1 {
            return Number { end: exponent(bytes, fraction), spelling: Spelling::Thousands };
        }
    }
    let leading_zero = bytes[start] == b'0';
    let one_group = grouped == whole + 4;
    let spelling = if leading_zero && one_group { Spelling::DecimalComma } else { Spelling::Thousands };
    Number { end: exponent(bytes, grouped), spelling }
}

/// Byte after the last `,ddd` group that follows `at`.
fn groups(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while bytes.get(end) == Some(&b',') && digits(bytes, end + 1) == end + 4 {
        end += 4;
    }
    if end > at && !ends_here(bytes, end, b",") {
        return at;
    }
    end
}

/// Whether a number may end before `at`: no further digit, letter or one of `not`, unless that is followed by a blank.
fn ends_here(bytes: &[u8], at: usize, not: &[u8]) -> bool {
    match bytes.get(at) {
        None => true,
        Some(b) if b.is_ascii_digit() => false,
        Some(b) if not.contains(b) => !matches!(bytes.get(at + 1), Some(d) if d.is_ascii_digit()),
        Some(_) => true,
    }
}

fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

fn exponent(bytes: &[u8], at: usize) -> usize {
    if !matches!(bytes.get(at), Some(b'e' | b'E')) {
        return at;
    }
    let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
    let end = digits(bytes, at + 1 + sign);
    if end > at + 1 + sign { end } else { at }
}

fn special(bytes: &[u8], at: usize) -> Option<usize> {
    const WORDS: [&str; 4] = ["infinity", "inf", "nan", "1.#qnan"];
    let rest = &bytes[at..];
    WORDS
        .iter()
        .find(|word| rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes()))
        .map(|word| at + word.len())
        .filter(|&end| {
            !bytes
                .get(end)
                .is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80 && !matches!(b, 0xEF | 0xE3))
        })
}

/// The value of a lexed number. `comma` says that a lone comma before three digits is a decimal comma.
pub(crate) fn value(text: &[u8], spelling: Spelling, comma: bool) -> f64 {
    let clean: Cow<'_, [u8]> = match spelling {
        Spelling::Integer | Spelling::Decimal => Cow::Borrowed(text),
        Spelling::Special => return special_value(text),
        Spelling::DecimalComma => Cow::Owned(swap(text)),
        Spelling::Thousands if comma && text.iter().filter(|&&b| b == b',').count() == 1 && !text.contains(&b'.') => {
            Cow::Owned(swap(text))
        }
        Spelling::Thousands => Cow::Owned(text.iter().copied().filter(|&b| b != b',').collect()),
    };
    let clean = match clean.strip_prefix("−".as_bytes()) {
        Some(rest) => Cow::Owned([b"-", rest].concat()),
        None => clean,
    };
    fast_float2::parse(clean.strip_prefix(b"+").unwrap_or(&clean)).unwrap_or(f64::NAN)
}

fn swap(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&b| if b == b',' { b'.' } else { b }).collect()
}

fn special_value(text: &[u8]) -> f64 {
    let negative = text.starts_with(b"-") || text.starts_with("−".as_bytes());
    let magnitude = if text.to_ascii_lowercase().ends_with(b"nan") { f64::NAN } else { f64::INFINITY };
    if negative { -magnitude } else { magnitude }
}

/// The value of a text that is a number from end to end (blanks and one `%` aside).
pub(crate) fn whole(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let text = text.strip_suffix(b"%").unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    let number = lex(text, 0)?;
    let end = if text.get(number.end) == Some(&b'.') { number.end + 1 } else { number.end };
    (end == text.len()).then(|| value(&text[..number.end], number.spelling, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, f64) {
        let number = lex(text.as_bytes(), 0).expect(text);
        let shown = &text[..number.end];
        (shown.to_owned(), value(shown.as_bytes(), number.spelling, false))
    }

    #[test]
    fn reads_every_spelling_to_its_end() {
        for (text, shown, expected) in [
            ("1.25e-05,", "1.25e-05", 1.25e-5),
            ("12 ", "12", 12.0),
            ("12. Then", "12", 12.0),
            (".5", ".5", 0.5),
            ("-inf", "-inf", f64::NEG_INFINITY),
            ("Infinity}", "Infinity", f64::INFINITY),
            ("1,234,567", "1,234,567", 1_234_567.0),
            ("1,234.5", "1,234.5", 1234.5),
            ("0,7931", "0,7931", 0.7931),
            ("0,693", "0,693", 0.693),
            ("3, 4", "3", 3.0),
            ("1E+01", "1E+01", 10.0),
            ("2.5e", "2.5", 2.5),
            ("−0.5", "−0.5", -0.5),
        ] {
            assert_eq!(read(text), (shown.to_owned(), expected), "{text}");
        }
        assert!(read("nan").1.is_nan());
        assert!(lex(b"nano", 0).is_none());
        assert!(lex(b"info", 0).is_none());
        assert!(lex(b"-x", 0).is_none());
    }
}
