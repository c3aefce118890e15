//! An audit to text, and run events to live progress: the rows and sentences are computed once, each format only draws
//! them.
//!
//! To add a format: one file here, its `mod` line and its line in [`FORMATS`].

mod checkpoint;
mod csv;
mod difference;
mod environment;
mod github;
mod html;
mod inspect;
mod json;
mod junit;
mod listing;
mod markdown;
mod operations;
mod planned;
mod progress;
mod raw;
mod rows;
mod sarif;
mod settings;
mod table;
mod text;
mod troubled;
mod words;

pub mod untrusted;

use std::io::{self, Write};

pub use difference::difference;
pub use environment::{environment, environment_differences};
pub use github::job_summary;
pub use inspect::inspect;
pub use listing::Listing;
pub use operations::operations;
pub use planned::{Planned, planned};
pub use progress::{Progress, ProgressKind};
pub use raw::{DiffLine, Mark, Piece, RawDiff, Tag};
pub use rows::{Row, Rows, Spread};
pub use settings::settings;

use crate::error::{Error, Result};
use crate::model::Audit;

/// What the reader's end can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether colours may be written.
    pub color: bool,
    /// Columns of the terminal; `None` where the text goes elsewhere.
    pub width: Option<u16>,
}

/// A form in which an audit can be written.
pub trait ReportFormat: Sync {
    /// Its name on the command line.
    fn id(&self) -> &'static str;

    /// One line for the help: what it is for.
    fn describe(&self) -> &'static str;

    /// Writes an audit.
    fn write(&self, audit: &Audit, style: Style, out: &mut dyn Write) -> io::Result<()>;

    /// Writes a listing (of metrics, settings, environments); `None` where this form has none.
    fn write_listing(&self, _listing: &Listing, _style: Style, _out: &mut dyn Write) -> Option<io::Result<()>> {
        None
    }
}

/// Every form, the default first.
pub const FORMATS: &[&dyn ReportFormat] = &[
    &table::Table,
    &json::Json,
    &csv::Csv,
    &markdown::Markdown,
    &junit::Junit,
    &sarif::Sarif,
    &github::Github,
    &html::Html,
];

/// The form of that name.
pub fn format(id: &str) -> Option<&'static dyn ReportFormat> {
    FORMATS.iter().copied().find(|format| format.id() == id)
}

/// Writes a listing in the form `format`, or says which forms it can take; within that, whether the writing succeeded.
pub fn write_listing(
    format: &dyn ReportFormat,
    listing: &Listing,
    style: Style,
    out: &mut dyn Write,
) -> Result<io::Result<()>> {
    format.write_listing(listing, style, out).ok_or_else(|| {
        Error::Misuse(format!(
            "{} cannot be written as {}; use table, json, csv, markdown or html",
            listing.title,
            format.id()
        ))
    })
}

/// Tells the user that the tool itself failed.
pub fn error(error: &Error) {
    let message = error.to_string();
    // Nothing can be done for a user whose standard error is gone.
    let _ = writeln!(io::stderr().lock(), "error: {}", untrusted::plain_lines(&message));
}

/// The JSON document of an audit, as it is kept with the record.
pub fn json_document(audit: &Audit) -> Vec<u8> {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = json::Json.write(audit, Style::default(), &mut text);
    text
}
