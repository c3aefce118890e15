//! `--format csv`: the series of all runs side by side, for a spreadsheet or a data frame.

use std::io::{self, Write};

use super::{Listing, ReportFormat, Row, Rows, Spread, Style, checkpoint, untrusted};
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
        if let Some(listing) = checkpoint::listing(audit) {
            return write_listing(&listing, out);
        }
        let rows = Rows::all(audit);
        let mut csv = ::csv::Writer::from_writer(out);
        let compared = rows.only(&rows.compared(audit));
        let mut head: Vec<String> = rows.place_head().into_iter().map(str::to_owned).collect();
        head.extend(rows.runs.iter().map(|run| untrusted::csv(run).into_owned()));
        head.extend(["difference".to_owned(), "first_divergence".to_owned()]);
        csv.write_record(&head)?;
        for (row, compared) in rows.rows.iter().zip(&compared.rows) {
            csv.write_record(record(&rows, row, compared.spread()))?;
        }
        csv.flush()
    }

    fn write_listing(&self, listing: &Listing, _style: Style, out: &mut dyn Write) -> Option<io::Result<()>> {
        Some(write_listing(listing, out))
    }
}

fn record(rows: &Rows, row: &Row, spread: Spread) -> Vec<String> {
    let mut record = rows.place_cells(row);
    let texts = Rows::texts(row, "").into_iter().zip(&row.cells);
    // A run that was stopped has no value here, like one that lacks it.
    record.extend(
        texts.map(|(text, cell)| if cell.is_some() { untrusted::csv(&text).into_owned() } else { String::new() }),
    );
    record.push(match spread {
        Spread::Same => "0".to_owned(),
        Spread::Apart(size) => format!("{size}"),
        Spread::Missing | Spread::NotFinite | Spread::Unknown => String::new(),
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
