//! Tables on a console: a header line whose columns name the numbers of the rows below it.

use std::ops::Range;

use super::names::{self, Meaning};
use super::number;

/// The columns of the table being read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    /// Names of the columns.
    pub(crate) names: Vec<String>,
    /// What they mean.
    pub(crate) meanings: Vec<Meaning>,
    places: Vec<Range<usize>>,
    piped: bool,
    /// What parts the columns of a table of comma or semicolon separated values in the midst of a log.
    mark: Option<u8>,
    /// The columns are parts of the data.
    crossed: bool,
}

/// Where the cells of a row stand, each with the number of its column.
pub(crate) type Cells = Vec<(usize, Range<usize>)>;

/// The cells of a line: between pipes where there are any, else parted by a tab or two blanks.
pub(crate) fn cells(line: &[u8]) -> (Vec<Range<usize>>, bool) {
    let piped = pipes(line) > 0;
    let mut found = Vec::new();
    let mut start = None;
    let mut blanks = 0;
    let mut at = 0;
    while at < line.len() {
        let width = pipe_width(line, at);
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
    (found, piped)
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

fn pipes(line: &[u8]) -> usize {
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

/// Whether a line only draws: dashes, equals signs, corners.
pub(crate) fn is_rule(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    if text.len() < 3 {
        return false;
    }
    let mut drawn = 0;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'-' | b'=' | b'+' | b'|' | b'_' | b' ' | b':' | b'*' => at += 1,
            0xE2 if matches!(text.get(at + 1), Some(0x94..=0x95)) => at += 3,
            _ => return false,
        }
        drawn += 1;
    }
    drawn >= 3 && text.iter().any(|b| matches!(b, b'-' | b'=' | b'_' | b'*' | 0xE2))
}

impl Header {
    /// Reads a header, where every cell is a name and at least one of them is known.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        if line.len() > 600
            || has_number(line)
            || line.iter().filter(|b| b.is_ascii_alphabetic() || **b >= 0x80).count() < 4
        {
            return None;
        }
        let row = bracketed(line);
        let mark = parting_mark(line).filter(|_| row.is_none());
        let (mut places, piped) = match row {
            Some(cells) => (cells, false),
            None => mark.map_or_else(|| cells(line), |mark| (parts(line, mark), false)),
        };
        if places.len() < 2 && !piped {
            places = words(line);
        }
        if places.len() < 2 || places.len() > 60 {
            return None;
        }
        // `#  step  loss`: a header that is a comment; a lone `#` counts steps only where others stand before it.
        if places.len() > 2 && line[places[0].clone()] == *b"#" {
            places.remove(0);
        }
        let names: Vec<String> =
            places.iter().map(|p| String::from_utf8_lossy(&line[p.clone()]).into_owned()).collect();
        // Detectors head the sum of their losses with a bare `total`.
        let terms = names.iter().filter(|name| matches!(name.as_str(), "box" | "obj" | "cls")).count();
        let names: Vec<String> = names
            .into_iter()
            .map(|name| if terms > 1 && name == "total" { "total loss".to_owned() } else { name })
            .collect();
        let proper = names.iter().all(|n| is_name(n));
        let known = names.iter().filter(|n| is_known(n)).count();
        let counted = names.iter().any(|n| matches!(names::column(n), Meaning::Epoch | Meaning::Step(_)));
        let part = |name: &String| {
            let tokens = names::tokens(name);
            tokens.len() == 1 && names::split(&tokens) != names::Split::Unsaid
        };
        let crossed = piped && names.iter().all(part);
        (proper && (known >= 1 && (counted || known >= 2) || crossed)).then(|| Self {
            meanings: names.iter().map(|n| names::column(n)).collect(),
            names,
            places,
            piped,
            mark,
            crossed,
        })
    }

    /// The header whose names go on in the line right below it, as in Vowpal Wabbit's `average` over `loss`.
    pub(crate) fn over(&self, line: &[u8]) -> Option<Self> {
        let (lower, piped) = if self.piped { cells(line) } else { (words(line), pipes(line) > 0) };
        let upper: Vec<&str> = match self.piped {
            true => self.names.iter().map(String::as_str).collect(),
            false => self.names.iter().flat_map(|name| name.split_whitespace()).collect(),
        };
        if self.mark.is_some() || piped != self.piped || has_number(line) || upper.len() != lower.len() {
            return None;
        }
        let below = |cell: &Range<usize>| String::from_utf8_lossy(&line[cell.clone()]).into_owned();
        let joined = |(above, cell): (&&str, &Range<usize>)| format!("{above} {}", below(cell)).trim_end().to_owned();
        let names: Vec<String> = upper.iter().zip(&lower).map(joined).collect();
        let meanings: Vec<Meaning> = names.iter().map(|name| names::column(name)).collect();
        let counted = meanings.iter().any(|meaning| matches!(meaning, Meaning::Epoch | Meaning::Step(_)));
        let whole = counted && meanings.contains(&Meaning::Loss) && names.iter().all(|name| is_name(name));
        whole.then(|| Self { names, meanings, places: lower, piped, ..Self::default() })
    }

    /// `Training | Validation`: whether the columns are parts of the data, so that the rows have the names.
    pub(crate) fn is_crossed(&self) -> bool {
        self.crossed
    }

    /// The name and the numbers of a row under such a header, each with the column that it stands in.
    pub(crate) fn crossed_row(&self, line: &[u8]) -> Option<(Range<usize>, Cells)> {
        let (found, piped) = cells(line);
        let (name, numbers) = found.split_first()?;
        let proper =
            piped && numbers.len() == self.names.len() && is_name(&String::from_utf8_lossy(&line[name.clone()]));
        let whole = |cell: &Range<usize>| cell_number(&line[cell.clone()]).is_some_and(|found| found.end == cell.len());
        let placed: Vec<_> = numbers.iter().cloned().enumerate().filter(|(_, cell)| whole(cell)).collect();
        (proper && !placed.is_empty()).then(|| (name.clone(), placed))
    }

    /// Whether a row begins with an index of its own, which then counts where no column does.
    pub(crate) fn index_of(&self, line: &[u8]) -> Option<i64> {
        let counted = self.meanings.iter().any(|meaning| matches!(meaning, Meaning::Epoch | Meaning::Step(_)));
        let found = words(line);
        let indexed = !counted && !self.piped && self.mark.is_none() && found.len() == self.names.len() + 1;
        number::count(&line[found.first().filter(|_| indexed)?.clone()])
    }

    /// The cells of a row, one for each column that has one.
    pub(crate) fn row(&self, line: &[u8]) -> Option<Vec<(usize, Range<usize>)>> {
        let row = bracketed(line).filter(|_| !self.piped);
        let exact = self.mark.is_some() || row.is_some();
        let (found, piped) = match (row, self.mark) {
            (Some(cells), _) => (cells, false),
            (None, Some(mark)) => (parts(line, mark), false),
            (None, None) if self.piped => cells(line),
            (None, None) => (words(line), false),
        };
        if exact && found.len() != self.names.len() {
            return None;
        }
        if piped != self.piped || found.is_empty() || self.crossed {
            return None;
        }
        let whole = |cell: &Range<usize>| line[cell.clone()].iter().all(u8::is_ascii_digit);
        let placed: Vec<(usize, Range<usize>)> = if found.len() == self.names.len() + 1 && !piped && whole(&found[0]) {
            // pandas prints its index under no name.
            found.into_iter().skip(1).enumerate().collect()
        } else if found.len() == self.names.len() {
            found.into_iter().enumerate().collect()
        } else if found.len() < self.names.len() && !piped {
            found.into_iter().map(|cell| Some((self.column_of(&cell)?, cell))).collect::<Option<_>>()?
        } else {
            return None;
        };
        let rising = placed.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let filled = placed.iter().filter(|(_, cell)| !cell.is_empty()).count();
        let numeric = placed.iter().filter(|(_, cell)| cell_number(&line[cell.clone()]).is_some()).count();
        let counter = |column: usize| matches!(self.meanings[column], Meaning::Epoch | Meaning::Step(_));
        let counted = (0..self.names.len()).any(counter);
        let placed_by =
            placed.iter().any(|(column, cell)| counter(*column) && cell_number(&line[cell.clone()]).is_some());
        (rising && (placed_by || !counted) && numeric >= 1 && numeric * 2 >= filled).then_some(placed)
    }

    /// The column that a cell stands under: the one it overlaps, else the nearest.
    fn column_of(&self, cell: &Range<usize>) -> Option<usize> {
        let overlap = |place: &Range<usize>| place.end.min(cell.end).saturating_sub(place.start.max(cell.start));
        let distance = |place: &Range<usize>| {
            (place.end as i64 - cell.end as i64).abs().min((place.start as i64 - cell.start as i64).abs())
        };
        (0..self.places.len()).max_by_key(|&i| (overlap(&self.places[i]), -distance(&self.places[i])))
    }
}

/// Whether a word of the line begins with a digit.
fn has_number(line: &[u8]) -> bool {
    let mut before = b' ';
    line.iter().any(|&b| {
        let starts = b.is_ascii_digit()
            && !before.is_ascii_alphanumeric()
            && !matches!(before, b'_' | b'-' | b'@' | b'/' | b'.' | b'(')
            && before < 0x80;
        before = b;
        starts
    })
}

/// What parts the names in `epoch,loss,lr`, `epoch, loss, lr` and `epoch;loss;lr`.
fn parting_mark(line: &[u8]) -> Option<u8> {
    [b';', b','].into_iter().find(|mark| {
        let found = parts(line, *mark);
        found.len() > 2 && found.iter().all(|cell| !line[cell.clone()].iter().any(u8::is_ascii_whitespace))
    })
}

/// The cells of a row that is printed as a Python tuple or list: `(1, 0.5, 0.8)`, `['epoch', 'loss']`, `[1.  0.5  0.8]`.
fn bracketed(line: &[u8]) -> Option<Vec<Range<usize>>> {
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
fn parts(line: &[u8], mark: u8) -> Vec<Range<usize>> {
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

fn words(line: &[u8]) -> Vec<Range<usize>> {
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

fn is_name(text: &str) -> bool {
    let letters = text.chars().any(char::is_alphabetic) || text == "#";
    letters
        && text.len() <= 60
        && text.split_whitespace().count() <= 4
        && number::whole(text.as_bytes()).is_none()
        && !text.split_whitespace().any(|w| number::whole(w.as_bytes()).is_some())
        && !text.contains(['=', '{', '}', '"', '\''])
        && !text.ends_with([':', '.', ',', ';', '!'])
}

fn is_known(text: &str) -> bool {
    !matches!(names::column(text), Meaning::Unknown | Meaning::Noise | Meaning::Config)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str, row: &str) -> Option<Vec<String>> {
        let header = Header::read(header.as_bytes())?;
        let cells = header.row(row.as_bytes())?;
        Some(cells.into_iter().map(|(i, cell)| format!("{}={}", header.names[i], &row[cell])).collect())
    }

    #[test]
    fn reads_rows_under_their_header() {
        assert_eq!(
            read("  epoch    train_loss    valid_acc     dur", "      1        1.3549       0.4800  0.0110"),
            Some(vec!["epoch=1".into(), "train_loss=1.3549".into(), "valid_acc=0.4800".into(), "dur=0.0110".into()])
        );
        assert_eq!(
            read("E    #       LOSS TOK2VEC  LOSS NER  SCORE ", "  0       0         47.50     46.90    0.01"),
            Some(vec![
                "E=0".into(),
                "#=0".into(),
                "LOSS TOK2VEC=47.50".into(),
                "LOSS NER=46.90".into(),
                "SCORE=0.01".into()
            ])
        );
        assert_eq!(
            read("| Epoch | Train Loss |", "| 1 | 0.5 |"),
            Some(vec!["Epoch=1".into(), "Train Loss=0.5".into()])
        );
        assert_eq!(read("┃ Epoch ┃ Loss ┃", "│ 1     │ 0.5  │"), Some(vec!["Epoch=1".into(), "Loss=0.5".into()]));
        assert_eq!(
            read("Epoch  box  obj  total", "0/7  0.1  0.2  0.3").map(|row| row[3].clone()),
            Some("total loss=0.3".into())
        );
        let tuple = "('epoch', 'loss')";
        assert_eq!(read(tuple, "(1, 0.5)"), Some(vec!["epoch=1".into(), "loss=0.5".into()]));
        assert_eq!(read("step;loss;acc", "1;0,5;0,25").map(|row| row[2].clone()), Some("acc=0,25".into()));
        assert_eq!(read("epoch, loss, acc", "(1, 0.5, 0.8)").map(|row| row[2].clone()), Some("acc=0.8".into()));
        assert_eq!(read("epoch loss acc", "[ 1.     0.5    0.8]").map(|row| row[1].clone()), Some("loss=0.5".into()));
        assert_eq!(read(tuple, "(1, 0.5, 0.8)"), None, "another number of cells");
        let above = Header::read(b"average  since  example  example  current").expect("a header");
        let stacked = above.over(b"loss  last  counter  weight  label").expect("a second line");
        assert_eq!(stacked.names[..3], ["average loss", "since last", "example counter"]);
        assert!(matches!(stacked.meanings[2], Meaning::Step(_)) && above.over(b"1  2  3  4  5").is_none());
        let above = Header::read(b"| Epoch | Iteration | Mini-batch |").expect("a header");
        let stacked = above.over(b"|       |           |    Loss    |").expect("a second line");
        assert_eq!(stacked.names, ["Epoch", "Iteration", "Mini-batch Loss"]);
        assert!(above.over(b"| 1 | 50 | 0.5 |").is_none());
        let crossed = Header::read(b"Training |  Validation").expect("a header");
        assert!(crossed.is_crossed() && crossed.row(b"loss | 0.5").is_none());
        let (name, cells) = crossed.crossed_row(b"loss  | 0.5 | N/A").expect("a row");
        assert_eq!((name, cells), (0..4, vec![(0, 8..11)]));
        let frame = Header::read(b"   train-rmse  test-rmse").expect("a header");
        assert_eq!((frame.index_of(b"7  0.5  0.6"), frame.index_of(b"0.5  0.6")), (Some(7), None));
        assert_eq!(read("Saving the model to disk", "1 2 3 4 5"), None);
        assert!(is_rule(b"-------  ------------  -----"));
        assert!(is_rule("├────┼───┤".as_bytes()));
        assert!(!is_rule(b"- 1"));
    }
}
