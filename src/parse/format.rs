//! What every log format implements: how it is told from others, and how it is read.

use std::path::Path;

use super::options::Options;
use super::sink::Sink;
use crate::model::Candidate;

/// The beginning of a log, by which formats are told apart.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Where the log comes from, where it is a file.
    pub path: Option<&'a Path>,
    /// Its first bytes, already in UTF-8 where it is text.
    pub head: &'a [u8],
    /// Whether `head` is all there is.
    pub whole: bool,
}

/// A format of logs or metric files.
pub trait LogFormat: Sync {
    /// Its name on the command line and in reports.
    fn id(&self) -> &'static str;
    /// What it covers, in one line.
    fn describe(&self) -> &'static str;
    /// How well the beginning of a log fits, and why.
    fn score(&self, sample: &Sample<'_>) -> Candidate;
    /// A reader for one log.
    fn reader(&self, options: &Options) -> Box<dyn Reader>;
    /// A reader for the log that begins like this, where the beginning as a whole tells how its lines are to be read.
    fn reader_of(&self, options: &Options, _sample: &Sample<'_>) -> Box<dyn Reader> {
        self.reader(options)
    }
}

/// Reads one log, piece by piece.
pub trait Reader {
    /// Takes the next bytes, cut anywhere.
    fn push(&mut self, bytes: &[u8], sink: &mut Sink);
    /// Says that no more bytes come.
    fn finish(&mut self, sink: &mut Sink);
    /// A second reader that goes on from here on its own.
    fn fork(&self) -> Box<dyn Reader>;
    /// The line of the log that the next byte belongs to, where the format has lines.
    fn line(&self) -> Option<u64> {
        None
    }
    /// What the beginning of the log has decided for all of it, as text without digits: two logs of which it is not the same are not
    /// read together.
    fn beginning(&self) -> String {
        String::new()
    }
    /// Reads on in two logs that have said the same so far, as far as their lines differ in nothing that is compared. Gives the
    /// bytes read of each.
    fn read_alike(&mut self, _logs: [&[u8]; 2], _sink: &mut Sink) -> [usize; 2] {
        [0, 0]
    }
    /// Reads one whole line of two logs that have said the same so far; false, and nothing is read, where they may part in it.
    fn line_alike(&mut self, _lines: [&[u8]; 2], _sink: &mut Sink) -> bool {
        false
    }
    /// What was met, in a few words.
    fn detail(&self) -> String {
        String::new()
    }
}
