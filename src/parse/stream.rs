//! A log on disk, pulled block by block, so that two of any size are compared in bounded memory.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::frames::frame_length;
use super::live::{Live, Summary};
use super::metric::Metric;
use super::options::Options;
use super::sink::Observation;
use super::{select, source};
use crate::error::{Error, Result};
use crate::model::{Course, Reading};

const BLOCK: usize = 64 << 10;

/// A metric seen so rarely keeps its latest points while logs are the same; a frequent one shows enough in the last block.
const RARE: usize = 64;

/// Pulls observations out of a log, one block at a time.
pub struct Stream {
    source: Box<dyn Read>,
    encoding: &'static str,
    path: PathBuf,
    block: Vec<u8>,
    /// Bytes of the block that were read and not yet parsed.
    unread: std::ops::Range<usize>,
    live: Live,
    damage: Option<String>,
    ended: bool,
    summary: Option<Summary>,
    known: usize,
    verbatim: bool,
    /// Bytes parsed so far.
    offset: u64,
    /// Lines of the log, each with the offset of a byte in it.
    marks: Vec<(u64, u64)>,
}

impl Stream {
    /// Opens a log; `-` is standard input.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        let source = source::open(path)?;
        Ok(Self {
            source: source.bytes,
            encoding: source.encoding,
            path: path.to_owned(),
            block: vec![0; BLOCK],
            unread: 0..0,
            live: Live::of_file(path, options.clone()),
            damage: None,
            ended: false,
            summary: None,
            known: 0,
            verbatim: source.verbatim && path != Path::new("-"),
            offset: 0,
            marks: Vec::new(),
        })
    }

    /// Opens two logs and reads what they have in common at their beginning, down to the last byte, only once: there
    /// both have the same points, which are counted in the course of each metric and not handed on.
    pub fn pair(paths: [&Path; 2], options: &Options) -> Result<[Self; 2]> {
        let mut left = Self::open(paths[0], options)?;
        let mut right = Self::open(paths[1], options)?;
        if left.encoding == right.encoding {
            left.read_common(&mut right)?;
        }
        Ok([left, right])
    }

    /// Adds the observations of the next block to `out`; false once the log is at its end.
    pub fn next_block(&mut self, out: &mut Vec<Observation>) -> Result<bool> {
        if self.summary.is_some() {
            return Ok(false);
        }
        if self.unread.is_empty() {
            self.fill()?;
        }
        let unread = std::mem::take(&mut self.unread);
        if unread.is_empty() {
            self.finish(out);
            return Ok(true);
        }
        let length = unread.len();
        self.live.push(&self.block[unread], out);
        self.pushed(length);
        Ok(true)
    }

    /// The table of metrics so far.
    pub fn metrics(&self) -> &[Metric] {
        self.live.metrics()
    }

    /// What was kept of a metric by its index.
    pub fn course(&self, metric: usize) -> Option<&Course> {
        self.live.sink.course(metric)
    }

    /// Hands on no further observation of a metric.
    pub fn mute(&mut self, metric: usize) {
        self.live.sink.mute(metric);
    }

    /// Lines of the log in their order, each with the offset of a byte in it; none where its bytes are not its text.
    pub fn marks(&self) -> &[(u64, u64)] {
        &self.marks
    }

    /// How many bytes of the log were read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What is known so far; complete once [`Stream::next_block`] has said false.
    pub fn summary(&self) -> Summary {
        self.summary.clone().unwrap_or_else(|| self.live.summary())
    }

    /// The log as a reading whose series hold their first points only.
    pub fn sketch(&self) -> Reading {
        self.live.sketch(self.encoding)
    }

    fn finish(&mut self, out: &mut Vec<Observation>) {
        if let Some(damage) = self.damage.take() {
            self.live.sink.warn(damage);
        }
        self.summary = Some(self.live.finish(out));
    }

    /// Reads the next block whole, unless the log ends in it.
    fn fill(&mut self) -> Result<()> {
        self.fill_from(0)
    }

    fn fill_from(&mut self, kept: usize) -> Result<()> {
        let mut filled = kept;
        while filled < BLOCK && !self.ended {
            match self.source.read(&mut self.block[filled..]) {
                Ok(0) => self.ended = true,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A compressed file that ends early is like a log that was cut.
                Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => {
                    self.damage = Some(format!("the file ends early or is damaged: {error}"));
                    self.ended = true;
                }
                Err(error) => return Err(Error::file("read", &self.path)(error)),
            }
        }
        self.unread = 0..filled;
        Ok(())
    }

    fn read_common(&mut self, other: &mut Self) -> Result<()> {
        // The latest common block is held back: only where the logs part does it matter what the last points were.
        let (mut held, mut length) = (vec![0; BLOCK], 0);
        self.live.sink.silent = true;
        let common = loop {
            self.fill()?;
            other.fill()?;
            let (a, b) = (&self.block[self.unread.clone()], &other.block[other.unread.clone()]);
            if a.is_empty() || a != b {
                break common_length(a, b);
            }
            self.skim(&held[..length]);
            length = self.unread.len();
            std::mem::swap(&mut held, &mut self.block);
        };
        // Where both logs go on, the last line is left whole to what follows.
        let common = whole_lines(&self.block[..common], self.block[..self.unread.end].get(common));
        held.truncate(length);
        held.extend_from_slice(&self.block[..common]);
        for course in self.live.sink.courses() {
            course.trails = true;
        }
        self.push_silently(&held);
        self.unread.start = common;
        other.unread.start = common;
        other.offset = self.offset;
        if other.verbatim {
            other.marks = self.marks.clone();
        }
        self.read_alike(other)?;
        self.live.sink.silent = false;
        other.live = self.live.like(&other.live);
        other.known = self.known;
        for stream in [self, other] {
            // From here on the comparison keeps the latest points itself.
            stream.live.sink.courses().for_each(|course| course.trails = false);
        }
        Ok(())
    }

    /// Reads on where the bytes of two logs are not the same, but what their lines say is.
    fn read_alike(&mut self, other: &mut Self) -> Result<()> {
        if !self.live.has_begun() {
            let rests = [&self.block[self.unread.clone()], &other.block[other.unread.clone()]];
            let Some(candidates) = self.live.begin(&other.path, rests) else { return Ok(()) };
            other.live.set_candidates(candidates);
        }
        loop {
            self.fill_up()?;
            other.fill_up()?;
            let (a, b) = (&self.block[self.unread.clone()], &other.block[other.unread.clone()]);
            let (read, parted) = alike(&mut self.live, [a, b]);
            if read == [0, 0] {
                return Ok(());
            }
            self.live.settle();
            self.unread.start += read[0];
            other.unread.start += read[1];
            self.pushed(read[0]);
            other.offset += read[1] as u64;
            if let Some(line) = self.live.line().filter(|_| other.verbatim) {
                other.marks.push((line, other.offset));
            }
            if parted {
                return Ok(());
            }
        }
    }

    /// Reads on behind what is not parsed yet, as much as there is room for.
    fn fill_up(&mut self) -> Result<()> {
        let kept = self.unread.len();
        self.block.copy_within(self.unread.clone(), 0);
        self.fill_from(kept)
    }

    fn skim(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let before: Vec<usize> = self.live.sink.courses().map(|course| course.count).collect();
        self.push_silently(bytes);
        for (index, course) in self.live.sink.courses().enumerate() {
            course.trails = course.count - before.get(index).copied().unwrap_or(0) < RARE;
        }
    }

    fn push_silently(&mut self, bytes: &[u8]) {
        let mut nothing = Vec::new();
        self.live.push(bytes, &mut nothing);
        self.pushed(bytes.len());
    }

    fn pushed(&mut self, length: usize) {
        self.watch_curve();
        self.offset += length as u64;
        if let Some(line) = self.live.line().filter(|_| self.verbatim) {
            self.marks.push((line, self.offset));
        }
    }

    /// Of all metrics only what looks like the primary one keeps its curve.
    fn watch_curve(&mut self) {
        if self.known == self.live.metrics().len() {
            return;
        }
        self.known = self.live.metrics().len();
        let primary = select::select(self.live.metrics(), self.live.asked()).primary;
        for (index, course) in self.live.sink.courses().enumerate() {
            course.curved = Some(index) == primary;
        }
    }
}

/// Reads what two logs say alike, and gives the bytes read of each and whether they may part behind them.
fn alike(live: &mut Live, logs: [&[u8]; 2]) -> ([usize; 2], bool) {
    let mut at = [0, 0];
    loop {
        let read = live.read_alike([&logs[0][at[0]..], &logs[1][at[1]..]]);
        at = [at[0] + read[0], at[1] + read[1]];
        if live.line().is_none() {
            return (at, false);
        }
        let rest = [&logs[0][at[0]..], &logs[1][at[1]..]];
        let (Some(a), Some(b)) = (whole_line(rest[0]), whole_line(rest[1])) else { return (at, false) };
        if !live.line_alike([a, b]) {
            return (at, true);
        }
        at = [at[0] + a.len(), at[1] + b.len()];
    }
}

/// The line or redraw that the bytes begin with, where the byte behind it is there as well or it ends in a line feed.
fn whole_line(bytes: &[u8]) -> Option<&[u8]> {
    let length = frame_length(bytes)?;
    (bytes[length - 1] == b'\n' || length < bytes.len()).then(|| &bytes[..length])
}

/// How many of the bytes are whole lines or redraws; `next` is the byte behind them.
fn whole_lines(bytes: &[u8], next: Option<&u8>) -> usize {
    let end = memchr::memrchr2(b'\n', b'\r', bytes).map_or(0, |at| at + 1);
    let split = bytes[..end].ends_with(b"\r") && bytes.get(end).or(next).is_none_or(|&next| next == b'\n');
    if split { whole_lines(&bytes[..end - 1], Some(&b'\n')) } else { end }
}

/// How many bytes two blocks have in common at their beginning.
fn common_length(a: &[u8], b: &[u8]) -> usize {
    const STRIDE: usize = 4096;
    let whole = a.chunks_exact(STRIDE).zip(b.chunks_exact(STRIDE)).take_while(|(a, b)| a == b).count() * STRIDE;
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(a, b)| a == b).count()
}
