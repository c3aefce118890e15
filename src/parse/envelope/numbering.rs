//! The numbers that `cat -n`, `grep -n` and pagers write before the lines of a log.

use super::blanks;
use crate::parse::names::is_position_word;

/// `11:[0]`, `     1\t[0]`, `     4 Epoch 1`: the number of the line, before what counts for itself.
pub(super) fn numbering(line: &[u8]) -> Option<usize> {
    let blank = blanks(line);
    let digits = line[blank..].iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let end = blank + digits;
    let rest = line.get(end + 1..).filter(|_| digits > 0)?;
    let gap = blanks(rest);
    let text = &rest[gap..];
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let marked = line[end] == b':' && gap == 0 || line[end] == b'\t' && blank > 0;
    if marked && text.first() == Some(&b'[') && digit(1) {
        return Some(end + 1);
    }
    let word = text.iter().take(12).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let counter = word + text[word..].iter().take(3).take_while(|byte| matches!(byte, b' ' | b':')).count();
    let parted = matches!(line[end], b' ' | b'\t') && blank > 0;
    (parted && counter > word && digit(counter) && is_position_word(&text[..word])).then_some(end + 1)
}
