//! `--format markdown`: a comment for a pull request, and the job summary of a CI run.

use std::io::{self, Write};

use super::checkpoint;
use super::listing::Section;
use super::raw::{Mark, RawDiff, Tag};
use super::rows::labels;
use super::troubled::Troubled;
use super::{Listing, ReportFormat, Rows, Style, untrusted, words};
use crate::model::{Audit, Cause, Verdict};

/// A comment for a pull request.
pub struct Markdown;

impl ReportFormat for Markdown {
    fn id(&self) -> &'static str {
        "markdown"
    }

    fn describe(&self) -> &'static str {
        "a comment for a pull request"
    }

    fn write(&self, audit: &Audit, _style: Style, out: &mut dyn Write) -> io::Result<()> {
        headline(audit, out)?;
        if !audit.picture.is_empty() {
            writeln!(out, "{}", untrusted::markdown_block("", &audit.picture.join("\n")))?;
        }
        checkpoints(audit, out)?;
        side_by_side(audit, out)?;
        blame(audit, out)?;
        effects(audit, out)?;
        treatments(audit, out)?;
        runs(audit, out)?;
        raw_lines(audit, out)?;
        proof(audit, out)?;
        list("Not checked", &audit.not_checked, out)?;
        list("Worth knowing", &audit.warnings, out)?;
        list("What to try next", &audit.next, out)
    }

    fn write_listing(&self, listing: &Listing, _style: Style, out: &mut dyn Write) -> Option<io::Result<()>> {
        Some(write_listing(listing, out))
    }
}

fn headline(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let sign = match audit.verdict {
        Verdict::Agreed => "✅",
        Verdict::Diverged => "❌",
        Verdict::Unresolved => "⚠️",
    };
    writeln!(out, "### {sign} {}\n", untrusted::markdown(&words::headline(audit)))?;
    if let Some((divergence, treatment)) = words::shown_divergence(audit) {
        writeln!(out, "{}\n", untrusted::markdown(&words::sentence(divergence, treatment)))?;
    }
    for divergence in &audit.also_diverged {
        let place = divergence.position.told(divergence.index);
        let text = format!("{} parts too, first at {place}.", divergence.metric);
        writeln!(out, "{}\n", untrusted::markdown(&text))?;
    }
    Ok(())
}

fn side_by_side(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let rows = Rows::shown(audit).around(2, 2);
    if rows.rows.is_empty() {
        return Ok(());
    }
    let mut head = vec![String::new()];
    head.extend(rows.place_head().into_iter().map(str::to_owned));
    head.extend(labels(&rows.runs, usize::MAX).iter().map(|run| untrusted::markdown(run)));
    head.push("difference".to_owned());
    let bold = |text: String, marked: bool| if marked && !text.is_empty() { format!("**{text}**") } else { text };
    let mut table = Vec::new();
    for row in &rows.rows {
        if row.gap {
            table.push(vec!["⋮".to_owned(); head.len()]);
        }
        let mut cells = vec![if row.marked { "▶" } else { "" }.to_owned()];
        cells.extend(rows.place_cells(row));
        let texts = Rows::texts(row, "–").into_iter();
        cells.extend(texts.map(|text| bold(untrusted::markdown(&text), row.marked)));
        cells.push(words::spread(row.spread()));
        table.push(cells);
    }
    writeln!(out, "{}\n", untrusted::markdown(rows.metric))?;
    grid(&head, &table, 1, out)
}

/// A table whose cells are already safe; columns from `right` on are aligned to the right.
fn grid(head: &[String], rows: &[Vec<String>], right: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| {} |", head.join(" | "))?;
    let rules: Vec<&str> = (0..head.len()).map(|column| if column >= right { "---:" } else { "---" }).collect();
    writeln!(out, "| {} |", rules.join(" | "))?;
    for row in rows {
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    writeln!(out)
}

fn blame(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let Some(blame) = &audit.blame else { return Ok(()) };
    writeln!(out, "#### Why\n")?;
    for of in &blame.causes {
        cause(of, out)?;
    }
    match words::pins(audit) {
        Some(pins) => writeln!(out, "{}\n", untrusted::markdown(&pins)),
        None => Ok(()),
    }
}

fn cause(cause: &Cause, out: &mut dyn Write) -> io::Result<()> {
    let place = match &cause.location {
        Some(at) => format!(", at {}", untrusted::markdown_code(&format!("{}:{}", at.file.display(), at.line))),
        None => String::new(),
    };
    let (id, summary) = (untrusted::markdown_code(&cause.id), untrusted::markdown(&cause.summary));
    writeln!(out, "**{id}** ({}{place}): {summary}\n", cause.grade.word())?;
    for evidence in &cause.evidence {
        writeln!(out, "- {}", untrusted::markdown(evidence))?;
    }
    if !cause.evidence.is_empty() {
        writeln!(out)?;
    }
    if !cause.remedy.trim().is_empty() {
        writeln!(out, "{}", untrusted::markdown_block("", &cause.remedy))?;
    }
    if let Some(price) = &cause.price {
        writeln!(out, "Price: {}.\n", untrusted::markdown(&words::price(price)))?;
    }
    Ok(())
}

fn effects(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    if audit.effects.is_empty() {
        return Ok(());
    }
    writeln!(out, "#### What the settings do\n")?;
    let head = words::EFFECTS.map(str::to_owned);
    let row = |effect: &crate::model::Effect| {
        vec![
            untrusted::markdown_code(effect.setting.as_str()),
            untrusted::markdown(&effect.levels.join(", ")),
            words::yes(effect.changes_repeatability).to_owned(),
            words::yes(effect.changes_result).to_owned(),
            effect.onset.as_ref().map_or(String::new(), words::brief_place),
            untrusted::markdown(&words::prices(effect)),
        ]
    };
    grid(&head, &audit.effects.iter().map(row).collect::<Vec<_>>(), usize::MAX, out)?;
    for remark in audit.effects.iter().flat_map(words::remarks) {
        writeln!(out, "{}\n", untrusted::markdown(&remark))?;
    }
    Ok(())
}

fn treatments(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    if audit.treatments.len() < 2 && audit.treatments.iter().all(|treatment| treatment.notes.is_empty()) {
        return Ok(());
    }
    writeln!(out, "#### Treatments\n")?;
    let head = ["treatment", "runs", "what they showed"].map(str::to_owned);
    let row = |result: &crate::model::TreatmentResult| {
        let mut said = vec![words::outcome(result)];
        said.extend(result.notes.iter().cloned());
        vec![
            untrusted::markdown_code(&result.treatment.id),
            result.runs.len().to_string(),
            untrusted::markdown(&said.join("; ")),
        ]
    };
    grid(&head, &audit.treatments.iter().map(row).collect::<Vec<_>>(), usize::MAX, out)
}

fn runs(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    for group in Troubled::of(&audit.runs) {
        writeln!(out, "{}\n", untrusted::markdown(&group.headline()))?;
        if !group.last_words().is_empty() {
            writeln!(out, "{}", untrusted::markdown_block("text", &quoted(group.last_words())))?;
        }
    }
    Ok(())
}

/// Lines of a log behind a bar: none of them can begin a command where the comment is printed to a CI log.
fn quoted(lines: &[String]) -> String {
    lines.iter().map(|line| format!("│ {}", untrusted::plain(line))).collect::<Vec<_>>().join("\n")
}

fn raw_lines(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let Some(diff) = RawDiff::shown(audit, 1, 0) else { return Ok(()) };
    let title = format!("The lines of the logs there: {} (-) and {} (+)", diff.first, diff.second);
    writeln!(out, "<details><summary>{}</summary>\n", untrusted::markdown_html(&title))?;
    let digits = diff.lines.iter().map(|line| line.number.to_string().len()).max().unwrap_or(1);
    let mut text = String::new();
    for line in &diff.lines {
        let sign = match line.tag {
            Tag::Both => ' ',
            Tag::First => '-',
            Tag::Second => '+',
        };
        let whole: String = line.pieces.iter().map(|piece| piece.text.as_str()).collect();
        text += &format!("{sign} {:>digits$} {whole}\n", line.number);
        if line.pieces.iter().any(|piece| piece.mark == Mark::Value) {
            let marks: String = line.pieces.iter().map(marks_of).collect();
            text += &format!("  {} {}\n", " ".repeat(digits), marks.trim_end());
        }
    }
    writeln!(out, "{}\n</details>\n", untrusted::markdown_block("diff", &text))
}

fn marks_of(piece: &super::Piece) -> String {
    let sign = if piece.mark == Mark::Value { "^" } else { " " };
    sign.repeat(piece.text.chars().count())
}

fn proof(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let confidence = audit.confidence.as_ref().map(|confidence| confidence.statement.as_str());
    let resolution = audit.resolution.as_ref().map(|resolution| resolution.note.as_str());
    for sentence in [confidence, resolution].into_iter().flatten() {
        writeln!(out, "{}\n", untrusted::markdown(sentence))?;
    }
    Ok(())
}

fn list(title: &str, lines: &[String], out: &mut dyn Write) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "#### {title}\n")?;
    for line in lines {
        writeln!(out, "- {}", untrusted::markdown(line))?;
    }
    writeln!(out)
}

fn write_listing(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    if listing.sections.is_empty() {
        return writeln!(out, "{}", listing.empty);
    }
    for section in &listing.sections {
        write_section(section, out)?;
    }
    Ok(())
}

/// How checkpoints compare, tensor by tensor.
fn checkpoints(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    checkpoint::sections(audit, checkpoint::Shown::Differing).iter().try_for_each(|section| write_section(section, out))
}

fn write_section(section: &Section, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### {}\n", untrusted::markdown(&section.name))?;
    if !section.about.is_empty() {
        writeln!(out, "{}\n", untrusted::markdown(&section.about))?;
    }
    if !section.rows.is_empty() {
        let head: Vec<String> = section.head.iter().map(|name| (*name).to_owned()).collect();
        let row = |row: &Vec<String>| row.iter().map(|cell| untrusted::markdown(cell)).collect::<Vec<_>>();
        grid(&head, &section.rows.iter().map(row).collect::<Vec<_>>(), usize::MAX, out)?;
    }
    for note in &section.notes {
        writeln!(out, "- {}", untrusted::markdown(note))?;
    }
    if !section.notes.is_empty() {
        writeln!(out)?;
    }
    Ok(())
}
