//! Where a report goes: standard output, and the files named with `--output`.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::cli;
use crate::error::{Error, Result};
use crate::model::Audit;
use crate::report::{self, Listing, ProgressKind, ReportFormat, Style};

/// Where a report goes, found out before anything is run, so that a typing mistake costs no run.
pub struct Output {
    standard: &'static dyn ReportFormat,
    style: Style,
    files: Vec<(&'static dyn ReportFormat, PathBuf)>,
    quiet: bool,
}

impl Output {
    /// Resolves the options.
    ///
    /// # Errors
    /// Where a format is not known.
    pub fn new(typed: &cli::Output) -> Result<Self> {
        let standard = format(&typed.format)?;
        let files = typed.output.iter().map(|text| file(text, standard)).collect::<Result<_>>()?;
        let color = match typed.color {
            cli::Color::Always => true,
            cli::Color::Never => false,
            cli::Color::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        let style = Style { color, width: width() };
        Ok(Self { standard, style, files, quiet: typed.quiet })
    }

    /// How progress is to be shown.
    pub fn progress(&self) -> ProgressKind {
        match (self.quiet, io::stderr().is_terminal()) {
            (true, _) => ProgressKind::Quiet,
            (false, true) => ProgressKind::Live,
            (false, false) => ProgressKind::Lines,
        }
    }

    /// Writes an audit everywhere it is to go.
    ///
    /// # Errors
    /// Where a file cannot be written. A reader that closed standard output is no error.
    pub fn audit(&self, audit: &Audit) -> Result<()> {
        self.everywhere(&mut |format, style, out| Ok(format.write(audit, style, out)))
    }

    /// Writes a listing everywhere it is to go.
    ///
    /// # Errors
    /// Where a file cannot be written or the form has no listing.
    pub fn listing(&self, listing: &Listing) -> Result<()> {
        self.everywhere(&mut |format, style, out| report::write_listing(format, listing, style, out))
    }

    fn everywhere(&self, write: &mut Writing<'_>) -> Result<()> {
        for (format, path) in &self.files {
            let mut text = Vec::new();
            write(*format, Style::default(), &mut text)?.map_err(Error::file("write", path))?;
            store(path, &text)?;
        }
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = write(self.standard, self.style, &mut out)?.and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::System { doing: "write to standard output".to_owned(), source: error })
            }
            _ => Ok(()),
        }
    }
}

type Writing<'a> = dyn FnMut(&dyn ReportFormat, Style, &mut dyn Write) -> Result<io::Result<()>> + 'a;

fn format(id: &str) -> Result<&'static dyn ReportFormat> {
    report::format(id).ok_or_else(|| {
        let known: Vec<&str> = report::FORMATS.iter().map(|format| format.id()).collect();
        Error::Misuse(format!("there is no format `{id}`; there are {}", known.join(", ")))
    })
}

/// `FORMAT=FILE`, or `FILE` in the format of standard output. A file's name may hold `=`: only a known format counts.
fn file(text: &str, standard: &'static dyn ReportFormat) -> Result<(&'static dyn ReportFormat, PathBuf)> {
    match text.split_once('=').and_then(|(id, path)| Some((report::format(id)?, path))) {
        Some((_, "")) | None if text.is_empty() || text.ends_with('=') => {
            Err(Error::Misuse(format!("--output takes FILE or FORMAT=FILE, not `{text}`")))
        }
        Some((format, path)) => Ok((format, path.into())),
        None => Ok((standard, text.into())),
    }
}

fn store(path: &Path, text: &[u8]) -> Result<()> {
    File::create(path).and_then(|mut file| file.write_all(text)).map_err(Error::file("write", path))
}

fn width() -> Option<u16> {
    if !io::stdout().is_terminal() {
        return std::env::var("COLUMNS").ok()?.parse().ok();
    }
    terminal_size::terminal_size().map(|(width, _)| width.0)
}
