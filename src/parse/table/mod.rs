//! Tables on a console: a header line whose columns name the numbers of the rows below it.

mod cells;

use std::ops::Range;

use cells::{
    Cells, bar_cell, bracketed, first_number, has_gap, has_norms, listed, numbers_of, parted_by_blanks, parting_mark,
    parts, pipes, words, words_and_pipes,
};
pub(crate) use cells::{cell_number, cells};

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
    /// The rows are: the column of their names has none itself.
    sided: bool,
    /// Pipes part groups of columns, and blanks the columns in them.
    grouped: bool,
    /// Where the header begins in its line.
    column: usize,
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
    /// The header as it stands from this column of its line on, so that the cells of sparse rows are known by their place.
    pub(crate) fn at(self, column: usize) -> Self {
        Self { column, ..self }
    }

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
            None if mark.is_none() && has_norms(line) => (parted_by_blanks(line), false),
            None => mark.map_or_else(|| cells(line), |mark| (parts(line, mark), false)),
        };
        // `Step  maxR | avgR  stdR | objC`
        let grouped = piped && line[0] != b'|' && places.iter().any(|place| has_gap(&line[place.clone()]));
        if grouped {
            places = words_and_pipes(line);
        }
        let piped = piped && !grouped;
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
        // What is drawn over a bar that the rows begin with.
        if let Some(drawn) = bar_cell(&line[places[0].clone()]).filter(|_| !piped) {
            places[0].start += drawn;
        }
        let sided = piped && places.len() > 1 && places[0].is_empty();
        if sided {
            places.remove(0);
        }
        let names: Vec<String> =
            places.iter().map(|p| String::from_utf8_lossy(&line[p.clone()]).into_owned()).collect();
        let names = told_apart(names::of_columns(names));
        let proper = names.iter().all(|n| is_name(n));
        let known = names.iter().filter(|n| is_known(n)).count();
        let counted = names.iter().any(|n| matches!(names::column(n), Meaning::Epoch | Meaning::Step(_)));
        let crossed = piped && names.iter().all(|name| is_part(name));
        let sided = sided && !counted;
        (proper && (known >= 1 && (counted || known >= 2 || sided) || crossed)).then(|| Self {
            meanings: names.iter().map(|n| names::column(n)).collect(),
            names,
            places,
            piped,
            mark,
            crossed,
            sided,
            grouped,
            ..Self::default()
        })
    }

    /// The header whose names go on in the line right below it, as in Vowpal Wabbit's `average` over `loss`.
    pub(crate) fn over(&self, line: &[u8]) -> Option<Self> {
        let (lower, piped) = if self.piped { cells(line) } else { (words(line), pipes(line) > 0) };
        let upper: Vec<&str> = match self.piped {
            true => self.names.iter().map(|name| without_count(name)).collect(),
            false => self.names.iter().flat_map(|name| without_count(name).split_whitespace()).collect(),
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

    /// `Training | Validation`: whether the columns are parts of the data, so that the rows have the names; or the rows are, below
    /// a column without a name.
    pub(crate) fn is_crossed(&self) -> bool {
        self.crossed || self.sided
    }

    /// The metric in a column of such a row.
    pub(crate) fn crossed_name(&self, column: usize, row: &str) -> String {
        let name = &self.names[column];
        if self.sided { format!("{row} {name}") } else { format!("{name} {row}") }
    }

    /// The name and the numbers of a row under such a header, each with the column that it stands in.
    pub(crate) fn crossed_row(&self, line: &[u8]) -> Option<(Range<usize>, Cells)> {
        let (found, piped) = cells(line);
        let (name, numbers) = found.split_first()?;
        let proper =
            piped && numbers.len() == self.names.len() && is_name(&String::from_utf8_lossy(&line[name.clone()]));
        let part = || is_part(&String::from_utf8_lossy(&line[name.clone()]));
        let proper = proper && (!self.sided || part());
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

    /// The cells of a row that stands from this column of its line on: one for each column that has one, and one for each number
    /// of a list in brackets.
    pub(crate) fn row(&self, line: &[u8], column: usize) -> Option<Cells> {
        let row = bracketed(line).filter(|_| !self.piped);
        let exact = self.mark.is_some() || row.is_some() || self.grouped;
        let (found, piped) = match (row, self.mark) {
            (Some(cells), _) => (cells, false),
            (None, Some(mark)) => (parts(line, mark), false),
            (None, None) if self.piped => cells(line),
            (None, None) if self.grouped => (words_and_pipes(line), pipes(line) == 0),
            (None, None) => (self.parted(line), false),
        };
        if exact && found.len() != self.names.len() {
            return None;
        }
        if piped != self.piped || found.is_empty() || self.is_crossed() {
            return None;
        }
        let whole = |cell: &Range<usize>| {
            let cell = &line[cell.clone()];
            cell.iter().all(u8::is_ascii_digit) || bar_cell(cell) == Some(cell.len())
        };
        let placed: Vec<(usize, Range<usize>)> = if found.len() == self.names.len() + 1 && !piped && whole(&found[0]) {
            // pandas prints its index under no name, others a bar.
            found.into_iter().skip(1).enumerate().collect()
        } else if found.len() == self.names.len() {
            found.into_iter().enumerate().collect()
        } else if found.len() < self.names.len() && !piped {
            found.into_iter().map(|cell| Some((self.column_of(&cell, column)?, cell))).collect::<Option<_>>()?
        } else {
            return None;
        };
        let rising = placed.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let filled = placed.iter().filter(|(_, cell)| !cell.is_empty()).count();
        let lists = memchr::memchr(b'[', line).is_some();
        let number = |cell: &Range<usize>| match lists {
            true => cell_number(&line[first_number(line, cell)]).is_some(),
            false => cell_number(&line[cell.clone()]).is_some(),
        };
        let numeric = placed.iter().filter(|(_, cell)| number(cell)).count();
        let counter = |column: usize| matches!(self.meanings[column], Meaning::Epoch | Meaning::Step(_));
        let counted = (0..self.names.len()).any(counter);
        // `Loss: 88276.9` below `Feature generation` is no row of generations, of which the first would have a fraction.
        let counts = |column: usize, cell: &[u8]| match self.meanings[column] {
            Meaning::Step(_) => number::whole(cell).is_none_or(|step| step.fract() == 0.0),
            _ => true,
        };
        let placed_by = placed.iter().any(|(column, cell)| {
            counter(*column) && cell_number(&line[cell.clone()]).is_some() && counts(*column, &line[cell.clone()])
        });
        let proper = rising && (placed_by || !counted) && numeric >= 1 && numeric * 2 >= filled;
        let apart =
            |(column, cell): (usize, Range<usize>)| numbers_of(line, cell).into_iter().map(move |cell| (column, cell));
        proper.then(|| if lists { placed.into_iter().flat_map(apart).collect() } else { placed })
    }

    /// The cells of a row without pipes: its words, or what stands between tabs where only that gives each column one.
    fn parted(&self, line: &[u8]) -> Vec<Range<usize>> {
        let found = listed(line);
        if found.len() <= self.names.len() || memchr::memchr(b'\t', line).is_none() {
            return found;
        }
        let (tabbed, _) = cells(line);
        if tabbed.len() == self.names.len() { tabbed } else { found }
    }

    /// The column that a cell stands under: the one it overlaps, else the nearest.
    fn column_of(&self, cell: &Range<usize>, column: usize) -> Option<usize> {
        // Header and row need not begin in the same column of their lines.
        let cell = &(cell.start + column..cell.end + column);
        let place = |index: usize| self.places[index].start + self.column..self.places[index].end + self.column;
        let overlap = |place: &Range<usize>| place.end.min(cell.end).saturating_sub(place.start.max(cell.start));
        let distance = |place: &Range<usize>| {
            (place.end as i64 - cell.end as i64).abs().min((place.start as i64 - cell.start as i64).abs())
        };
        (0..self.places.len()).max_by_key(|&i| (overlap(&place(i)), -distance(&place(i))))
    }
}

/// Two columns of one name are two things: `Fitness` and `Fitness (2)`.
fn told_apart(names: Vec<String>) -> Vec<String> {
    let before = |at: usize| names[..at].iter().filter(|name| **name == names[at]).count();
    let named = |at: usize| match before(at) {
        0 => names[at].clone(),
        count => format!("{} ({})", names[at], count + 1),
    };
    (0..names.len()).map(named).collect()
}

/// `Fitness` in `Fitness (2)`.
fn without_count(name: &str) -> &str {
    let count = |tail: &str| tail.strip_suffix(')').is_some_and(|count| count.bytes().all(|b| b.is_ascii_digit()));
    name.rsplit_once(" (").filter(|(_, tail)| count(tail)).map_or(name, |(name, _)| name)
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

fn is_name(text: &str) -> bool {
    let letters = text.chars().any(char::is_alphabetic) || text == "#";
    letters
        && text.len() <= 60
        && text.split_whitespace().count() <= 4
        && number::whole(text.as_bytes()).is_none()
        && !text.split_whitespace().any(|w| number::whole(w.as_bytes()).is_some())
        && !text.contains(['=', '{', '}', '"', '\''])
        && !text.trim_end_matches('.').ends_with([':', ',', ';', '!'])
        && (!text.ends_with('.') || is_abbreviation(text))
}

/// `acc.`, `etc.`: a short word, where `disk.` ends a sentence.
fn is_abbreviation(text: &str) -> bool {
    text.len() <= 4 && text.trim_end_matches('.').len() + 1 == text.len()
}

/// Whether a name is that of a part of the data, and nothing else.
fn is_part(name: &str) -> bool {
    let tokens = names::tokens(name);
    tokens.len() == 1 && names::split(&tokens) != names::Split::Unsaid
}

fn is_known(text: &str) -> bool {
    !matches!(names::column(text), Meaning::Unknown | Meaning::Noise | Meaning::Config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str, row: &str) -> Option<Vec<String>> {
        let header = Header::read(header.as_bytes())?;
        let cells = header.row(row.as_bytes(), 0)?;
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
        assert_eq!(
            read("Step   Train loss    Test metric", "0   [1.5e+00, 2.0e-01]    []"),
            Some(vec!["Step=0".into(), "Train loss=1.5e+00".into(), "Train loss=2.0e-01".into()])
        );
        assert_eq!(
            read("[------------] Epoch      Train log_loss", "[   40%      ]     1            0.5"),
            Some(vec!["Epoch=1".into(), "Train log_loss=0.5".into()])
        );
        let sparse = Header::read(b"Step    Rate    Loss    Test loss").expect("a header").at(4);
        let columns = |row: &[u8], column| sparse.row(row, column).map(|cells| cells[2].0);
        assert_eq!((columns(b"1    0.1             0.5", 7), columns(b"100    0.1    0.5", 5)), (Some(3), Some(2)));
        let sided = Header::read(b"|       | loss | accuracy |").expect("a header");
        let (name, cells) = sided.crossed_row(b"| Train | 0.5  | 0.9      |").expect("a row");
        assert_eq!((sided.crossed_name(cells[0].0, "Train"), name, cells.len()), ("Train loss".into(), 2..7, 2));
        assert!(sided.crossed_row(b"| model | 0.5  | 0.9      |").is_none(), "no part of the data");
        assert_eq!(
            read("iter      cost   |gradient|   |step|  tr_ratio", "   0  9.5e+03     1.5e+00  0.25   0.5"),
            Some(vec![
                "iter=0".into(),
                "cost=9.5e+03".into(),
                "|gradient|=1.5e+00".into(),
                "|step|=0.25".into(),
                "tr_ratio=0.5".into()
            ])
        );
        assert_eq!(
            read("Step    maxR |    avgR   avgR |  objC", "4.0e+03  -1.5 |-900.5  9.0 |  0.5"),
            Some(vec![
                "Step=4.0e+03".into(),
                "maxR=-1.5".into(),
                "avgR=-900.5".into(),
                "avgR (2)=9.0".into(),
                "objC=0.5".into()
            ])
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
        assert!(crossed.is_crossed() && crossed.row(b"loss | 0.5", 0).is_none());
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
