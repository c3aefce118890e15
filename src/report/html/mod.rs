//! `--format html`: one self-contained page, for a browser on a desk or a phone; it asks nothing of the network and runs
//! nothing.

mod charts;

use std::io::{self, Write};

use super::checkpoint;
use super::environment::differences;
use super::listing::{Listing, Section};
use super::raw::{Mark, RawDiff, Tag};
use super::rows::labels;
use super::troubled::Troubled;
use super::untrusted::{html, html_lines};
use super::{ReportFormat, Row, Rows, Style, words};
use crate::model::{Audit, Cause, Environment};

/// One self-contained page.
pub struct Html;

/// Rows of values shown ahead of the first divergent one, and behind it.
const AROUND: (usize, usize) = (3, 6);
/// Raw log lines shown ahead of the divergent one, and behind it.
const LINES: (u64, u64) = (4, 4);

impl ReportFormat for Html {
    fn id(&self) -> &'static str {
        "html"
    }

    fn describe(&self) -> &'static str {
        "one page with curves and evidence, self-contained"
    }

    fn write(&self, audit: &Audit, _style: Style, out: &mut dyn Write) -> io::Result<()> {
        head(&format!("{}: {}", words::verdict(audit.verdict), audit.command), out)?;
        headline(audit, out)?;
        picture(audit, out)?;
        why(audit, out)?;
        charts(audit, out)?;
        checkpoints(audit, out)?;
        values(audit, out)?;
        raw_lines(audit, out)?;
        effects(audit, out)?;
        treatments(audit, out)?;
        proof(audit, out)?;
        list("What to try next", &audit.next, out)?;
        list("Not checked", &audit.not_checked, out)?;
        list("Worth knowing", &audit.warnings, out)?;
        runs(audit, out)?;
        environments(audit, out)?;
        foot(out)
    }

    fn write_listing(&self, of: &Listing, _style: Style, out: &mut dyn Write) -> Option<io::Result<()>> {
        Some(listing(of, out))
    }
}

fn foot(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<footer>repro-audit {}</footer>\n</body>\n</html>", env!("CARGO_PKG_VERSION"))
}

fn head(title: &str, out: &mut dyn Write) -> io::Result<()> {
    let title = html(title);
    // The policy forbids what nothing here needs: scripts, and any request.
    writeln!(
        out,
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title} - repro-audit</title>
<style>
{}</style>
</head>
<body>"#,
        include_str!("style.css")
    )
}

fn headline(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, r#"<header class="{}">"#, audit.verdict.word())?;
    writeln!(out, r#"<div class="verdict">{}</div>"#, audit.verdict.word())?;
    writeln!(out, "<h1>{}</h1>", html(&words::capital(audit.reason.trim())))?;
    if let Some((divergence, treatment)) = words::shown_divergence(audit) {
        writeln!(out, r#"<p id="sentence">{}</p>"#, html(&words::sentence(divergence, treatment)))?;
    }
    for divergence in &audit.also_diverged {
        let place = divergence.position.told(divergence.index);
        writeln!(out, "<p>{}</p>", html(&format!("{} parts too, first at {place}.", divergence.metric)))?;
    }
    let facts: String = facts(audit).iter().map(|fact| format!("<li>{}</li>\n", html(fact))).collect();
    writeln!(out, "<ul class=\"facts\">\n{facts}</ul>\n</header>")
}

/// What was looked at, in a few words each.
fn facts(audit: &Audit) -> Vec<String> {
    let mut facts = Vec::new();
    if !audit.runs.is_empty() {
        facts.push(words::count(audit.runs.len(), "run"));
    }
    if audit.treatments.len() > 1 {
        facts.push(words::count(audit.treatments.len(), "treatment"));
    }
    facts.extend(audit.metric.clone());
    if let Some(decimals) = audit.resolution.as_ref().and_then(|resolution| resolution.decimals) {
        facts.push(words::count(decimals as usize, "decimal"));
    }
    let known = |name: &str| audit.environment.as_ref()?.facts.get(name).map(|fact| format!("{name} {fact}"));
    facts.extend(["python", "torch", "cuda"].iter().filter_map(|name| known(name)));
    facts
}

fn section(id: &str, title: &str, body: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"{id}\">\n<h2>{}</h2>\n{body}</section>", html(title))
}

/// The runs of an audit of resuming, on one time line.
fn picture(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    if audit.picture.is_empty() {
        return Ok(());
    }
    let body = format!("<pre>{}</pre>\n", html_lines(&audit.picture.join("\n")));
    section("picture", "Straight, interrupted, resumed", &body, out)
}

fn why(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let Some(blame) = &audit.blame else { return Ok(()) };
    let mut body: String = blame.causes.iter().map(cause).collect();
    if let Some(pins) = words::pins(audit) {
        body += &format!("<p>{}</p>\n", html(&pins));
    }
    if !blame.history.is_empty() {
        body += &format!("<details><summary>How it was found</summary>\n{}</details>\n", items(&blame.history));
    }
    section("blame", "Why", &body, out)
}

fn cause(cause: &Cause) -> String {
    let (id, grade) = (html(&cause.id), cause.grade.word());
    let mut text = format!(
        "<div class=\"cause\">\n<h3><code>{id}</code> <span class=\"grade {grade}\">{grade}</span></h3>\n<p>{}</p>\n",
        html(&cause.summary)
    );
    if let Some(at) = &cause.location {
        text += &format!("<p>at <code>{}</code></p>\n", html(&format!("{}:{}", at.file.display(), at.line)));
    }
    text += &items(&cause.evidence);
    if !cause.remedy.trim().is_empty() {
        text += &format!("<p>Remedy:</p>\n<pre>{}</pre>\n", html_lines(cause.remedy.trim_end()));
    }
    if let Some(price) = &cause.price {
        text += &format!("<p class=\"soft\">Price: {}.</p>\n", html(&words::price(price)));
    }
    text + "</div>\n"
}

fn items(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items: String = lines.iter().map(|line| format!("<li>{}</li>\n", html(line))).collect();
    format!("<ul>\n{items}</ul>\n")
}

fn charts(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let rows = Rows::all(audit);
    let Some(curves) = charts::curves(audit) else { return Ok(()) };
    let key = |class: &str, name: &str| format!("<li class=\"{class}\"><b></b><span>{}</span></li>\n", html(name));
    let onset = match words::shown_divergence(audit) {
        Some((divergence, _)) if rows.marked().is_some() => {
            key("onset-colour", &format!("first difference, {}", divergence.position.told(divergence.index)))
        }
        _ => String::new(),
    };
    let runs: String = rows
        .runs
        .iter()
        .enumerate()
        .map(|(index, run)| key(&format!("run{}", index % charts::RUN_COLOURS), &run_name(audit, run)))
        .collect();
    let along = if rows.steps && !rows.segments { "steps" } else { "points of the log" };
    let body = format!("{curves}<ul class=\"legend\">\n{runs}{onset}</ul>\n");
    section("curves", &format!("{} over the {along}", rows.metric), &body, out)?;
    let Some(differences) = charts::differences(audit) else { return Ok(()) };
    let drawn = audit.resolution.as_ref().filter(|resolution| charts::digit_floor(resolution).is_some());
    let floor = drawn.map_or(String::new(), |resolution| key("floor-colour", &resolution.note));
    let widest = key("difference-colour", "widest difference between two runs");
    let body = format!("{differences}<ul class=\"legend\">\n{widest}{onset}{floor}</ul>\n");
    section("differences", &format!("Difference over the {along}"), &body, out)
}

/// A run with its treatment, where that is not the reference.
fn run_name(audit: &Audit, run: &str) -> String {
    match audit.runs.iter().find(|other| other.id == run) {
        Some(of) if of.treatment != crate::model::Treatment::REFERENCE => format!("{run} ({})", of.treatment),
        _ => run.to_owned(),
    }
}

fn values(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let rows = Rows::shown(audit).around(AROUND.0, AROUND.1);
    if rows.rows.is_empty() {
        return Ok(());
    }
    let mut head: String = rows.place_head().iter().map(|name| format!("<th class=\"number\">{name}</th>")).collect();
    for run in &labels(&rows.runs, usize::MAX) {
        head += &format!("<th class=\"number\">{}</th>", html(run));
    }
    head += "<th class=\"number\">difference</th>";
    let body: String = rows.rows.iter().map(|row| value_row(&rows, row)).collect();
    let table = format!("<div class=\"scroll\"><table class=\"values\">\n<tr>{head}</tr>\n{body}</table></div>\n");
    section("values", &format!("{} side by side", rows.metric), &table, out)
}

fn value_row(rows: &Rows, row: &Row) -> String {
    let mut cells = rows.place_cells(row);
    cells.extend(Rows::texts(row, "–"));
    cells.push(words::spread(row.spread()));
    let count = cells.len();
    let cells: String = cells.iter().map(|cell| format!("<td class=\"number\">{}</td>", html(cell))).collect();
    let gap = match row.gap {
        true => format!("<tr>{}</tr>\n", "<td class=\"number\">⋮</td>".repeat(count)),
        false => String::new(),
    };
    let marked = if row.marked { " class=\"marked\"" } else { "" };
    format!("{gap}<tr{marked}>{cells}</tr>\n")
}

fn raw_lines(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let diffs = RawDiff::all(audit, LINES.0, LINES.1);
    if diffs.is_empty() {
        return Ok(());
    }
    let mut body = String::new();
    for (index, diff) in diffs.iter().enumerate() {
        let open = if index == 0 { " open" } else { "" };
        let title = html(&format!("{} (-) and {} (+)", diff.first, diff.second));
        let lines: String = diff.lines.iter().map(raw_line).collect();
        body += &format!("<details{open}><summary>{title}</summary>\n<pre class=\"log\">{lines}</pre></details>\n");
    }
    body += "<p class=\"soft\">The value that parts is marked; other differences, such as times, are dotted.</p>\n";
    section("lines", "The lines of the logs there", &body, out)
}

fn raw_line(line: &super::DiffLine) -> String {
    let (class, sign) = match line.tag {
        Tag::Both => ("both", ' '),
        Tag::First => ("first", '-'),
        Tag::Second => ("second", '+'),
    };
    let pieces: String = line
        .pieces
        .iter()
        .map(|piece| match piece.mark {
            Mark::Value => format!("<mark>{}</mark>", html(&piece.text)),
            Mark::Other if line.pieces.len() > 1 => format!("<i>{}</i>", html(&piece.text)),
            Mark::Same | Mark::Other => html(&piece.text),
        })
        .collect();
    format!("<span class=\"line {class}\">{:>6} {sign} {pieces}</span>", line.number)
}

fn effects(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    if audit.effects.is_empty() {
        return Ok(());
    }
    let answer = |answer: Option<bool>| {
        let class = answer.map_or("unknown", |yes| if yes { "yes" } else { "no" });
        format!("<span class=\"answer {class}\">{}</span>", words::yes(answer))
    };
    let mut body = "<div class=\"scroll\"><table class=\"effects\">\n<tr><th>setting</th><th>levels</th>\
                    <th>changes whether it repeats</th><th>changes the result</th><th>from</th><th>time of a step</th></tr>\n"
        .to_owned();
    for effect in &audit.effects {
        let (setting, levels) = (html(effect.setting.as_str()), html(&effect.levels.join(", ")));
        let (repeating, result) = (answer(effect.changes_repeatability), answer(effect.changes_result));
        let onset = effect.onset.as_ref().map_or(String::new(), words::brief_place);
        let prices = html(&words::prices(effect));
        body += &format!(
            "<tr><td><code>{setting}</code></td><td data-name=\"levels\">{levels}</td>\
             <td data-name=\"changes whether it repeats\">{repeating}</td>\
             <td data-name=\"changes the result\">{result}</td><td data-name=\"from\">{onset}</td>\
             <td data-name=\"time of a step\">{prices}</td></tr>\n"
        );
    }
    body += "</table></div>\n";
    let told: Vec<String> = audit.effects.iter().map(words::effect).collect();
    section("effects", "What the settings do", &(body + &items(&told)), out)
}

fn treatments(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    if audit.treatments.len() < 2 && audit.treatments.iter().all(|treatment| treatment.notes.is_empty()) {
        return Ok(());
    }
    let rows: String = audit
        .treatments
        .iter()
        .map(|result| {
            let mut said = vec![words::outcome(result)];
            said.extend(result.notes.iter().cloned());
            let (id, runs, said) = (html(&result.treatment.id), result.runs.len(), html(&said.join("; ")));
            format!("<tr><td><code>{id}</code></td><td class=\"number\">{runs}</td><td>{said}</td></tr>\n")
        })
        .collect();
    let head = "<tr><th>treatment</th><th class=\"number\">runs</th><th>what they showed</th></tr>";
    let table = format!("<div class=\"scroll\"><table>\n{head}\n{rows}</table></div>\n");
    section("treatments", "Treatments", &table, out)
}

/// How checkpoints compare, tensor by tensor.
fn checkpoints(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let grids = checkpoint::sections(audit, checkpoint::Shown::Differing);
    grids.iter().enumerate().try_for_each(|(number, grid)| draw_grid(&format!("checkpoint-{number}"), grid, out))
}

/// A grid with its sentences.
fn draw_grid(id: &str, grid: &Section, out: &mut dyn Write) -> io::Result<()> {
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| -> String {
        let cells: String = cells.map(|cell| format!("<{tag}>{}</{tag}>", html(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head = cells("th", &mut grid.head.iter().copied());
    let rows: String = grid.rows.iter().map(|row| cells("td", &mut row.iter().map(String::as_str))).collect();
    let table = if rows.is_empty() { String::new() } else { format!("<table>\n{head}{rows}</table>\n") };
    let body = format!("<p>{}</p>\n<div class=\"scroll\">{table}</div>\n{}", html(&grid.about), items(&grid.notes));
    section(id, &grid.name, &body, out)
}

fn listing(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    head(&words::capital(listing.title), out)?;
    writeln!(out, "<header><h1>{}</h1></header>", html(&words::capital(listing.title)))?;
    if listing.sections.is_empty() {
        writeln!(out, "<p>{}</p>", html(listing.empty))?;
    }
    for (number, grid) in listing.sections.iter().enumerate() {
        draw_grid(&format!("grid-{number}"), grid, out)?;
    }
    foot(out)
}

fn proof(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let confidence = audit.confidence.iter().map(|confidence| &confidence.statement);
    let resolution = audit.resolution.iter().map(|resolution| &resolution.note);
    let body: String = confidence.chain(resolution).map(|sentence| format!("<p>{}</p>\n", html(sentence))).collect();
    if body.is_empty() { Ok(()) } else { section("proof", "What this proves", &body, out) }
}

fn list(title: &str, lines: &[String], out: &mut dyn Write) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    section(&title.to_lowercase().replace(' ', "-"), title, &items(lines), out)
}

fn runs(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    if audit.runs.is_empty() {
        return Ok(());
    }
    let mut rows = String::new();
    for run in &audit.runs {
        let seconds = run.duration.as_secs_f64();
        rows += &format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{seconds:.1} s</td><td>{}</td></tr>\n",
            html(&run.id),
            html(&run.treatment),
            html(&words::status(run)),
            run.points,
            html(&run.node),
        );
    }
    let head = "<tr><th>run</th><th>treatment</th><th>ended</th><th class=\"number\">points</th><th class=\"number\">time</th><th>on</th></tr>";
    let mut body = format!("<details><summary>{}</summary>\n", words::count(audit.runs.len(), "run"));
    body += &format!("<div class=\"scroll\"><table>\n{head}\n{rows}</table></div></details>\n");
    for group in Troubled::of(&audit.runs) {
        body += &format!("<p>{}</p>\n", html(&group.headline()));
        if !group.last_words().is_empty() {
            body += &format!("<pre>{}</pre>\n", html_lines(&group.last_words().join("\n")));
        }
    }
    section("runs", "Runs", &body, out)
}

fn environments(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let mut body = String::new();
    let all: Vec<&Environment> = audit.environments.iter().map(|(_, environment)| environment).collect();
    let different = differences(&all);
    if !different.is_empty() {
        let names: String = audit.environments.iter().map(|(name, _)| format!("<th>{}</th>", html(name))).collect();
        let rows: String = different
            .iter()
            .map(|difference| {
                let values = difference.values.iter().map(|value| value.map_or("–".to_owned(), html));
                let cells: String = values.map(|value| format!("<td>{value}</td>")).collect();
                format!("<tr><td>{}</td>{cells}</tr>\n", html(difference.fact))
            })
            .collect();
        body += &format!(
            "<details><summary>{} between the environments</summary>\n<div class=\"scroll\"><table>\n<tr><th>fact</th>{names}</tr>\n{rows}</table></div></details>\n",
            words::count(different.len(), "difference")
        );
    }
    if let Some(environment) = &audit.environment {
        let rows: String = environment
            .facts
            .iter()
            .map(|(name, fact)| format!("<tr><td>{}</td><td>{}</td></tr>\n", html(name), html(fact)))
            .collect();
        body += &format!(
            "<details><summary>{}</summary>\n<div class=\"scroll\"><table>\n{rows}</table></div></details>\n",
            words::count(environment.facts.len(), "recorded fact")
        );
    }
    if body.is_empty() { Ok(()) } else { section("environment", "Environment", &body, out) }
}
