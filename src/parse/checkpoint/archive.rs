//! A zip archive as a list of entries and where their bytes lie; nothing is extracted.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::malformed;
use crate::error::{Error, Result};

/// An archive may grow this much freely when decompressed…
const FREE: u64 = 1 << 30;
/// …and beyond that at most to so many times its size.
const RATIO: u64 = 400;

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, never used as a path.
    pub name: String,
    /// Its first byte, compressed or not, in the archive.
    pub at: u64,
    /// Bytes it takes there.
    pub packed: u64,
    /// Bytes it has.
    pub length: u64,
    /// Whether it is compressed.
    pub deflated: bool,
}

/// A zip archive.
#[derive(Debug)]
pub struct Archive {
    /// Its entries, in the order of the directory.
    pub entries: Vec<Entry>,
    path: PathBuf,
    file: File,
}

impl Archive {
    /// Reads the directory of a file that is an archive.
    pub fn open(path: &Path, file: File) -> Result<Self> {
        let size = file.metadata().map_err(Error::file("read", path))?.len();
        Self::within(path, file, 0, size)
    }

    /// Reads the directory of an archive that takes `size` bytes of a file, from `start` on.
    pub fn within(path: &Path, file: File, start: u64, size: u64) -> Result<Self> {
        let whole = file.metadata().map_err(Error::file("read", path))?.len();
        let end = start.checked_add(size).filter(|end| *end <= whole);
        let end = end.ok_or_else(|| malformed(path, "a piece reaches outside of the file"))?;
        let damaged = |error: zip::result::ZipError| malformed(path, format!("the zip archive is damaged: {error}"));
        let reader = file.try_clone().map_err(Error::file("read", path))?;
        let mut zip = ZipArchive::new(Window { file: reader, start, end, at: start }).map_err(damaged)?;
        let mut entries = Vec::new();
        for index in 0..zip.len() {
            let inside = zip.by_index_raw(index).map_err(damaged)?;
            if inside.is_dir() {
                continue;
            }
            let name = inside.name().map_err(damaged)?.into_owned();
            let deflated = match inside.compression() {
                CompressionMethod::Stored => false,
                CompressionMethod::Deflated => true,
                other => {
                    let what = format!("the entry `{name}` is compressed by {other}, which is not read");
                    return Err(malformed(path, what));
                }
            };
            if inside.encrypted() {
                return Err(malformed(path, format!("the entry `{name}` is encrypted")));
            }
            let at = inside.data_start().and_then(|at| at.checked_add(start));
            let at = at.ok_or_else(|| malformed(path, "an entry of the zip archive has no place"))?;
            let (packed, length) = (inside.compressed_size(), inside.size());
            if at.checked_add(packed).is_none_or(|beyond| beyond > end) || (!deflated && packed != length) {
                return Err(malformed(path, format!("the entry `{name}` reaches outside of the file")));
            }
            entries.push(Entry { name, at, packed, length, deflated });
        }
        let archive = Self { entries, path: path.to_owned(), file };
        archive.check(size)?;
        Ok(archive)
    }

    /// Fails where entries share bytes, or would grow beyond all measure: the ways in which an archive is a bomb.
    fn check(&self, size: u64) -> Result<()> {
        let mut ranges: Vec<(u64, u64)> = self.entries.iter().map(|entry| (entry.at, entry.packed)).collect();
        ranges.sort_unstable();
        if ranges.windows(2).any(|pair| pair[0].0 + pair[0].1 > pair[1].0) {
            return Err(malformed(&self.path, "entries of the zip archive overlap"));
        }
        let whole = self.entries.iter().fold(0_u64, |whole, entry| whole.saturating_add(entry.length));
        if whole > FREE.max(size.saturating_mul(RATIO)) {
            let what = format!("{size} bytes claim to hold {whole}: that looks like a zip bomb, and it was not opened");
            return Err(malformed(&self.path, what));
        }
        Ok(())
    }

    /// The first bytes of an entry, at most `most`.
    pub fn beginning(&self, entry: &Entry, most: usize) -> Result<Vec<u8>> {
        let wanted = usize::try_from(entry.length).unwrap_or(usize::MAX).min(most);
        let mut bytes = Vec::new();
        let raw = Section { file: &self.file, at: entry.at, left: entry.packed };
        let read = match entry.deflated {
            false => raw.take(wanted as u64).read_to_end(&mut bytes),
            true => DeflateDecoder::new(raw).take(wanted as u64).read_to_end(&mut bytes),
        };
        read.map_err(Error::file("read", &self.path))?;
        if bytes.len() < wanted {
            return Err(malformed(&self.path, format!("the entry `{}` is shorter than it claims", entry.name)));
        }
        Ok(bytes)
    }
}

/// A stretch of a file.
struct Section<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let read = self.file.read_at(&mut out[..most], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// A stretch of a file as if it were a file of its own.
struct Window {
    file: File,
    start: u64,
    end: u64,
    at: u64,
}

impl Read for Window {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(out.len());
        let read = self.file.read_at(&mut out[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => self.start.checked_add(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.filter(|at| *at >= self.start).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at - self.start)
    }
}
