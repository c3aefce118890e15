//! Log format `csv`: a header and rows, parted by comma, semicolon, tab or pipe.

use std::ops::Range;

use super::format::{LogFormat, Reader, Sample};
use super::frames::{End, Frame, Frames, Reads};
use super::names::{self, Meaning};
use super::number::{self, Spelling};
use super::options::Options;
use super::run::Slot;
use super::sink::{self, Place, Shown, Sink};
use super::stencil::Stencils;
use crate::model::Candidate;

/// Comma, semicolon or tab separated values with a header.
pub(crate) struct Csv;

impl LogFormat for Csv {
    fn id(&self) -> &'static str {
        "csv"
    }

    fn describe(&self) -> &'static str {
        "comma, semicolon or tab separated values with a header (Lightning, Keras, ultralytics, pandas)"
    }

    fn score(&self, sample: &Sample<'_>) -> Candidate {
        let (score, why) = fit(sample);
        Candidate { format: self.id().into(), score, why }
    }

    fn reader(&self, _options: &Options) -> Box<dyn Reader> {
        Box::new(CsvReader::default())
    }

    fn reader_of(&self, options: &Options, sample: &Sample<'_>) -> Box<dyn Reader> {
        let Some((delimiter, columns)) = without_header(sample) else { return self.reader(options) };
        let mut table = Rows { delimiter, ..Rows::default() };
        table.number_columns(columns);
        Box::new(CsvReader { table, ..CsvReader::default() })
    }
}

/// The delimiter and the number of columns of a table of bare numbers, where the first column counts and another one has fractions.
fn without_header(sample: &Sample<'_>) -> Option<(u8, usize)> {
    const ROWS: usize = 5;
    let text = without_mark(sample.head);
    let mut lines: Vec<&[u8]> = text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty()).collect();
    if !sample.whole {
        // The last line may be cut.
        lines.pop();
    }
    lines.truncate(64);
    let first = lines.first().filter(|_| lines.len() >= ROWS)?;
    let delimiter = [b'\t', b';', b',', b' '].into_iter().find(|&d| split(first, d).len() > 1)?;
    let rows: Vec<Vec<String>> = lines.iter().map(|line| split(line, delimiter)).collect();
    let columns = rows[0].len();
    let numbers =
        |row: &Vec<String>| row.len() == columns && row[1..].iter().all(|cell| cell_value(cell, false).is_some());
    let counts: Vec<i64> = rows.iter().map_while(|row| number::count(row[0].as_bytes())).collect();
    let even =
        counts.windows(3).all(|three| three[2] - three[1] == three[1] - three[0]) && counts.first() < counts.get(1);
    let fraction = rows[0][1..].iter().any(|cell| cell.contains(['.', ',', 'e']));
    (counts.len() == rows.len() && even && fraction && rows.iter().all(numbers)).then_some((delimiter, columns))
}

fn fit(sample: &Sample<'_>) -> (f64, String) {
    let text = without_mark(sample.head);
    // The last line may be cut.
    let whole = if sample.whole { text.len() } else { memchr::memrchr(b'\n', text).unwrap_or(text.len()) };
    let mut lines = text[..whole]
        .split(|&b| b == b'\n')
        .map(|l| l.trim_ascii_end())
        .filter(|l| !l.is_empty() && !l.starts_with(b"#"));
    let Some(first) = lines.next() else { return (0.0, "empty".into()) };
    if let Some((_, columns)) = without_header(sample) {
        return (0.6, format!("{columns} columns of numbers without a header, the first of which counts"));
    }
    let Some(delimiter) = delimiter(first) else { return (0.0, "the first line has no delimiter".into()) };
    let names = split(first, delimiter);
    if let Some(odd) = names.iter().find(|n| !is_column(n)) {
        return (0.0, format!("`{}` is no column name", odd.chars().take(40).collect::<String>()));
    }
    let known = names.iter().filter(|n| names::meaning(n) != Meaning::Unknown).count();
    let rows: Vec<Vec<String>> = lines.take(8).map(|l| split(l, delimiter)).collect();
    let fitting = rows
        .iter()
        .filter(|r| r.len() == names.len() && r.iter().any(|c| number::whole(c.as_bytes()).is_some()))
        // Python prints a tuple in brackets.
        .filter(|r| !r[0].starts_with(['(', '[']))
        .count();
    if rows.is_empty() {
        let score = if known > 0 && names.len() > 1 { 0.3 } else { 0.2 };
        return (score, "a header without rows".into());
    }
    if fitting * 4 < rows.len() * 3 {
        return (0.1, format!("only {fitting} of the first {} rows have {} cells", rows.len(), names.len()));
    }
    (0.9, format!("a header of {} columns parted by {:?}", names.len(), char::from(delimiter)))
}

fn is_column(name: &str) -> bool {
    name.is_empty()
        || name.len() <= 80
            && number::whole(name.as_bytes()).is_none()
            && !name.contains([':', '=', '{', '['])
            && !name.starts_with('(')
            // Two columns of a table whose pipes part groups of them.
            && !name.contains("  ")
}

fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// The delimiter that parts a header line, where it is one.
fn delimiter(line: &[u8]) -> Option<u8> {
    [b'\t', b';', b',', b'|'].into_iter().find(|&d| {
        let cells = split(line, d);
        cells.len() >= 2 && cells.iter().filter(|c| c.is_empty()).count() <= 1 && !line.starts_with(b"|")
    })
}

/// Cells of a line, blanks and quotes taken off.
fn split(line: &[u8], delimiter: u8) -> Vec<String> {
    let mut cells = Vec::new();
    let mut cell = Vec::new();
    let mut quoted = false;
    for &byte in line {
        match byte {
            b'"' => quoted = !quoted,
            _ if byte == delimiter && !quoted => cells.push(finish_cell(&mut cell)),
            _ => cell.push(byte),
        }
    }
    cells.push(finish_cell(&mut cell));
    cells
}

fn finish_cell(cell: &mut Vec<u8>) -> String {
    let text = String::from_utf8_lossy(cell.trim_ascii()).into_owned();
    cell.clear();
    text
}

#[derive(Clone, Debug)]
struct Column {
    meaning: Meaning,
    id: Option<usize>,
    name: String,
}

/// Reads rows under a header.
#[derive(Clone, Debug, Default)]
struct CsvReader {
    frames: Frames,
    table: Rows,
}

#[derive(Clone, Debug, Default)]
struct Rows {
    delimiter: u8,
    columns: Vec<Column>,
    step: Option<usize>,
    epoch: Option<usize>,
    rank: Option<usize>,
    rows: u64,
    odd: u64,
    comma: bool,
    /// A decimal point was seen, so that a semicolon between cells does not prove decimal commas.
    point: bool,
    cells: Vec<Range<usize>>,
    layouts: Stencils<Layout>,
}

/// What is known of all rows of one layout: where the position and the values of each column stand.
#[derive(Clone, Debug)]
struct Layout {
    epoch: Option<Range<usize>>,
    step: Option<Range<usize>>,
    values: Vec<Slot>,
    numbers: Vec<Range<usize>>,
}

impl Reader for CsvReader {
    fn fork(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn push(&mut self, bytes: &[u8], sink: &mut Sink) {
        self.frames.read(bytes, &mut self.table, sink);
    }

    fn finish(&mut self, sink: &mut Sink) {
        let table = &mut self.table;
        self.frames.finish(&mut |frame| table.frame(frame, sink));
        sink.warn_of_unread();
        if table.odd > 0 {
            sink.warn(format!("{} rows had another number of cells than the header", table.odd));
        }
    }

    fn line(&self) -> Option<u64> {
        Some(self.frames.line())
    }

    fn detail(&self) -> String {
        format!("{} rows of {} columns", self.table.rows, self.table.columns.len())
    }
}

impl Reads for Rows {
    fn skim(&mut self, bytes: &[u8], frames: &mut Frames, sink: &mut Sink) -> usize {
        let mut at = 0;
        while let Some((line, _)) = frames.beginning().filter(|_| !self.layouts.is_empty()) {
            let rest = &bytes[at..];
            let Some((length, layout)) = self.layouts.of_line(rest) else { break };
            let layout = self.layouts.what(layout);
            let number =
                |range: &Option<Range<usize>>| range.as_ref().and_then(|range| number::whole(&rest[range.clone()]));
            let place = Place { epoch: number(&layout.epoch), step: number(&layout.step).map(|s| s as i64), lap: 0 };
            sink.record_row(place, rest, &layout.values, line);
            self.rows += 1;
            frames.passed(End::Line);
            at += length;
        }
        at
    }

    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) {
        let text = if frame.line == 1 { without_mark(frame.text) } else { frame.text };
        if text.trim_ascii().is_empty() || text.starts_with(b"#") && self.columns.is_empty() {
            return;
        }
        if self.columns.is_empty() {
            self.header(text);
            return;
        }
        let mut cells = std::mem::take(&mut self.cells);
        cut_cells(text, self.delimiter, &mut cells);
        let same = |cell: &Range<usize>, name: &str| text[cell.clone()] == *name.as_bytes();
        let repeated = cells.iter().zip(&self.columns).all(|(cell, column)| same(cell, &column.name));
        if !repeated {
            self.row(text, &cells, frame, sink);
        }
        self.cells = cells;
    }

    fn learn(&mut self, raw: &[u8], length: usize, end: End, _redrawn: bool) {
        if end == End::Line
            && self.layouts.has_room()
            && let Some(layout) = self.layout(&raw[..length])
        {
            let numbers = layout.numbers.clone();
            self.layouts.learn(raw, |at| numbers.iter().any(|range| range.contains(&at)), layout);
        }
    }
}

impl Rows {
    /// The layout of the row just read, where every cell is a plain number or empty.
    fn layout(&self, text: &[u8]) -> Option<Layout> {
        if self.comma || self.rank.is_some() || self.cells.len() != self.columns.len() {
            return None;
        }
        let at =
            |index: Option<usize>| index.and_then(|index| self.cells.get(index)).filter(|c| !c.is_empty()).cloned();
        let mut layout = Layout { epoch: at(self.epoch), step: at(self.step), values: Vec::new(), numbers: Vec::new() };
        for (index, (cell, column)) in self.cells.iter().zip(&self.columns).enumerate() {
            if cell.is_empty() {
                continue;
            }
            let plain = number::lex(text.get(..cell.end)?, cell.start).filter(|number| number.end == cell.end);
            let Some(number) = plain else {
                // Words stay as they are; a number in another spelling is read with care each time.
                let word = text[cell.clone()].iter().all(|byte| !byte.is_ascii_digit());
                let unread = matches!(column.meaning, Meaning::Loss | Meaning::Result)
                    && !number::is_nothing(&text[cell.clone()]);
                if word && column.id.is_none() && !unread { continue } else { return None }
            };
            if !matches!(number.spelling, Spelling::Integer | Spelling::Decimal | Spelling::Special) {
                return None;
            }
            layout.numbers.push(cell.clone());
            let position = matches!(column.meaning, Meaning::Epoch | Meaning::Step(_)) || Some(index) == self.step;
            if let Some(id) = column.id.filter(|_| !position && column.meaning != Meaning::Noise) {
                layout.values.push(Slot {
                    id,
                    at: cell.clone(),
                    spelling: number.spelling,
                    decimals: sink::decimals(&text[cell.clone()]),
                });
            }
        }
        Some(layout)
    }

    /// Names the columns of a table without a header, whose first column counts.
    fn number_columns(&mut self, count: usize) {
        let column = |number| Column { meaning: Meaning::Unknown, id: None, name: format!("column {number}") };
        self.columns = (1..=count).map(column).collect();
        self.step = Some(0);
    }

    fn header(&mut self, text: &[u8]) {
        self.delimiter = delimiter(text).unwrap_or(b',');
        let mut best = 0;
        for (index, name) in names::of_columns(split(text, self.delimiter)).into_iter().enumerate() {
            let meaning = names::column(&name);
            match meaning {
                Meaning::Step(rank) if rank > best => {
                    best = rank;
                    self.step = Some(index);
                }
                Meaning::Epoch => self.epoch = self.epoch.or(Some(index)),
                Meaning::Rank => self.rank = Some(index),
                _ => {}
            }
            self.columns.push(Column { meaning, id: None, name });
        }
        // pandas writes its index as a column without a name.
        if self.step.is_none() && self.epoch.is_none() && self.columns.first().is_some_and(|c| c.name.is_empty()) {
            self.step = Some(0);
        }
    }

    fn row(&mut self, line: &[u8], cells: &[Range<usize>], frame: Frame<'_>, sink: &mut Sink) {
        let cut = frame.end == End::Cut;
        if cells.len() != self.columns.len() && !(cut && cells.len() < self.columns.len()) {
            self.odd += 1;
            return;
        }
        self.rows += 1;
        let number =
            |index: Option<usize>| index.and_then(|i| cells.get(i)).and_then(|c| number::whole(&line[c.clone()]));
        let place = Place { epoch: number(self.epoch), step: number(self.step).map(|s| s as i64), lap: 0 };
        let rank = number(self.rank).map_or(0, |r| r as u32);
        for (index, range) in cells.iter().enumerate() {
            let column = &mut self.columns[index];
            match column.meaning {
                Meaning::Noise => {
                    if self.rows == 1 {
                        sink.note_noise(&column.name);
                    }
                    continue;
                }
                Meaning::Epoch | Meaning::Step(_) | Meaning::Rank => continue,
                _ if range.is_empty() || Some(index) == self.step => continue,
                _ => {}
            }
            let Ok(cell) = std::str::from_utf8(&line[range.clone()]) else { continue };
            let inner = number::wrapped(cell.as_bytes());
            let text = inner.map_or(cell, |inner| &cell[inner]);
            let commas = self.comma || self.delimiter == b';' && !self.point;
            let Some((value, comma)) = cell_value(text, commas) else {
                if matches!(column.meaning, Meaning::Loss | Meaning::Result) {
                    sink.note_unread(&column.name, text.as_bytes());
                }
                continue;
            };
            self.comma |= comma;
            self.point |= text.contains('.') && !comma;
            let id = match column.id.filter(|_| rank == 0) {
                Some(id) => id,
                None if rank > 0 => sink.plain(&format!("{} [rank {rank}]", column.name)),
                None => *column.id.insert(sink.plain(&column.name)),
            };
            if cut && index + 1 == cells.len() && !sink.looks_whole(id, text) {
                sink.warn(format!("line {}: cut inside a number; its last value was left out", frame.line));
                continue;
            }
            sink.record(
                id,
                place,
                Shown { value: value.into(), text: text.as_bytes(), line: frame.line, redraw: false },
            );
        }
    }
}

/// Where the cells of a line stand, blanks and the quotes around them left out.
fn cut_cells(text: &[u8], delimiter: u8, cells: &mut Vec<Range<usize>>) {
    cells.clear();
    let mut start = 0;
    let mut quoted = false;
    for at in memchr::memchr2_iter(delimiter, b'"', text) {
        if text[at] == b'"' {
            quoted = !quoted;
        } else if !quoted {
            cells.push(bare(text, start..at));
            start = at + 1;
        }
    }
    cells.push(bare(text, start..text.len()));
}

fn bare(text: &[u8], range: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (range.start, range.end);
    let drop = |b: u8| b.is_ascii_whitespace() || b == b'"';
    while start < end && drop(text[start]) {
        start += 1;
    }
    while start < end && drop(text[end - 1]) {
        end -= 1;
    }
    start..end
}

/// The number of a cell, and whether it proves that commas are decimal commas.
fn cell_value(cell: &str, comma: bool) -> Option<(f64, bool)> {
    let text = cell.strip_suffix('%').unwrap_or(cell).trim();
    let found = number::lex(text.as_bytes(), 0)?;
    if found.end != text.len() {
        // `1.234,56`
        let swapped: String = text.chars().filter(|c| *c != '.').map(|c| if c == ',' { '.' } else { c }).collect();
        return number::whole(swapped.as_bytes()).map(|v| (v, true));
    }
    let decimal = found.spelling == Spelling::DecimalComma;
    Some((number::value(text.as_bytes(), found.spelling, comma || decimal), decimal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_table_by_its_header() {
        let score = |text: &str| Csv.score(&Sample { path: None, head: text.as_bytes(), whole: true }).score;
        assert!(score("epoch,step,loss\n0,1,0.5\n") > 0.8);
        assert!(score("\u{feff}iteration;time_s;loss\r\n0;0,1;0,5\r\n") > 0.8);
        let bare: String = (1..8).map(|step| format!("{step},0.{step}25,3\n")).collect();
        assert!(score(&bare) > 0.5 && score(&bare.replace(',', "\t")) > 0.5);
        assert!(score(&bare.replace("4,", "5,")) < 0.2, "the first column does not count");
        assert!(score(&bare.replace("0.", "")) < 0.2, "no column has fractions");
        assert!(score("iter 1, loss 2\niter 2, loss 3\n") < 0.2);
        assert!(score("Hello, world\nthis is prose\n") < 0.2);
        assert!(score("| a | b |\n| 1 | 2 |\n") < 0.2);
    }

    #[test]
    fn a_semicolon_between_cells_proves_decimal_commas() {
        let loss = |rows: &str| {
            let reading = crate::parse::read_bytes(format!("step;acc;loss\n{rows}").as_bytes(), &Options::default());
            reading.primary().map(|series| series.points.iter().map(|point| point.value).collect::<Vec<_>>())
        };
        assert_eq!(loss("1;0,1;2,300\n2;0,1;2,250\n"), Some(vec![2.3, 2.25]));
        assert_eq!(loss("1;1;2,300\n2;1;2,250\n"), Some(vec![2.3, 2.25]));
        assert_eq!(loss("1;0.5;2,300\n2;0.5;2,250\n"), Some(vec![2300.0, 2250.0]));
    }

    #[test]
    fn cells_that_wrap_a_number_are_read_and_others_counted() {
        let read =
            |rows: &str| crate::parse::read_bytes(format!("step,acc,loss\n{rows}").as_bytes(), &Options::default());
        let reading = read("1,0.5,tensor(1.5000)\n2,0.5,tensor(1.4000)\n3,0.5,None\n4,0.5,oops\n");
        let texts: Vec<_> =
            reading.primary().expect("a loss").points.iter().map(|point| point.text.to_string()).collect();
        assert_eq!(texts, ["1.5000", "1.4000"]);
        assert_eq!(reading.warnings, ["1 values under names of results, `loss` first, are no numbers"]);
        assert_eq!((reading.left_out, read("1,0.5,x\n2,0.4,y\n").left_out.is_some()), (None, true));
    }

    #[test]
    fn columns_of_bare_numbers_are_told_by_their_place() {
        let rows: String = (0..6).map(|row| format!("{},{}.5,{}\n", row * 10, row, row * 2)).collect();
        let reading = crate::parse::read_bytes(rows.as_bytes(), &Options::default());
        let shown = |series: &crate::model::Series| {
            let points: Vec<_> = series.points.iter().map(|point| (point.position.step, point.value)).collect();
            (series.metric.clone(), points[0], points[5])
        };
        let expected = [
            ("column 2".to_owned(), (Some(0), 0.5), (Some(50), 5.5)),
            ("column 3".to_owned(), (Some(0), 0.0), (Some(50), 10.0)),
        ];
        assert_eq!(reading.series.iter().map(shown).collect::<Vec<_>>(), expected);
    }
}
