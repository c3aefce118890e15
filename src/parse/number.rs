//! Numbers as logs print them: where one begins and ends, and its correctly rounded value.

use std::borrow::Cow;
use std::ops::Range;

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
    /// How many decimals it shows, where that was seen on the way: always for `12` and `0.5`.
    pub(crate) decimals: Option<u32>,
}

impl Number {
    fn new(end: usize, spelling: Spelling) -> Self {
        Self { end, spelling, decimals: None }
    }
}

/// The number that begins exactly at `at`, as long as it goes.
pub(crate) fn lex(bytes: &[u8], at: usize) -> Option<Number> {
    quick(bytes, at).or_else(|| careful(bytes, at))
}

/// `12`, `-0.5`, `3.25`, where the byte behind leaves no doubt about the end: most numbers of any log.
fn quick(bytes: &[u8], at: usize) -> Option<Number> {
    let start = at + usize::from(bytes.get(at) == Some(&b'-'));
    let whole = digits(bytes, start);
    if whole == start {
        return None;
    }
    match bytes.get(whole) {
        Some(b'.') => {
            let end = digits(bytes, whole + 1);
            let plain = end > whole + 1 && !matches!(bytes.get(end), Some(b'e' | b'E' | b'd' | b'D' | b'f'));
            plain.then_some(Number { end, spelling: Spelling::Decimal, decimals: Some((end - whole - 1) as u32) })
        }
        Some(b'e' | b'E') => None,
        Some(b',') if bytes.get(whole + 1).is_some_and(u8::is_ascii_digit) => None,
        _ => Some(Number { end: whole, spelling: Spelling::Integer, decimals: Some(0) }),
    }
}

fn careful(bytes: &[u8], at: usize) -> Option<Number> {
    let mut i = at;
    if matches!(bytes.get(i), Some(b'+' | b'-')) {
        i += 1;
    } else if bytes[i..].starts_with("−".as_bytes()) {
        i += "−".len();
    }
    if let Some(end) = special(bytes, i) {
        return Some(Number::new(end, Spelling::Special));
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
            return Some(Number::new(end, Spelling::DecimalComma));
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
    let mut after = exponent(bytes, end);
    if after == end && spelling == Spelling::Decimal {
        after = foreign_exponent(bytes, end);
    }
    if after > end {
        return Some(Number::new(after, Spelling::Decimal));
    }
    Some(Number::new(end, spelling))
}

/// `1,234` and `1,234.5` and `1.234,5`.
fn after_groups(bytes: &[u8], start: usize, whole: usize, grouped: usize) -> Number {
    if bytes.get(grouped) == Some(&b'.') {
        let fraction = digits(bytes, grouped + 1);
        if fraction > grouped + 1 {
            return Number::new(exponent(bytes, fraction), Spelling::Thousands);
        }
    }
    let leading_zero = bytes[start] == b'0';
    let one_group = grouped == whole + 4;
    let spelling = if leading_zero && one_group { Spelling::DecimalComma } else { Spelling::Thousands };
    Number::new(exponent(bytes, grouped), spelling)
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

/// Eight times the byte `0`.
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// For each of eight bytes, with `0` taken off, whether it is above 9: then its highest bit is set. The lowest such byte is
/// told right, those above it may not be.
fn above_nine(bytes: u64) -> u64 {
    (bytes.wrapping_add(u64::from_le_bytes([0x76; 8])) | bytes) & u64::from_le_bytes([0x80; 8])
}

/// Byte after the digits that begin at `at`, eight looked at together.
fn digits(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(eight) = bytes.get(end..).and_then(|rest| rest.first_chunk::<8>()) {
        let others = above_nine(u64::from_le_bytes(*eight) ^ ZEROS);
        if others != 0 {
            return end + (others.trailing_zeros() / 8) as usize;
        }
        end += 8;
    }
    let rest = bytes.get(end..).unwrap_or_default();
    end + rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len())
}

fn exponent(bytes: &[u8], at: usize) -> usize {
    if !matches!(bytes.get(at), Some(b'e' | b'E')) {
        return at;
    }
    let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
    let end = digits(bytes, at + 1 + sign);
    if end > at + 1 + sign { end } else { at }
}

/// `D-01` as Fortran writes it, `f0` as Julia does.
fn foreign_exponent(bytes: &[u8], at: usize) -> usize {
    let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
    let end = digits(bytes, at + 1 + sign);
    let count = end - (at + 1 + sign).min(end);
    let proper = match bytes.get(at) {
        Some(b'd' | b'D') => sign == 1 && matches!(count, 2 | 3),
        Some(b'f') => matches!(count, 1 | 2),
        _ => false,
    };
    let ends = !bytes.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if proper && ends { end } else { at }
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

/// The number in `tensor(1.5)`, `np.float64(0.5)`, `Array(0.5, dtype=float32)`: what frameworks print of an array that holds one.
pub(crate) fn wrapped(text: &[u8]) -> Option<Range<usize>> {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')).count();
    let inner = text.get(name..)?.strip_prefix(b"(")?.strip_suffix(b")")?;
    let brackets = inner.iter().take_while(|byte| **byte == b'[').count();
    let start = name + 1 + brackets;
    let number = lex(text, start).filter(|_| name > 0 && text[0].is_ascii_alphabetic())?;
    let behind = text.get(number.end + brackets..)?;
    let closed = text[number.end..number.end + brackets].iter().all(|byte| *byte == b']');
    (closed && matches!(behind.first(), Some(b',' | b')'))).then_some(start..number.end)
}

/// Whether a text stands for a value that there is none of.
pub(crate) fn is_nothing(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let words = [&b"none"[..], b"null", b"n/a", b"na", b"-", b"--", b"?", b"nil"];
    text.is_empty() || words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The value of a lexed number. `comma` says that a lone comma before three digits is a decimal comma.
pub(crate) fn value(text: &[u8], spelling: Spelling, comma: bool) -> f64 {
    if matches!(spelling, Spelling::Integer | Spelling::Decimal)
        && let Ok(value) = fast_float2::parse(text)
    {
        return value;
    }
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
    let clean = clean.strip_prefix(b"+").unwrap_or(&clean);
    fast_float2::parse(clean).or_else(|_| fast_float2::parse(usual_exponent(clean))).unwrap_or(f64::NAN)
}

/// The value of digits alone, as steps and counters are written; `None` for anything else, and for more than 18 digits.
pub(crate) fn count(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

/// The same for a part of a row: up to eight digits are read at once where as many bytes stand before their end.
pub(crate) fn count_in(row: &[u8], at: &Range<usize>) -> Option<i64> {
    let Some(eight) = row.get(..at.end).and_then(|before| before.last_chunk::<8>()).filter(|_| at.len() <= 8) else {
        return count(&row[at.clone()]);
    };
    if at.is_empty() {
        return None;
    }
    // What stands before the number counts as zeros.
    let own = u64::MAX << (64 - 8 * at.len());
    let each = (u64::from_le_bytes(*eight) ^ ZEROS) & own;
    if above_nine(each) != 0 {
        return None;
    }
    const PAIR: u64 = 0x0000_00FF_0000_00FF;
    let pairs = each.wrapping_mul(10).wrapping_add(each >> 8);
    let high = (pairs & PAIR).wrapping_mul(100 + (1_000_000 << 32));
    let low = (pairs >> 16 & PAIR).wrapping_mul(1 + (10_000 << 32));
    Some((high.wrapping_add(low) >> 32) as i64)
}

fn usual_exponent(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&b| if matches!(b, b'd' | b'D' | b'f') { b'e' } else { b }).collect()
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
    if let Some(count) = count(text).filter(|_| text.len() < 16) {
        return Some(count as f64);
    }
    let number = lex(text, 0)?;
    let end = if text.get(number.end) == Some(&b'.') { number.end + 1 } else { number.end };
    (end == text.len()).then(|| value(&text[..number.end], number.spelling, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_number_out_of_what_holds_it() {
        for (text, expected) in [
            ("tensor(1.5000)", Some("1.5000")),
            ("tensor([2.5], device='cuda:0')", Some("2.5")),
            ("np.float64(-1e-3)", Some("-1e-3")),
            ("Array(nan, dtype=float32)", Some("nan")),
            ("f(1, 2", None),
            ("(1.5)", None),
            ("tensor([1.5, 2.5])", None),
            ("1.5", None),
        ] {
            assert_eq!(wrapped(text.as_bytes()).map(|at| &text[at]), expected, "{text}");
        }
    }

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
            ("5.93147D-01 ", "5.93147D-01", 0.593147),
            ("2.4025851f0)", "2.4025851f0", 2.4025851),
            ("1.5f-3", "1.5f-3", 0.0015),
            ("2.5d", "2.5", 2.5),
            ("1.5f0x", "1.5", 1.5),
            ("−0.5", "−0.5", -0.5),
        ] {
            assert_eq!(read(text), (shown.to_owned(), expected), "{text}");
        }
        assert!(read("nan").1.is_nan());
        assert!(lex(b"nano", 0).is_none());
        assert!(lex(b"info", 0).is_none());
        assert!(lex(b"-x", 0).is_none());
    }

    #[test]
    fn digits_are_counted_and_read_alike_byte_by_byte_and_eight_at_once() {
        let text = b"/0123456789:8 12345678x99999999 1 \x8012\xff00000000007.5 -77 1234567890123456789";
        for start in 0..text.len() {
            let simple = start + text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            assert_eq!(digits(text, start), simple, "from {start}");
            for end in start..=text.len() {
                assert_eq!(count_in(text, &(start..end)), count(&text[start..end]), "{start}..{end}");
            }
        }
        assert_eq!(digits(text, text.len() + 3), text.len() + 3);
    }
}
