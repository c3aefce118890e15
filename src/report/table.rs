//! `--format table`: the report for a person at a terminal.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::checkpoint;
use super::listing::Section;
use super::raw::{DiffLine, Mark, RawDiff, Tag};
use super::rows::labels;
use super::text::{Ink, Page};
use super::troubled::Troubled;
use super::{Listing, ReportFormat, Row, Rows, Spread, Style, untrusted, words};
use crate::model::{Audit, Cause, Verdict};

/// Rows shown ahead of the first divergent one, and behind it.
const AROUND: (usize, usize) = (3, 4);
/// The widest heading of a run's column.
const LABEL: usize = 24;

/// The report for a person at a terminal.
pub struct Table;

impl ReportFormat for Table {
    fn id(&self) -> &'static str {
        "table"
    }

    fn describe(&self) -> &'static str {
        "for a person at a terminal (the default)"
    }

    fn write(&self, audit: &Audit, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page::new(style, out);
        headline(audit, &mut page)?;
        picture(audit, &mut page)?;
        checkpoints(audit, &mut page)?;
        side_by_side(audit, &mut page)?;
        raw_lines(audit, &mut page)?;
        troubled_runs(audit, &mut page)?;
        treatments(audit, &mut page)?;
        effects(audit, &mut page)?;
        blame(audit, &mut page)?;
        proof(audit, &mut page)?;
        list("Not checked", &audit.not_checked, &mut page)?;
        list("Worth knowing", &audit.warnings, &mut page)?;
        list("What to try next", &audit.next, &mut page)?;
        if let Some(record) = &audit.record {
            page.gap()?;
            page.inked_paragraph("", &format!("Everything is kept in {}", record.display()), Some(Ink::Dim))?;
        }
        Ok(())
    }

    fn write_listing(&self, listing: &Listing, style: Style, out: &mut dyn Write) -> Option<io::Result<()>> {
        Some(write_listing(listing, style, out))
    }
}

fn headline(audit: &Audit, page: &mut Page) -> io::Result<()> {
    let (sign, ink) = match audit.verdict {
        Verdict::Agreed => ("✓", Ink::Good),
        Verdict::Diverged => ("✗", Ink::Bad),
        Verdict::Unresolved => ("?", Ink::Doubtful),
    };
    page.inked_paragraph("", &format!("{sign} {}", words::headline(audit)), Some(ink))?;
    if let Some((divergence, treatment)) = words::shown_divergence(audit) {
        page.gap()?;
        let names = Names::of(audit, page.width());
        page.paragraph("", &words::sentence_with(divergence, treatment, &|run| names.short(run)))?;
    }
    for divergence in &audit.also_diverged {
        let place = divergence.position.told(divergence.index);
        page.paragraph("", &format!("{} parts too, first at {place}.", divergence.metric))?;
    }
    Ok(())
}

/// The runs of an audit of resuming, on one time line.
fn picture(audit: &Audit, page: &mut Page) -> io::Result<()> {
    if audit.picture.is_empty() {
        return Ok(());
    }
    page.heading("Straight, interrupted, resumed")?;
    for line in &audit.picture {
        let line = untrusted::plain(line);
        let ink = if line.contains('✗') || line.contains("forgotten:") { Some(Ink::Bad) } else { None };
        let line = ink.map_or_else(|| line.to_string(), |ink| page.ink(ink, &line));
        page.line(&format!("  {line}"))?;
    }
    Ok(())
}

/// The values of the runs side by side.
fn side_by_side(audit: &Audit, page: &mut Page) -> io::Result<()> {
    let rows = Rows::shown(audit).around(AROUND.0, AROUND.1);
    let names = Names::of(audit, page.width());
    if rows.rows.is_empty() {
        return full_names(&names, page);
    }
    let labels = &names.labels;
    let shown = columns_that_fit(audit, &rows, labels, page.width());
    let part = rows.only(&shown);
    let title = match words::shown_divergence(audit).and_then(|(_, treatment)| treatment) {
        Some(of) => format!("{} with {}", rows.metric, of.treatment.id),
        None => rows.metric.to_owned(),
    };
    page.heading(&title)?;
    let shown_labels: Vec<&str> = shown.iter().map(|&column| labels[column].as_str()).collect();
    let (head, right) = head(&rows, &shown_labels);
    let cells: Vec<Vec<String>> = part.rows.iter().zip(&rows.rows).map(|(part, row)| cells(&rows, part, row)).collect();
    // Where rows were left out a line of dots stands between, which the grid must know to find its widths.
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut inks = Vec::new();
    for (row, cells) in rows.rows.iter().zip(cells) {
        if row.gap {
            lines.push((0..head.len()).map(|column| if column == 0 { "" } else { "⋮" }.to_owned()).collect());
            inks.push(Some(Ink::Dim));
        }
        inks.push(match row.spread() {
            _ if row.marked => Some(Ink::Bad),
            Spread::Same => None,
            _ => Some(Ink::Doubtful),
        });
        lines.push(cells);
    }
    let grid = page.grid(&head, &lines, &right, None);
    for (index, line) in grid.lines.iter().enumerate() {
        let ink = match index {
            0 | 1 => Some(Ink::Dim),
            row => inks.get(row - 2).copied().flatten(),
        };
        let line = ink.map_or(line.clone(), |ink| page.ink(ink, line));
        page.line(&line)?;
    }
    let hidden: Vec<&str> = (0..rows.runs.len()).filter(|c| !shown.contains(c)).map(|c| rows.runs[c]).collect();
    if !hidden.is_empty() {
        let text =
            format!("{} not shown for want of room: {}.", words::count(hidden.len(), "more run"), hidden.join(", "));
        page.inked_paragraph("  ", &text, Some(Ink::Dim))?;
    }
    full_names(&names, page)
}

/// What the short names stand for.
fn full_names(names: &Names, page: &mut Page) -> io::Result<()> {
    for (label, run) in names.labels.iter().zip(&names.runs) {
        if label != run {
            page.inked_paragraph("  ", &format!("{label} is {run}"), Some(Ink::Dim))?;
        }
    }
    Ok(())
}

/// Short names of the runs that are shown side by side; the full ones stand below the values.
struct Names<'a> {
    runs: Vec<&'a str>,
    labels: Vec<String>,
}

impl<'a> Names<'a> {
    fn of(audit: &'a Audit, width: usize) -> Self {
        let runs: Vec<&str> = audit.comparisons.iter().map(|comparison| comparison.run.as_str()).collect();
        // Two columns at least have to fit beside what is not a run.
        let labels = labels(&runs, (width.saturating_sub(40) / 2).min(LABEL));
        Self { runs, labels }
    }

    fn short(&self, run: &str) -> String {
        let at = self.runs.iter().position(|other| *other == run);
        at.map_or_else(|| run.to_owned(), |at| self.labels[at].clone())
    }
}

/// The columns to show: the first one, the two that lie farthest apart, then the others in order while there is room.
fn columns_that_fit(audit: &Audit, rows: &Rows, labels: &[String], width: usize) -> Vec<usize> {
    let text_width = |cell: &Option<&crate::model::Point>| cell.map_or(1, |point| point.text.as_str().width());
    let widest = |column: usize| rows.rows.iter().map(|row| text_width(&row.cells[column])).max().unwrap_or(0);
    // Every column comes with three blanks.
    let wide = |column: usize| widest(column).max(labels[column].width()) + 3;
    let place = |(index, head): (usize, &str)| {
        let cells = rows.rows.iter().map(|row| rows.place_cells(row)[index].width());
        cells.max().unwrap_or(0).max(head.width()) + 3
    };
    let places: usize = rows.place_head().into_iter().enumerate().map(place).sum();
    let mut used = "►".width() + 3 + places + "difference".width() + 3;
    let mut order = vec![0];
    if let Some((divergence, _)) = words::shown_divergence(audit) {
        let (a, b) = words::apart(divergence);
        let column = |index: usize| {
            let run = divergence.values.get(index).map(|value| value.run.as_str())?;
            rows.runs.iter().position(|other| *other == run)
        };
        order.extend([column(a), column(b)].into_iter().flatten());
    }
    order.extend(1..rows.runs.len());
    let mut shown: Vec<usize> = Vec::new();
    for column in order {
        if shown.contains(&column) {
            continue;
        }
        used += wide(column);
        if used > width && shown.len() >= 2 {
            break;
        }
        shown.push(column);
    }
    shown.sort_unstable();
    shown
}

fn head(rows: &Rows, labels: &[&str]) -> (Vec<String>, Vec<usize>) {
    let mut head = vec![String::new()];
    head.extend(rows.place_head().into_iter().map(str::to_owned));
    head.extend(labels.iter().map(|label| (*label).to_owned()));
    head.push("difference".to_owned());
    let right = (1..head.len()).collect();
    (head, right)
}

fn cells(rows: &Rows, part: &Row, row: &Row) -> Vec<String> {
    let mut cells = vec![if row.marked { "►" } else { "" }.to_owned()];
    cells.extend(rows.place_cells(row));
    cells.extend(Rows::texts(part, "-"));
    cells.push(words::spread(row.spread()));
    cells
}

/// The lines of the logs at the divergence, compared.
fn raw_lines(audit: &Audit, page: &mut Page) -> io::Result<()> {
    let Some(diff) = RawDiff::shown(audit, 1, 0) else { return Ok(()) };
    page.heading("The lines of the logs there")?;
    let names = Names::of(audit, page.width());
    let (first, second) = (names.short(diff.first), names.short(diff.second));
    let (first, second) = (untrusted::plain(&first), untrusted::plain(&second));
    let fits = first.width() + second.width() + 9 <= page.width();
    let (first, second) = (page.ink(Ink::Bad, &format!("- {first}")), page.ink(Ink::Good, &format!("+ {second}")));
    if fits {
        page.line(&format!("  {first}   {second}"))?;
    } else {
        page.line(&format!("  {first}"))?;
        page.line(&format!("  {second}"))?;
    }
    let digits = diff.lines.iter().map(|line| line.number.to_string().len()).max().unwrap_or(1);
    let room = page.width().saturating_sub(digits + 6);
    let from = diff.lines.iter().map(|line| first_column(line, room)).min().unwrap_or(0);
    let (mut values, mut others) = (false, false);
    for line in &diff.lines {
        let sign = match line.tag {
            Tag::Both => " ",
            Tag::First => "-",
            Tag::Second => "+",
        };
        let ink = match line.tag {
            Tag::Both => Ink::Dim,
            Tag::First => Ink::Bad,
            Tag::Second => Ink::Good,
        };
        let (text, marks) = window(line, from, room);
        let number = page.ink(Ink::Dim, &format!("{:>digits$}", line.number));
        let text = page.ink(ink, &format!("{sign} {text}"));
        page.line(&format!("  {number} {text}"))?;
        if !marks.trim().is_empty() {
            values |= marks.contains('^');
            others |= marks.contains('~');
            let marks = page.ink(Ink::Doubtful, &marks);
            page.line(&format!("{}{marks}", " ".repeat(digits + 5)))?;
        }
    }
    let legend = match (values, others) {
        (true, true) => "^ the value that parts, ~ other differences on these lines",
        (false, true) => "~ differences on these lines",
        _ => return Ok(()),
    };
    page.inked_paragraph("  ", legend, Some(Ink::Dim))
}

/// The column from which a line has to be shown so that its first important difference is in sight.
fn first_column(line: &DiffLine, room: usize) -> usize {
    let whole: usize = line.pieces.iter().map(|piece| piece.text.chars().count()).sum();
    if whole <= room {
        return 0;
    }
    let start_of = |mark: Mark| {
        let at = line.pieces.iter().position(|piece| piece.mark == mark && line.tag != Tag::Both)?;
        Some(line.pieces[..at].iter().map(|piece| piece.text.chars().count()).sum::<usize>())
    };
    match start_of(Mark::Value) {
        Some(start) if start + 12 > room => start.saturating_sub(room / 3),
        _ => 0,
    }
}

/// The part of a line that fits, and the marks to stand below it.
fn window(line: &DiffLine, from: usize, room: usize) -> (String, String) {
    let letters = line.pieces.iter().flat_map(|piece| piece.text.chars().map(|c| (c, piece.mark)));
    let (mut text, mut marks) = (String::new(), String::new());
    if from > 0 {
        text.push('…');
        marks.push(' ');
    }
    let mut used = text.width();
    for (c, mark) in letters.skip(from) {
        let wide = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + wide + 1 > room {
            text.push('…');
            break;
        }
        used += wide;
        text.push(c);
        // A line of one run alone needs no marks: all of it is the difference.
        let sign = match mark {
            _ if line.pieces.len() == 1 => ' ',
            Mark::Same => ' ',
            Mark::Other => '~',
            Mark::Value => '^',
        };
        marks.extend(std::iter::repeat_n(sign, wide));
    }
    (text, marks.trim_end().to_owned())
}

/// Runs that did not end well, with the last they said.
fn troubled_runs(audit: &Audit, page: &mut Page) -> io::Result<()> {
    let groups = Troubled::of(&audit.runs);
    if groups.is_empty() {
        return Ok(());
    }
    page.heading("Runs that did not end well")?;
    for group in groups {
        page.paragraph("  ", &group.headline())?;
        page.code("    ", &group.last_words().join("\n"))?;
    }
    Ok(())
}

fn treatments(audit: &Audit, page: &mut Page) -> io::Result<()> {
    let plain = audit.treatments.len() < 2 && audit.treatments.iter().all(|treatment| treatment.notes.is_empty());
    if plain {
        return Ok(());
    }
    page.heading("Treatments")?;
    let rows: Vec<Vec<String>> = audit
        .treatments
        .iter()
        .map(|result| {
            let mut said = vec![words::outcome(result)];
            said.extend(result.notes.iter().cloned());
            vec![result.treatment.id.clone(), result.runs.len().to_string(), said.join("; ")]
        })
        .collect();
    let head = ["treatment", "runs", "what they showed"].map(str::to_owned);
    print_grid(&head, &rows, &[1], page)
}

fn effects(audit: &Audit, page: &mut Page) -> io::Result<()> {
    if audit.effects.is_empty() {
        return Ok(());
    }
    page.heading("What the settings do")?;
    let rows: Vec<Vec<String>> = audit
        .effects
        .iter()
        .map(|effect| {
            vec![
                effect.setting.to_string(),
                effect.levels.join(", "),
                words::yes(effect.changes_repeatability).to_owned(),
                words::yes(effect.changes_result).to_owned(),
                effect.onset.as_ref().map_or(String::new(), words::brief_place),
                words::prices(effect),
            ]
        })
        .collect();
    let head = words::EFFECTS.map(str::to_owned);
    print_grid(&head, &rows, &[], page)?;
    for remark in audit.effects.iter().flat_map(words::remarks) {
        page.paragraph("  ", &remark)?;
    }
    Ok(())
}

fn print_grid(head: &[String], rows: &[Vec<String>], right: &[usize], page: &mut Page) -> io::Result<()> {
    let grid = page.grid(head, rows, right, Some(page.width() - 1));
    for (index, line) in grid.lines.iter().enumerate() {
        let line = if index < 2 { page.ink(Ink::Dim, line) } else { line.clone() };
        page.line(&format!(" {line}"))?;
    }
    Ok(())
}

fn blame(audit: &Audit, page: &mut Page) -> io::Result<()> {
    let Some(blame) = &audit.blame else { return Ok(()) };
    page.heading("Why")?;
    for (number, of) in (1..).zip(&blame.causes) {
        cause(number, of, page)?;
    }
    if !blame.history.is_empty() {
        page.inked_paragraph("  ", "How it was found:", Some(Ink::Dim))?;
    }
    for tried in &blame.history {
        page.inked_paragraph("  · ", tried, Some(Ink::Dim))?;
    }
    if let Some(pins) = words::pins(audit) {
        page.paragraph("  ", &pins)?;
    }
    Ok(())
}

fn cause(number: usize, cause: &Cause, page: &mut Page) -> io::Result<()> {
    let name = page.ink(Ink::Bold, &untrusted::plain(&cause.id));
    page.line(&format!("  {number}. {name} ({})", cause.grade.word()))?;
    page.paragraph("     ", &cause.summary)?;
    if let Some(at) = &cause.location {
        page.paragraph("     ", &format!("at {}:{}", at.file.display(), at.line))?;
    }
    for evidence in &cause.evidence {
        page.paragraph("     · ", evidence)?;
    }
    if !cause.remedy.trim().is_empty() {
        page.line("     Remedy:")?;
        page.code("       ", &cause.remedy)?;
    }
    if let Some(price) = &cause.price {
        page.paragraph("     ", &format!("Price: {}.", words::price(price)))?;
    }
    Ok(())
}

/// What the repeats prove, and what the printed digits can show.
fn proof(audit: &Audit, page: &mut Page) -> io::Result<()> {
    let confidence = audit.confidence.as_ref().map(|confidence| confidence.statement.as_str());
    let resolution = audit.resolution.as_ref().map(|resolution| resolution.note.as_str());
    if confidence.is_none() && resolution.is_none() {
        return Ok(());
    }
    page.heading("What this proves")?;
    for sentence in [confidence, resolution].into_iter().flatten() {
        page.paragraph("  ", sentence)?;
    }
    Ok(())
}

fn list(title: &str, lines: &[String], page: &mut Page) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    page.heading(title)?;
    for line in lines {
        page.paragraph("  · ", line)?;
    }
    Ok(())
}

fn write_listing(listing: &Listing, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(style, out);
    if listing.sections.is_empty() {
        return page.line(listing.empty);
    }
    for (index, section) in listing.sections.iter().enumerate() {
        if index > 0 {
            page.gap()?;
        }
        write_section(section, &mut page)?;
    }
    Ok(())
}

fn write_section(section: &Section, page: &mut Page) -> io::Result<()> {
    let name = page.ink(Ink::Bold, &untrusted::plain(&section.name));
    page.line(&name)?;
    if !section.about.is_empty() {
        page.paragraph("", &section.about)?;
    }
    let head: Vec<String> = section.head.iter().map(|name| (*name).to_owned()).collect();
    let natural = page.grid(&head, &section.rows, &section.right, None);
    let too_wide = natural.lines.first().is_some_and(|line| line.width() > page.width());
    if section.cards && too_wide {
        cards(&head, &section.rows, page)?;
    } else if !section.rows.is_empty() {
        print_grid(&head, &section.rows, &section.right, page)?;
    }
    for note in &section.notes {
        page.paragraph("  ", note)?;
    }
    Ok(())
}

/// How checkpoints compare, tensor by tensor.
fn checkpoints(audit: &Audit, page: &mut Page) -> io::Result<()> {
    for section in checkpoint::sections(audit, checkpoint::Shown::Differing) {
        page.gap()?;
        write_section(&section, page)?;
    }
    Ok(())
}

/// Rows with too many columns for the terminal, each as a paragraph of its own.
fn cards(head: &[String], rows: &[Vec<String>], page: &mut Page) -> io::Result<()> {
    let wide = head.iter().skip(1).map(|name| name.width()).max().unwrap_or(0);
    for row in rows {
        page.gap()?;
        page.inked_paragraph("", row.first().map_or("", String::as_str), Some(Ink::Bold))?;
        for (name, cell) in head.iter().zip(row).skip(1).filter(|(_, cell)| !cell.is_empty()) {
            page.paragraph(&format!("  {name:<wide$}  "), cell)?;
        }
    }
    Ok(())
}
