//! Text for a terminal: colours, widths, wrapped paragraphs and plain grids.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, TableStyle};
use unicode_width::UnicodeWidthStr;

use super::{Style, untrusted};

/// Columns to fill where the text does not go to a terminal.
const USUAL_WIDTH: usize = 100;

/// What a stretch of text is; only this module knows the colour of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// A heading.
    Bold,
    /// Of less weight.
    Dim,
    /// Agreed, or the second run's.
    Good,
    /// Diverged, or the first run's.
    Bad,
    /// Unresolved, or worth a look.
    Doubtful,
}

/// Where a terminal report goes: knows colours and the width, and lets no line pass that a CI system would obey.
pub struct Page<'a> {
    style: Style,
    out: &'a mut dyn Write,
}

impl<'a> Page<'a> {
    /// A page on `out`.
    pub fn new(style: Style, out: &'a mut dyn Write) -> Self {
        Self { style, out }
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.style.width.map_or(USUAL_WIDTH, usize::from).max(40)
    }

    /// `text` in the colour of `ink`, where colours are wanted.
    pub fn ink(&self, ink: Ink, text: &str) -> String {
        if !self.style.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Good => "32",
            Ink::Bad => "1;31",
            Ink::Doubtful => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// One line as it stands; its text is already safe.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", untrusted::no_command(text.trim_end()))
    }

    /// An empty line.
    pub fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// A heading with an empty line before it.
    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        self.gap()?;
        self.inked_paragraph("", text, Some(Ink::Bold))
    }

    /// A paragraph, wrapped; `first` begins its first line, the others are indented to the same column.
    pub fn paragraph(&mut self, first: &str, text: &str) -> io::Result<()> {
        self.inked_paragraph(first, text, None)
    }

    /// The same in one colour.
    pub fn inked_paragraph(&mut self, first: &str, text: &str, ink: Option<Ink>) -> io::Result<()> {
        let indent = first.width();
        let room = self.width().saturating_sub(indent);
        let mut lead = first.to_owned();
        for line in wrap(&untrusted::plain(text), room) {
            let line = match ink {
                Some(ink) => self.ink(ink, &line),
                None => line,
            };
            self.line(&format!("{lead}{line}"))?;
            lead = " ".repeat(indent);
        }
        Ok(())
    }

    /// Code or a command of several lines, each behind a bar so that it can be told from prose; never wrapped.
    pub fn code(&mut self, indent: &str, text: &str) -> io::Result<()> {
        let bar = self.ink(Ink::Dim, "│");
        for line in untrusted::plain_lines(text).trim_end().lines() {
            self.line(&format!("{indent}{bar} {line}"))?;
        }
        Ok(())
    }

    /// A grid with a head; cells are made safe here. Columns named in `right` are aligned to the right.
    /// Gives back the lines of it: the head, the rule, then each row's lines.
    pub fn grid(&self, head: &[String], rows: &[Vec<String>], right: &[usize], width: Option<usize>) -> Grid {
        let safe = |cells: &[String]| cells.iter().map(|cell| untrusted::plain(cell).into_owned()).collect::<Vec<_>>();
        let mut table = comfy_table::Table::new();
        let rule = LineStyle::none().fill('─').junction('─');
        table.load_style(TableStyle::new().header_separator(rule));
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        table.set_header(safe(head));
        for row in rows {
            table.add_row(safe(row));
        }
        for &column in right {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Grid { lines: table.lines().map(|line| line.trim_end().to_owned()).collect() }
    }
}

/// A drawn grid.
pub struct Grid {
    /// Its lines: the head, the rule, then the rows.
    pub lines: Vec<String>,
}

/// Breaks `text` at blanks so that no line is wider than `width`; a longer word stays whole.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let fits = line.width() + 1 + word.width() <= width;
        if line.is_empty() {
            line.push_str(word);
        } else if fits || word.starts_with("::") {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
        }
    }
    lines.push(line);
    lines
}

/// The last part of `text` that fits `width` columns: what tells paths apart.
pub fn cut_front(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept: Vec<char> = Vec::new();
    let mut used = 1;
    for c in text.chars().rev() {
        used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(c);
    }
    std::iter::once('…').chain(kept.into_iter().rev()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_break_at_blanks_and_no_line_begins_a_command() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one ::error::x", 5), ["one ::error::x"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn cuts_count_columns_and_not_bytes() {
        assert_eq!(cut_front("損失損失", 5), "…損失");
        assert_eq!(cut_front("logs/first.log", 9), "…irst.log");
    }
}
