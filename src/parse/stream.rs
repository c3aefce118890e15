//! A log on disk, pulled block by block, so that two of any size are compared in bounded memory.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::live::{Live, Summary};
use super::options::Options;
use super::sink::{Metric, Observation};
use super::source;
use crate::error::{Error, Result};

const BLOCK: usize = 128 << 10;

/// Pulls observations out of a log, one block at a time.
pub struct Stream {
    source: Box<dyn Read>,
    path: PathBuf,
    block: Vec<u8>,
    live: Live,
    summary: Option<Summary>,
}

impl Stream {
    /// Opens a log; `-` is standard input.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        let source = source::open(path)?;
        Ok(Self {
            source: source.bytes,
            path: path.to_owned(),
            block: vec![0; BLOCK],
            live: Live::new(options.clone()),
            summary: None,
        })
    }

    /// Adds the observations of the next block to `out`; false once the log is at its end.
    pub fn next_block(&mut self, out: &mut Vec<Observation>) -> Result<bool> {
        if self.summary.is_some() {
            return Ok(false);
        }
        let read = self.source.read(&mut self.block).map_err(Error::file("read", &self.path))?;
        if read == 0 {
            self.summary = Some(self.live.finish(out));
            return Ok(true);
        }
        self.live.push(&self.block[..read], out);
        Ok(true)
    }

    /// The table of metrics so far.
    pub fn metrics(&self) -> &[Metric] {
        self.live.metrics()
    }

    /// What is known so far; complete once [`Stream::next_block`] has said false.
    pub fn summary(&self) -> Summary {
        self.summary.clone().unwrap_or_else(|| self.live.summary())
    }
}
