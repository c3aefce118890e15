//! Dates and times before a line, and who wrote it at that time.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date, a time or both, in brackets or bare; also absl's `I0102 03:04:05.678 123 file.py:10]` and syslog's.
pub(crate) fn stamp(text: &[u8]) -> Option<usize> {
    if let Some(length) = absl(text).or_else(|| syslog(text)).or_else(|| since_1970(text)).or_else(|| since_boot(text))
    {
        return Some(length);
    }
    let bracket = match text.first()? {
        b'[' => 1,
        b'(' => 1,
        _ => 0,
    };
    let mut at = bracket;
    let named = named_day(&text[at..]);
    let date = if named > 0 { named } else { date(&text[at..]) };
    at += date;
    if date > 0 && named == 0 {
        at += usize::from(matches!(text.get(at), Some(b'T' | b't' | b' ' | b'_' | b'-')));
        at += usize::from(date > 0 && text.get(at) == Some(&b' '));
    }
    let clock = clock(&text[at..]);
    at += clock;
    if date == 0 && (clock < 5 || (bracket == 0 && !text.get(at).is_none_or(u8::is_ascii_whitespace))) {
        return None;
    }
    if clock > 0 {
        at += zone(&text[at..]);
    }
    if bracket == 0 {
        return Some(at);
    }
    // `[01/02 03:04:05 d2.utils.events]:` closes behind a logger name.
    let close = text[at..].iter().take(64).position(|&b| matches!(b, b']' | b')'))?;
    let inside = &text[at..at + close];
    let elapsed = inside.contains(&b'<') || inside.contains(&b'=');
    (!elapsed).then(|| {
        let end = at + close + 1;
        end + usize::from(text.get(end) == Some(&b':'))
    })
}

/// Length of `2026-01-02`, `01/02/2026`, `02.01.2026`, `01/02`, or 0.
fn date(text: &[u8]) -> usize {
    let field = |from: usize| text[from.min(text.len())..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    let first = field(0);
    if !matches!(first, 2 | 4) {
        return 0;
    }
    let Some(&mark @ (b'-' | b'/' | b'.')) = text.get(first) else { return 0 };
    let second = field(first + 1);
    if !matches!(second, 1 | 2) {
        return 0;
    }
    let at = first + 1 + second;
    if text.get(at) == Some(&mark) {
        let third = field(at + 1);
        return if matches!(third, 1 | 2 | 4) { at + 1 + third } else { 0 };
    }
    // A day without a year counts only where a time follows.
    let day = mark == b'/' && first == 2 && second == 2 && text.get(at) == Some(&b' ') && clock(&text[at + 1..]) >= 8;
    if day { at } else { 0 }
}

/// Length of `03:04:05`, with a fraction of a second if there is one; at least hours and minutes.
fn clock(text: &[u8]) -> usize {
    let two = |at: usize| text.len() >= at + 2 && text[at].is_ascii_digit() && text[at + 1].is_ascii_digit();
    if !two(0) || text.get(2) != Some(&b':') || !two(3) {
        return 0;
    }
    if text.get(5) != Some(&b':') || !two(6) {
        return 5;
    }
    let fraction = match text.get(8) {
        Some(b'.' | b',') => text[9..].iter().take_while(|b| b.is_ascii_digit()).count(),
        _ => 0,
    };
    if fraction > 0 { 9 + fraction } else { 8 }
}

fn zone(text: &[u8]) -> usize {
    match text.first() {
        Some(b'Z') => 1,
        Some(b'+' | b'-') if text.get(1).is_some_and(u8::is_ascii_digit) => {
            1 + text[1..].iter().take(5).take_while(|b| b.is_ascii_digit() || **b == b':').count()
        }
        Some(b' ') if text[1..].starts_with(b"UTC") => 4,
        _ => 0,
    }
}

/// `1767323045.123456 ` and `1767323045123 `: seconds since 1970 with a fraction, or milliseconds.
fn since_1970(text: &[u8]) -> Option<usize> {
    let bracket = usize::from(text.first() == Some(&b'['));
    let digits = |from: usize| text[from.min(text.len())..].iter().take(14).take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(bracket);
    let mut at = bracket + whole;
    if !matches!(whole, 10 | 13) {
        return None;
    }
    if whole == 10 {
        let fraction = digits(at + 1);
        at += 1 + fraction;
        if text[bracket + whole..].first() != Some(&b'.') || !(3..=9).contains(&fraction) {
            return None;
        }
    }
    let closes =
        if bracket == 1 { text.get(at) == Some(&b']') } else { text.get(at).is_some_and(u8::is_ascii_whitespace) };
    closes.then_some(at + bracket)
}

/// `[   12.345678] `: seconds since the machine was started, as the kernel's log has them in twelve columns.
fn since_boot(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"[")?;
    let blank = inner.iter().take(4).take_while(|byte| **byte == b' ').count();
    let digits = |from: usize| inner[from..].iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let dot = blank + digits(blank);
    let close = dot + 7;
    let closes = inner.get(close..close + 2) == Some(b"] ") && inner[dot] == b'.' && digits(dot + 1) == 6;
    (closes && dot > blank && close >= 12).then_some(close + 2)
}

/// Length of `Mon 04 Mar 2024 09:17:06`, `04 Mar 09:17` and `Mon Mar  4 09:17:06 2024`, or 0.
fn named_day(text: &[u8]) -> usize {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let mut at = if DAYS.iter().any(|day| text.starts_with(day.as_bytes())) { 3 } else { 0 };
    let weekday = at > 0;
    at += usize::from(weekday && text.get(at) == Some(&b','));
    let word = |at: usize| {
        let rest = &text[at.min(text.len())..];
        let blank = rest.iter().take(2).take_while(|byte| **byte == b' ').count();
        (at + blank, rest[blank..].iter().take(10).take_while(|byte| !byte.is_ascii_whitespace()).count())
    };
    let (mut month, mut day, mut year) = (false, false, false);
    for _ in 0..4 {
        let (start, length) = word(at);
        let part = &text[start..start + length];
        if clock(part) == length && length >= 5 && month && day {
            let (behind, more) = word(start + length);
            let late = !year && more == 4 && text[behind..behind + 4].iter().all(u8::is_ascii_digit);
            let enough = weekday || year || late || length == 5;
            return if late { behind + 4 } else { usize::from(enough) * (start + length) };
        }
        match (length, part.iter().all(u8::is_ascii_digit)) {
            (1 | 2, true) if !day => day = true,
            (4, true) if day && month && !year => year = true,
            (3, false) if !month && MONTHS.iter().any(|known| known.as_bytes() == part) => month = true,
            _ => return 0,
        }
        at = start + length;
    }
    0
}

fn absl(text: &[u8]) -> Option<usize> {
    let level = matches!(text.first()?, b'I' | b'W' | b'E' | b'D' | b'F');
    let day = text.get(1..5)?.iter().all(u8::is_ascii_digit);
    let long = text.get(5..9).is_some_and(|t| t.iter().all(u8::is_ascii_digit));
    let at = if long { 9 } else { 5 };
    if !level || !day || text.get(at) != Some(&b' ') || clock(&text[at + 1..]) < 8 {
        return None;
    }
    let close = text.iter().take(160).position(|&b| b == b']')?;
    Some(close + 1)
}

fn syslog(text: &[u8]) -> Option<usize> {
    let month = text.get(..3)?;
    if !MONTHS.iter().any(|m| m.as_bytes() == month) || text.get(3) != Some(&b' ') {
        return None;
    }
    let day = 4 + text[4..].iter().take(3).take_while(|b| b.is_ascii_digit() || **b == b' ').count();
    let time = clock(text.get(day..)?);
    if time < 8 {
        return None;
    }
    let at = day + time;
    Some(at + host_and_program(&text[at..]).unwrap_or(0))
}

/// Length of ` host program[123]:`.
pub(super) fn host_and_program(text: &[u8]) -> Option<usize> {
    let colon = text.iter().take(96).position(|&b| b == b':')?;
    let named = text[..colon].strip_suffix(b"]")?;
    let open = named.iter().rposition(|&b| b == b'[')?;
    let words = named[..open].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
    (words == 2 && named[open + 1..].iter().all(u8::is_ascii_digit)).then_some(colon + 1)
}
