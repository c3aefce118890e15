//! The bytes of a storage, read where they lie: by offset in a file, forward through a compressed stream, or in memory.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use flate2::read::DeflateDecoder;

use super::Side;
use crate::model::{Piece, Place, Storage};

/// A compressed storage up to this size may be read in any order.
const HELD: u64 = 16 << 20;

/// The bytes of one storage.
pub enum Bytes<'a> {
    /// In a file.
    File(&'a File, u64),
    /// In several stretches of files: where each ends in the storage, its file, and its first byte there.
    Pieces(Vec<(u64, &'a File, u64)>),
    /// In memory.
    Held(&'a [u8]),
    /// In memory, once decompressed.
    Inflated(Vec<u8>),
    /// Compressed, to be read forward.
    Stream(Box<Stream<'a>>),
}

/// A compressed storage and how far it was read.
pub struct Stream<'a> {
    decoder: DeflateDecoder<Section<'a>>,
    at: u64,
}

impl<'a> Bytes<'a> {
    /// The bytes of a storage; `forward` where they will be read from the beginning to the end.
    pub fn open(side: &'a Side<'_>, storage: &'a Storage, forward: bool) -> io::Result<Self> {
        let file = |number: usize| side.files.get(number).ok_or_else(|| io::Error::other("a file is not there"));
        match &storage.place {
            Place::File { file: number, at } => Ok(Self::File(file(*number)?, *at)),
            Place::Pieces(pieces) => {
                let mut end = 0;
                let place = |piece: &Piece| {
                    end += piece.length;
                    Ok((end, file(piece.file)?, piece.at))
                };
                Ok(Self::Pieces(pieces.iter().map(place).collect::<io::Result<_>>()?))
            }
            Place::Held(bytes) => Ok(Self::Held(bytes)),
            Place::Deflated { file: number, at, packed, skip } => {
                let section = Section { file: file(*number)?, at: *at, left: *packed };
                let mut decoder = DeflateDecoder::new(section);
                io::copy(&mut decoder.by_ref().take(*skip), &mut io::sink())?;
                if forward {
                    return Ok(Self::Stream(Box::new(Stream { decoder, at: 0 })));
                }
                if storage.length > HELD {
                    return Err(io::Error::other("it is compressed, large, and its elements do not lie in a row"));
                }
                let mut bytes = Vec::new();
                decoder.take(storage.length).read_to_end(&mut bytes)?;
                Ok(Self::Inflated(bytes))
            }
        }
    }

    /// Fills `out` with the bytes from `at` on.
    pub fn read(&mut self, at: u64, out: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File(file, start) => file.read_exact_at(out, *start + at),
            Self::Pieces(pieces) => gather(pieces, at, out),
            Self::Held(bytes) => copy(bytes, at, out),
            Self::Inflated(bytes) => copy(bytes, at, out),
            Self::Stream(stream) => {
                let skip = at.checked_sub(stream.at).ok_or_else(|| io::Error::other("read backwards"))?;
                io::copy(&mut stream.decoder.by_ref().take(skip), &mut io::sink())?;
                stream.decoder.read_exact(out)?;
                stream.at = at + out.len() as u64;
                Ok(())
            }
        }
    }
}

fn gather(pieces: &[(u64, &File, u64)], mut at: u64, mut out: &mut [u8]) -> io::Result<()> {
    let first = pieces.partition_point(|(end, ..)| *end <= at);
    let mut begin = first.checked_sub(1).map_or(0, |before| pieces[before].0);
    for (end, file, start) in &pieces[first..] {
        let here = usize::try_from(end - at).unwrap_or(usize::MAX).min(out.len());
        let (now, rest) = out.split_at_mut(here);
        file.read_exact_at(now, start + (at - begin))?;
        (out, at, begin) = (rest, at + here as u64, *end);
        if out.is_empty() {
            return Ok(());
        }
    }
    if out.is_empty() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn copy(bytes: &[u8], at: u64, out: &mut [u8]) -> io::Result<()> {
    let start = usize::try_from(at).unwrap_or(usize::MAX);
    let from = bytes.get(start..).and_then(|rest| rest.get(..out.len()));
    out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
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
