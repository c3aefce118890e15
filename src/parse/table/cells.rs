//! The cells of a line: where they stand, and the numbers in them.

use std::ops::Range;

use crate::parse::number;

/// Where the cells of a row stand, each with the number of its column.
pub(crate) type Cells = Vec<(usize, Range<usize>)>;

/// The cells of a line: between pipes where there are any, else parted by a tab or two blanks.
pub(crate) fn cells(line: &[u8]) -> (Vec<Range<usize>>, bool) {
    let piped = pipes(line) > 0;
    (parted(line, piped), piped)
}

/// The cells of a line whose pipes part nothing.
pub(super) fn parted_by_blanks(line: &[u8]) -> Vec<Range<usize>> {
    parted(line, false)
}

fn parted(line: &[u8], piped: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    let mut blanks = 0;
    let mut at = 0;
    while at < line.len() {
        let width = if piped { pipe_width(line, at) } else { 0 };
        if width > 0 {
            close(line, &mut start, at, &mut found, piped);
            start = Some(at + width);
            at += width;
            blanks = 0;
            continue;
        }
        let byte = line[at];
        if !piped && (byte == b'\t' || byte == b' ') {
            blanks += if byte == b'\t' { 2 } else { 1 };
            if blanks >= 2 {
                close(line, &mut start, at, &mut found, false);
            }
        } else {
            blanks = 0;
            start.get_or_insert(at);
        }
        at += 1;
    }
    close(line, &mut start, line.len(), &mut found, piped);
    if piped {
        // What stands outside the outer pipes is no cell.
        if found.first().is_some_and(Range::is_empty) {
            found.remove(0);
        }
        if found.last().is_some_and(Range::is_empty) {
            found.pop();
        }
    }
    found
}

/// `cost_change  |gradient|   |step|    tr_ratio`: whether every pipe of a line stands right before or behind a word that is apart
/// from all others.
pub(super) fn has_norms(line: &[u8]) -> bool {
    let at: Vec<usize> = memchr::memchr_iter(b'|', line).take(16).collect();
    let norm = |pair: &[usize]| {
        let &[open, close] = pair else { return false };
        let word = line[open + 1..close].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        word && close > open + 1
            && line[..open].ends_with(b"  ")
            && (close + 1 == line.len() || line[close + 1..].starts_with(b"  "))
    };
    !at.is_empty() && at.chunks(2).all(norm)
}

/// Whether words in a cell are two blanks apart.
pub(super) fn has_gap(cell: &[u8]) -> bool {
    memchr::memmem::find(cell, b"  ").is_some()
}

/// The words of a line, pipes being blanks.
pub(super) fn words_and_pipes(line: &[u8]) -> Vec<Range<usize>> {
    let apart = words(line).into_iter().flat_map(|word| {
        let start = word.start;
        parts(&line[word], b'|').into_iter().map(move |part| start + part.start..start + part.end)
    });
    apart.filter(|part| !part.is_empty()).collect()
}

fn close(line: &[u8], start: &mut Option<usize>, end: usize, found: &mut Vec<Range<usize>>, keep_empty: bool) {
    let Some(from) = start.take().or((keep_empty && found.is_empty()).then_some(0)) else { return };
    let inside = &line[from..end];
    let left = from + inside.len() - inside.trim_ascii_start().len();
    let right = left + inside.trim_ascii().len();
    if right > left || keep_empty {
        found.push(left.min(right)..right);
    }
}

pub(super) fn pipes(line: &[u8]) -> usize {
    (0..line.len()).filter(|&at| pipe_width(line, at) > 0).count()
}

fn pipe_width(line: &[u8], at: usize) -> usize {
    match line[at] {
        // `||grad||` is a norm.
        b'|' if line.get(at + 1) == Some(&b'|') || at > 0 && line[at - 1] == b'|' => 0,
        b'|' => 1,
        0xE2 if ["│", "┃", "║", "┆"].iter().any(|p| line[at..].starts_with(p.as_bytes())) => 3,
        _ => 0,
    }
}

/// What parts the names in `epoch,loss,lr`, `epoch, loss, lr` and `epoch;loss;lr`.
pub(super) fn parting_mark(line: &[u8]) -> Option<u8> {
    [b';', b','].into_iter().find(|mark| {
        let found = parts(line, *mark);
        // `Epoch,Train loss,Time`: names may have blanks where none stands beside a mark, as it does in a sentence.
        let sentence = memchr::memchr_iter(*mark, line).any(|at| line.get(at + 1).is_none_or(u8::is_ascii_whitespace));
        let blank = |cell: &Range<usize>| line[cell.clone()].iter().any(u8::is_ascii_whitespace);
        found.len() > 2 && !(sentence && found.iter().any(blank))
    })
}

/// The cells of a row that is printed as a Python tuple or list: `(1, 0.5, 0.8)`, `['epoch', 'loss']`, `[1.  0.5  0.8]`.
pub(super) fn bracketed(line: &[u8]) -> Option<Vec<Range<usize>>> {
    let text = line.trim_ascii();
    let closed = matches!((text.first()?, text.last()?), (b'(', b')') | (b'[', b']'));
    let inner = text.get(1..text.len() - 1).filter(|inner| closed && !inner.iter().any(|b| b"()[]{}:=".contains(b)))?;
    let start = line.len() - line.trim_ascii_start().len() + 1;
    let found = if inner.contains(&b',') { parts(inner, b',') } else { words(inner) };
    let quoted = |cell: &Range<usize>| {
        let quote = |at: Option<&u8>| matches!(at, Some(b'\'' | b'"'));
        usize::from(cell.len() > 2 && quote(inner.get(cell.start)) && quote(inner.get(cell.end - 1)))
    };
    let bare = |cell: Range<usize>| start + cell.start + quoted(&cell)..start + cell.end - quoted(&cell);
    (found.len() > 1).then(|| found.into_iter().map(bare).collect())
}

/// What stands between commas or other marks.
pub(super) fn parts(line: &[u8], mark: u8) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut found = Vec::new();
    for end in memchr::memchr_iter(mark, line).chain([line.len()]) {
        let inside = &line[start..end];
        let left = start + inside.len() - inside.trim_ascii_start().len();
        found.push(left..left + inside.trim_ascii().len());
        start = end + 1;
    }
    found
}

pub(super) fn words(line: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for at in 0..=line.len() {
        let blank = line.get(at).is_none_or(u8::is_ascii_whitespace);
        match (blank, start) {
            (true, Some(from)) => {
                found.push(from..at);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    found
}

/// The words of a line, a list in brackets as one: `[1.2e-02, 3.4e-03]`.
pub(super) fn listed(line: &[u8]) -> Vec<Range<usize>> {
    if memchr::memchr(b'[', line).is_none() {
        return words(line);
    }
    let mut found: Vec<Range<usize>> = Vec::new();
    let open = |cell: &Range<usize>| line[cell.start] == b'[' && !line[cell.clone()].contains(&b']');
    for word in words(line) {
        match found.last_mut().filter(|last| open(last)) {
            Some(last) => last.end = word.end,
            None => found.push(word),
        }
    }
    found
}

/// The numbers of a cell that is a list in brackets; any other cell as it is.
pub(super) fn numbers_of(line: &[u8], cell: Range<usize>) -> Vec<Range<usize>> {
    let inner = line[cell.clone()].strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]"));
    let Some(inner) = inner else { return vec![cell] };
    let start = cell.start + 1;
    let parts = parts(inner, b',').into_iter().map(|part| start + part.start..start + part.end);
    parts.filter(|part| !part.is_empty()).collect()
}

pub(super) fn first_number(line: &[u8], cell: &Range<usize>) -> Range<usize> {
    numbers_of(line, cell.clone()).into_iter().next().unwrap_or(cell.clone())
}

/// Length of a bar at the beginning of a cell, and of what is drawn over it in the header: `[ 40%      ]`, `[------------] `.
pub(super) fn bar_cell(cell: &[u8]) -> Option<usize> {
    let inner = cell.strip_prefix(b"[")?;
    let close = memchr::memchr(b']', inner)?;
    let inner = &inner[..close];
    let drawn = inner.iter().all(|byte| matches!(byte, b' ' | b'-' | b'=' | b'#' | b'>' | b'.' | b'%' | b'0'..=b'9'));
    let bar = drawn && (memchr::memmem::find(inner, b"--").is_some() || inner.contains(&b'%'));
    let end = close + 2;
    bar.then(|| end + cell[end..].iter().take_while(|byte| **byte == b' ').count())
}

/// The number of a cell: `0.5`, `1/3`, `12%`, `0.5s`; the range is that of the number itself.
pub(crate) fn cell_number(cell: &[u8]) -> Option<CellNumber> {
    let found = number::lex(cell, 0)?;
    let rest = &cell[found.end..];
    let unit = match rest {
        b"" | b"%" | b"*" | b":" | b"." | b"," => false,
        _ if rest.starts_with(b"/") && rest[1..].iter().all(u8::is_ascii_digit) && rest.len() > 1 => false,
        _ if rest.len() <= 5 && rest.iter().all(|b| b.is_ascii_alphabetic()) => true,
        _ => return None,
    };
    Some(CellNumber { end: found.end, spelling: found.spelling, unit })
}

/// The number in a cell of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CellNumber {
    /// Where its digits end.
    pub(crate) end: usize,
    /// How it is spelled.
    pub(crate) spelling: number::Spelling,
    /// Whether a unit follows, as in `0.5s` or `2.1G`.
    pub(crate) unit: bool,
}
