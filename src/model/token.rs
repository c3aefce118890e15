//! A number exactly as a log printed it.

use std::fmt;

const INLINE: usize = 22;

/// The text of one printed value, kept beside its parsed number because only the text tells how many digits were shown.
///
/// Up to 22 bytes are stored inline, so that reading a log of millions of points allocates nothing per point.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Inline { length: u8, bytes: [u8; INLINE] },
    Heap(Box<str>),
}

impl Token {
    /// Keeps `text` as it stands.
    pub fn new(text: &str) -> Self {
        if text.len() > INLINE {
            return Self(Repr::Heap(text.into()));
        }
        let mut bytes = [0; INLINE];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Self(Repr::Inline { length: text.len() as u8, bytes })
    }

    /// Keeps a text that came as bytes; what is no UTF-8 is replaced.
    pub fn from_bytes(text: &[u8]) -> Self {
        if text.len() <= INLINE && text.is_ascii() {
            let mut bytes = [0; INLINE];
            bytes[..text.len()].copy_from_slice(text);
            return Self(Repr::Inline { length: text.len() as u8, bytes });
        }
        Self::new(&String::from_utf8_lossy(text))
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Inline { length, .. } => usize::from(*length),
            Repr::Heap(text) => text.len(),
        }
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Repr::Heap(text) => text.as_bytes(),
        }
    }

    /// A value as Python would print it, near enough to be read back exactly: for values that were never printed.
    pub fn of_value(value: f64) -> Self {
        if value.is_nan() {
            return "nan".into();
        }
        if value.is_infinite() {
            return if value > 0.0 { "inf" } else { "-inf" }.into();
        }
        if value != 0.0 && !(1e-4..1e16).contains(&value.abs()) {
            return Self::new(&format!("{value:e}"));
        }
        let text = value.to_string();
        if text.contains('.') { Self::new(&text) } else { Self::new(&format!("{text}.0")) }
    }

    /// The text as it was printed.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // The bytes came from a `&str` of this very length, so the fallback is never taken.
            Repr::Inline { length, bytes } => str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default(),
            Repr::Heap(text) => text,
        }
    }

    /// Digits after the decimal point, the exponent taken into account: `1.25e-05` shows 7, `2.30` shows 2, `nan` none.
    pub fn decimals(&self) -> Option<u32> {
        let text = self.as_str().trim_end_matches('%');
        let (mantissa, exponent) = match text.find(['e', 'E', 'd', 'D', 'f']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
            None => (text, 0),
        };
        if !mantissa.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        let fraction = mantissa.rsplit_once(['.', ',']).map_or(0, |(_, digits)| digits.len() as i64);
        u32::try_from((fraction - exponent).max(0)).ok()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_short_and_long_text_unchanged() {
        for text in ["", "2.304123", "-0.1234567890123456789012", "0.12345678901234567890123456789"] {
            assert_eq!(Token::new(text).as_str(), text);
            assert_eq!(Token::from_bytes(text.as_bytes()), Token::new(text));
            assert_eq!(Token::new(text).len(), text.len());
        }
    }

    #[test]
    fn writes_a_value_so_that_it_is_read_back_exactly() {
        let values = [(1.0, "1.0"), (0.30000001192092896, "0.30000001192092896"), (1e-5, "1e-5"), (-2.5e20, "-2.5e20")];
        for (value, text) in values {
            assert_eq!(Token::of_value(value).as_str(), text);
            assert_eq!(text.parse(), Ok(value));
        }
        assert_eq!(Token::of_value(f64::NEG_INFINITY).as_str(), "-inf");
        assert_eq!(Token::of_value(f64::NAN).as_str(), "nan");
    }

    #[test]
    fn counts_the_decimals_that_a_reader_can_see() {
        for (text, expected) in [
            ("2.304123", Some(6)),
            ("2", Some(0)),
            ("1.25e-05", Some(7)),
            ("4.1e+2", Some(0)),
            ("nan", None),
            ("inf", None),
            ("6.93147D-01", Some(6)),
            ("2.5f0", Some(1)),
            ("46.1%", Some(1)),
        ] {
            assert_eq!(Token::new(text).decimals(), expected, "{text}");
        }
    }
}
