//! Numbers that are never values: places in a source, clocks, dates, versions.

use super::words::is_word;

/// `[train.py:100]`, `(trainer:705)`, `[logging.py:96:log_dist]`: a place in the source, not a number of the training.
pub(super) fn source_place(line: &[u8], at: usize, close: usize) -> Option<usize> {
    let inside = &line[at + 1..close];
    let colon = inside.iter().position(|&b| b == b':')?;
    let name = &inside[..colon];
    let plain =
        !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-'));
    let number = inside[colon + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = &inside[colon + 1 + number..];
    let file = name.contains(&b'.');
    let known = crate::parse::names::is_position_word(name);
    (plain && number > 0 && !known && (file || line[at] == b'(') && (rest.is_empty() || rest[0] == b':'))
        .then_some(close + 1)
}

/// A clock time, a span of time, a date or a dotted version: never a value.
pub(crate) fn clock_or_date(line: &[u8], at: usize) -> Option<usize> {
    if at > 0 && is_word(line[at - 1]) {
        return None;
    }
    let run = |from: usize| line[from.min(line.len())..].iter().take(5).take_while(|b| b.is_ascii_digit()).count();
    let first = run(at);
    if first == 0 || first > 4 {
        return None;
    }
    let mark = *line.get(at + first)?;
    let second_at = at + first + 1;
    let second = run(second_at);
    let after = second_at + second;
    match mark {
        b':' if second == 2 => {
            let mut end = after;
            if line.get(end) == Some(&b':') && run(end + 1) == 2 {
                end += 3;
            } else if line.get(end) == Some(&b'.') {
                return None;
            }
            if matches!(line.get(end), Some(b'.' | b',')) {
                end += match line[end + 1..].iter().take_while(|b| b.is_ascii_digit()).count() {
                    0 => 0,
                    digits => digits + 1,
                };
            }
            (!line.get(end).is_some_and(u8::is_ascii_alphabetic)).then_some(end)
        }
        b'-' | b'/' if matches!(first, 2 | 4) && matches!(second, 1 | 2) && line.get(after) == Some(&mark) => {
            let third = run(after + 1);
            let end = after + 1 + third;
            // `2026-01-02T03:04:05.678Z`
            (third > 0 && third != 3).then_some(end + time_of_day(&line[end.min(line.len())..]))
        }
        b'.' if second > 0 && line.get(after) == Some(&b'.') && run(after + 1) > 0 => {
            let mut end = after + 1;
            while line.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'.') {
                end += 1;
            }
            Some(end)
        }
        _ => None,
    }
}

/// Length of `T03:04:05.678Z` behind a date, or 0.
pub(super) fn time_of_day(text: &[u8]) -> usize {
    let clock = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b',');
    if text.first() != Some(&b'T') || text.get(3) != Some(&b':') {
        return 0;
    }
    let end = 1 + text[1..].iter().take_while(clock).count();
    end + usize::from(text.get(end) == Some(&b'Z'))
}
