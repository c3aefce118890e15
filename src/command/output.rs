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
        let files = typed.output.iter().map(|text| file(text, standard)).collect::<Result<Vec<_>>>()?;
        files.iter().try_for_each(|(_, path)| can_be_written(path))?;
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
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = write(self.standard, self.style, &mut out)?.and_then(|()| out.flush());
        // A file that cannot be written takes nothing from what is shown, nor the other way round.
        let mut failed = match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Some(Error::System { doing: "write to standard output".to_owned(), source: error })
            }
            _ => None,
        };
        for (format, path) in &self.files {
            let mut text = Vec::new();
            let written = write(*format, Style::default(), &mut text)?.and_then(|()| std::fs::write(path, &text));
            failed = failed.or(written.err().map(Error::file("write", path)));
        }
        failed.map_or(Ok(()), Err)
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
        // `./a=b` is a file; a word in front can only be meant as a format.
        None if text.split_once('=').is_some_and(|(id, _)| id.bytes().all(|byte| byte.is_ascii_lowercase())) => {
            format(text.split('=').next().unwrap_or_default()).map(|format| (format, PathBuf::new()))
        }
        None => Ok((standard, text.into())),
    }
}

/// Fails where a file cannot be written; leaves it as it is.
fn can_be_written(path: &Path) -> Result<()> {
    let fresh = !path.exists();
    if !fresh && !path.is_file() {
        // A pipe may wait for its reader.
        return Ok(());
    }
    File::options().append(true).create(true).open(path).map_err(Error::file("write", path))?;
    if fresh {
        // It is there again once there is something to be read in it.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn width() -> Option<u16> {
    if !io::stdout().is_terminal() {
        return std::env::var("COLUMNS").ok()?.parse().ok();
    }
    terminal_size::terminal_size().map(|(width, _)| width.0)
}
