//! `--format csv`: the series of all runs side by side, for a spreadsheet or a data frame.

use std::io::{self, Write};

use super::{Listing, ReportFormat, Row, Rows, Spread, Style, untrusted};
use crate::model::Audit;

/// The series side by side.
pub struct Csv;

impl ReportFormat for Csv {
    fn id(&self) -> &'static str {
        "csv"
    }

    fn describe(&self) -> &'static str {
        "the values of all runs side by side, one step per line"
    }

    fn write(&self, audit: &Audit, _style: Style, out: &mut dyn Write) -> io::Result<()> {
        let rows = Rows::all(audit);
        let mut csv = ::csv::Writer::from_writer(out);
        let mut head = vec![if rows.steps { "step" } else { "index" }.to_owned()];
        if rows.epochs {
            head.push("epoch".to_owned());
        }
        head.extend(rows.runs.iter().map(|run| untrusted::csv(run).into_owned()));
        head.extend(["difference".to_owned(), "first_divergence".to_owned()]);
        csv.write_record(&head)?;
        for row in &rows.rows {
            csv.write_record(record(&rows, row))?;
        }
        csv.flush()
    }

    fn write_listing(&self, listing: &Listing, _style: Style, out: &mut dyn Write) -> Option<io::Result<()>> {
        Some(write_listing(listing, out))
    }
}

fn record(rows: &Rows, row: &Row) -> Vec<String> {
    // A log without steps aligns by the order of its points, and that is what stands there then.
    let step = row.position.step.map(|step| step.to_string());
    let number = if rows.steps { String::new() } else { (row.number - 1).to_string() };
    let mut record = vec![step.unwrap_or(number)];
    if rows.epochs {
        record.push(row.position.epoch.map_or(String::new(), |epoch| format!("{epoch}")));
    }
    let text = |cell: &Option<&crate::model::Point>| cell.map_or(String::new(), |point| point.text.to_string());
    record.extend(row.cells.iter().map(|cell| untrusted::csv(&text(cell)).into_owned()));
    record.push(match row.spread() {
        Spread::Same => "0".to_owned(),
        Spread::Apart(size) => format!("{size}"),
        Spread::Missing | Spread::NotFinite => String::new(),
    });
    record.push(if row.marked { "true" } else { "false" }.to_owned());
    record
}

fn write_listing(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    let mut csv = ::csv::WriterBuilder::new().flexible(true).from_writer(out);
    let Some(first) = listing.sections.first() else { return Ok(()) };
    let keyed = listing.key;
    csv.write_record(keyed.iter().copied().chain(first.head.iter().copied()))?;
    for section in &listing.sections {
        for row in &section.rows {
            let key = keyed.map(|_| section.name.as_str());
            let cells = key.into_iter().chain(row.iter().map(String::as_str));
            csv.write_record(cells.map(|cell| untrusted::csv(cell).into_owned()))?;
        }
    }
    csv.flush()
}
