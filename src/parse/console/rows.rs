//! Rows of tables and blocks of `| key | value |` rows.

use std::ops::Range;

use super::printed::Row;
use super::{Console, Here, Said};
use crate::parse::names::{self, Meaning, Split};
use crate::parse::number;
use crate::parse::sink::{Shown, Sink};
use crate::parse::table::{self, Header};

/// Most lines of others within a block.
const STRAYS: usize = 8;

impl Console {
    pub(super) fn table(&mut self, here: Here<'_>, sink: &mut Sink) -> bool {
        if table::is_rule(here.text) {
            self.close_block(sink);
            (self.ruled, self.stray) = (true, 0);
            let groups = here.text.split(|byte| byte.is_ascii_whitespace()).filter(|part| !part.is_empty());
            self.two_columns = !self.two_columns && groups.count() == 2;
            return true;
        }
        if self.hold(here, sink) {
            return true;
        }
        if self.two_columns && self.strays(here.text) {
            return false;
        }
        self.release_lines(sink);
        if let Some(header) = self.header.clone().filter(Header::is_crossed)
            && let Some((name, cells)) = header.crossed_row(here.text)
        {
            self.crossed_row(&header, &name, &cells, here, sink);
            return true;
        }
        if let Some(header) = &self.header
            && let Some(cells) = header.row(here.text, here.column)
        {
            let header = header.clone();
            self.row(&header, &cells, here, sink);
            return true;
        }
        if self.block_row(here) {
            return true;
        }
        if self.strays(here.text) {
            return false;
        }
        self.close_block(sink);
        let stacked =
            self.header.as_ref().filter(|_| self.header_line + 1 == here.line).and_then(|h| h.over(here.text));
        if let Some(header) = stacked.or_else(|| Header::read(here.text)).map(|header| header.at(here.column)) {
            if self.header.as_ref().is_some_and(|known| known.names == header.names) {
                self.printed.restart();
            } else {
                self.printed.clear();
            }
            self.header = Some(header);
            self.header_line = here.line;
            // `validation` above the header, with a line of another process between them at most: the rows are taken on held-out data.
            let headed = self.context.heading + 2 >= here.line;
            self.header_split = if headed { self.context.split } else { Split::Unsaid };
            self.recipes.clear();
            return true;
        }
        false
    }

    /// `loss | 0.5 | 0.6` under `Training | Validation`.
    fn crossed_row(
        &mut self,
        header: &Header,
        name: &Range<usize>,
        cells: &[(usize, Range<usize>)],
        here: Here<'_>,
        sink: &mut Sink,
    ) {
        self.styles.rows += 1;
        let name = String::from_utf8_lossy(&here.text[name.clone()]).into_owned();
        if matches!(names::meaning(&name), Meaning::Noise | Meaning::Config) {
            sink.note_noise(&name);
            return;
        }
        let said = Said { rank: here.rank, ..Said::default() };
        let place = self.place(&said, true);
        for (column, range) in cells {
            let id = self.metric(&header.crossed_name(*column, &name), "", said.split, here.rank, place, sink);
            let text = &here.text[range.clone()];
            let Some(value) = number::whole(text) else { continue };
            self.give(id, place, value, text, range.end == here.text.len() && here.cut, here, sink);
        }
    }

    pub(super) fn row(&mut self, header: &Header, cells: &[(usize, Range<usize>)], here: Here<'_>, sink: &mut Sink) {
        self.styles.rows += 1;
        let mut said = Said { rank: here.rank, split: self.header_split, ..Said::default() };
        let (mut best, mut values, mut nth) = (0, Vec::new(), 0);
        let mut before = None;
        for (column, range) in cells {
            let cell = &here.text[range.clone()];
            let Some(found) = table::cell_number(cell) else { continue };
            // The numbers of a list share a column.
            nth = if before == Some(*column) { nth + 1 } else { 1 };
            before = Some(*column);
            let name = &header.names[*column];
            let listed = || if nth > 1 { format!("{name} [{nth}]") } else { name.clone() };
            let value = number::value(&cell[..found.end], found.spelling, self.decimal_comma);
            match header.meanings[*column] {
                Meaning::Epoch => said.epoch = Some(value),
                Meaning::Step(rank) if rank > best => {
                    best = rank;
                    said.step = Some(value as i64);
                }
                Meaning::Step(_) | Meaning::Config | Meaning::Rank => {}
                Meaning::Noise => sink.note_noise(name),
                _ if found.unit => sink.note_noise(name),
                _ => values.push((listed(), range.start..range.start + found.end, value)),
            }
        }
        if said.step.is_none() && said.epoch.is_none() {
            said.step = header.index_of(here.text);
        }
        // Where nothing counts, a row that says the same may be another one.
        let counted = said.step.is_some() || said.epoch.is_some();
        let texts = || cells.iter().map(|(_, cell)| &here.text[cell.clone()]);
        let printed = if counted { self.printed.row(here.rank, texts()) } else { Row::New };
        if printed == Row::Repeated {
            return;
        }
        let here = Here { redraw: here.redraw || printed == Row::Latest, ..here };
        let place = self.place(&said, !values.is_empty());
        for (name, range, value) in values {
            let id = self.metric(&name, "", said.split, here.rank, place, sink);
            self.give(
                id,
                place,
                value,
                &here.text[range.clone()],
                range.end == here.text.len() && here.cut,
                here,
                sink,
            );
        }
    }

    /// `|    loss   | 0.5 |`: a row of a block whose step stands in another row.
    pub(super) fn block_row(&mut self, here: Here<'_>) -> bool {
        let (cells, piped) = table::cells(here.text);
        if !piped || cells.len() != 2 && !(cells.len() == 1 && here.text.ends_with(b"|")) {
            return false;
        }
        let name = String::from_utf8_lossy(&here.text[cells[0].clone()]).into_owned();
        if name.is_empty() || name.contains([':', '=']) || number::whole(name.as_bytes()).is_some() {
            return false;
        }
        let cell = cells.get(1).map_or(&b""[..], |c| &here.text[c.clone()]);
        if cell.is_empty() {
            self.group = name.trim_end_matches('/').to_owned();
            return name.ends_with('/');
        }
        let Some(found) = table::cell_number(cell) else { return !self.block.is_empty() };
        if found.end != cell.len() {
            return !self.block.is_empty();
        }
        let name = if self.group.is_empty() { name } else { format!("{}/{name}", self.group) };
        self.block.push((name, String::from_utf8_lossy(cell).into_owned(), here.line));
        true
    }

    /// Whether a line that is no row stands within a block all the same: another process wrote it. What began below a rule goes on to
    /// the next one.
    fn strays(&mut self, text: &[u8]) -> bool {
        self.stray += 1;
        self.ruled &= self.stray <= STRAYS && memchr::memchr(b'|', text).is_none();
        let open = !self.block.is_empty() || !self.group.is_empty() || !self.lines.is_empty();
        self.ruled && open
    }

    pub(super) fn close_block(&mut self, sink: &mut Sink) {
        self.release_lines(sink);
        self.group.clear();
        if self.block.is_empty() {
            return;
        }
        self.ruled = false;
        let block = std::mem::take(&mut self.block);
        self.styles.rows += block.len() as u64;
        let (said, _) = position_of(&block, None);
        self.record_block(&said, &block, sink);
    }

    /// Records pairs that share the place which some of them tell.
    pub(super) fn record_block(&mut self, said: &Said, block: &[Pair], sink: &mut Sink) {
        let place = self.place(said, true);
        for (name, text, line) in block {
            match names::meaning(name) {
                Meaning::Noise => sink.note_noise(name),
                Meaning::Epoch | Meaning::Step(_) | Meaning::Config | Meaning::Rank => {}
                _ => {
                    let id = self.metric(name, "", Split::Unsaid, said.rank, place, sink);
                    let (value, text) = (value_of(text), text.as_bytes());
                    sink.record(id, place, Shown { value: value.into(), text, line: *line, redraw: false });
                }
            }
        }
    }
}

/// A name, its number as printed, and the line of both.
pub(super) type Pair = (String, String, u64);

/// The place that pairs tell, and whether one of them is a loss or another result.
pub(super) fn position_of(block: &[Pair], rank: Option<u32>) -> (Said, bool) {
    let (mut said, mut best, mut told) = (Said { rank, ..Said::default() }, 0, false);
    for (name, text, _) in block {
        match names::meaning(name) {
            Meaning::Epoch => said.epoch = Some(value_of(text)),
            Meaning::Step(rank) if rank > best => {
                best = rank;
                said.step = Some(value_of(text) as i64);
            }
            Meaning::Loss | Meaning::Result => told = true,
            _ => {}
        }
    }
    (said, told)
}

fn value_of(text: &str) -> f64 {
    number::whole(text.as_bytes()).unwrap_or(f64::NAN)
}
