//! A file as a stream of plain UTF-8: decompressed, then converted, both found by the first bytes.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::encoding::{self, Converted};
use crate::error::{Error, Result};

/// A compressed log may grow this much freely…
const FREE: u64 = 1 << 30;
/// …and beyond that at most to so many times its compressed size.
const RATIO: u64 = 400;

/// A log, ready to be read.
pub(crate) struct Source {
    /// Its bytes: UTF-8 where it is text.
    pub(crate) bytes: Box<dyn Read>,
    /// The name of its encoding, or `binary`.
    pub(crate) encoding: &'static str,
    /// Whether they are the very bytes of the file.
    pub(crate) verbatim: bool,
}

/// Opens a file, or standard input for `-`.
pub(crate) fn open(path: &Path) -> Result<Source> {
    let raw: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(Error::file("read", path))?)
    };
    wrap(raw).map_err(Error::file("read", path))
}

/// Takes compression and encoding off.
pub(crate) fn wrap(raw: Box<dyn Read>) -> io::Result<Source> {
    let (head, raw) = peek(raw, 8)?;
    let packed = matches!(head.as_slice(), [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..]);
    let plain: Box<dyn Read> = match head.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(Bounded::new(MultiGzDecoder::new(Counted::new(raw)), |d| d.get_ref().count)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(Bounded::new(Zstd::new(raw), |d| d.compressed())),
        _ => raw,
    };
    let (head, plain) = peek(plain, 16 << 10)?;
    let rotated = head.starts_with(&[0; ZEROS]);
    let (head, plain) = if rotated { peek(behind_zeros(plain)?, 16 << 10)? } else { (head, plain) };
    if is_binary(&head) {
        return Ok(Source { bytes: plain, encoding: "binary", verbatim: !packed });
    }
    let guess = encoding::guess(&head);
    let verbatim = !packed && !rotated && guess.is_utf8();
    let bytes = if guess.is_utf8() { plain } else { Box::new(Converted::new(plain, guess)) };
    Ok(Source { bytes, encoding: guess.name, verbatim })
}

/// A log that was cut at its beginning while a program went on writing to it has at least so many zero bytes there.
const ZEROS: usize = 16;

/// A stream behind the zero bytes at its beginning.
fn behind_zeros(mut raw: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut block = vec![0; 64 << 10];
    loop {
        let read = raw.read(&mut block)?;
        let zeros = block[..read].iter().take_while(|byte| **byte == 0).count();
        if read == 0 || zeros < read {
            return Ok(Box::new(Cursor::new(block[zeros..read].to_vec()).chain(raw)));
        }
    }
}

/// Formats that are no text whatever their zero bytes look like.
fn is_binary(head: &[u8]) -> bool {
    head.starts_with(b":W&B") || super::events::begins(head)
}

/// The first bytes of a stream, and the stream with them put back.
fn peek(mut raw: Box<dyn Read>, count: usize) -> io::Result<(Vec<u8>, Box<dyn Read>)> {
    let mut head = vec![0; count];
    let mut filled = 0;
    while filled < count {
        match raw.read(&mut head[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    head.truncate(filled);
    Ok((head.clone(), Box::new(Cursor::new(head).chain(raw))))
}

/// Counts what is read; one byte may be put back.
struct Counted<R> {
    inner: R,
    count: u64,
    back: Option<u8>,
}

impl<R> Counted<R> {
    fn new(inner: R) -> Self {
        Self { inner, count: 0, back: None }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let (Some(first), Some(byte)) = (out.first_mut(), self.back) {
            *first = byte;
            self.back = None;
            return Ok(1);
        }
        let read = self.inner.read(out)?;
        self.count += read as u64;
        Ok(read)
    }
}

/// Zstandard, frame after frame.
struct Zstd {
    decoder: Option<StreamingDecoder<Counted<Box<dyn Read>>, ruzstd::decoding::FrameDecoder>>,
    between: Option<Counted<Box<dyn Read>>>,
}

impl Zstd {
    fn new(raw: Box<dyn Read>) -> Self {
        Self { decoder: None, between: Some(Counted::new(raw)) }
    }

    fn compressed(&self) -> u64 {
        self.decoder.as_ref().map_or(0, |d| d.get_ref().count)
    }

    /// Opens the next frame; false at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        let Some(mut raw) = self.between.take() else { return Ok(false) };
        let mut first = [0; 1];
        if raw.read(&mut first)? == 0 {
            return Ok(false);
        }
        raw.back = Some(first[0]);
        let decoder = StreamingDecoder::new(raw).map_err(io::Error::other)?;
        self.decoder = Some(decoder);
        Ok(true)
    }
}

impl Read for Zstd {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(mut decoder) = self.decoder.take() {
                let read = decoder.read(out)?;
                if read > 0 {
                    self.decoder = Some(decoder);
                    return Ok(read);
                }
                self.between = Some(decoder.into_inner());
            }
            if out.is_empty() || !self.next_frame()? {
                return Ok(0);
            }
        }
    }
}

/// Stops a stream that unpacks to far more than any log would.
struct Bounded<R, F> {
    inner: R,
    compressed: F,
    out: u64,
}

impl<R: Read, F: Fn(&R) -> u64> Bounded<R, F> {
    fn new(inner: R, compressed: F) -> Self {
        Self { inner, compressed, out: 0 }
    }
}

impl<R: Read, F: Fn(&R) -> u64> Read for Bounded<R, F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.out += read as u64;
        if self.out > FREE && self.out / RATIO > (self.compressed)(&self.inner) {
            return Err(io::Error::other(
                "unpacks to over 400 times its size: no log does; unpack it yourself if it is one",
            ));
        }
        Ok(read)
    }
}
