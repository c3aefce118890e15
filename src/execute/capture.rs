//! One output of a run: what comes through the pipe goes to its file and, in the same pass, to the listener.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::error::{Error, Result};
use crate::model::Stream;

/// A pipe holds no more than this by default, so one read empties it.
const BLOCK: usize = 64 * 1024;

/// What a run writes comes out here.
pub type Pipe = Box<dyn AsyncRead + Unpin>;

/// One output of a run. Memory is one block, whatever the job writes: the job waits while the block is dealt with.
pub struct Capture {
    stream: Stream,
    pipe: Option<Pipe>,
    file: Option<File>,
    path: PathBuf,
    kept: u64,
    block: Vec<u8>,
    trouble: Option<String>,
}

impl Capture {
    /// Captures `pipe` into a new file. A file that cannot be made is told by [`Capture::trouble`], and the run goes on.
    ///
    /// Without a pipe there is nothing to capture: the run writes to its file by itself.
    pub fn new(stream: Stream, pipe: Option<Pipe>, folder: &Path) -> Self {
        let path = folder.join(file_name(stream));
        let block = if pipe.is_some() { vec![0; BLOCK] } else { Vec::new() };
        let mut capture = Self { stream, pipe, file: None, path, kept: 0, block, trouble: None };
        if capture.is_open() {
            match open(&capture.path) {
                Ok(file) => capture.file = Some(file),
                Err(why) => capture.give_up(&why),
            }
        }
        capture
    }

    /// Whether more may come.
    pub fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Waits for bytes; 0 means that no more will come.
    pub async fn read(&mut self) -> usize {
        let Some(pipe) = &mut self.pipe else { return 0 };
        match pipe.read(&mut self.block).await {
            Ok(count) if count > 0 => count,
            // A terminal whose other end is closed says so by an error.
            _ => {
                self.pipe = None;
                0
            }
        }
    }

    /// Writes what the last read brought to the file, and gives it out.
    pub fn keep(&mut self, count: usize) -> (Stream, &[u8]) {
        let bytes = &self.block[..count];
        if let Some(file) = &mut self.file {
            match file.write_all(bytes) {
                Ok(()) => self.kept += count as u64,
                Err(why) => self.give_up(&why),
            }
        }
        (self.stream, &self.block[..count])
    }

    /// What went wrong with the file, for a reader of the run.
    pub fn trouble(self) -> Option<String> {
        self.trouble
    }

    /// Ends the file here: one with a hole in it would be read as the whole.
    fn give_up(&mut self, why: &io::Error) {
        self.file = None;
        let name = match self.stream {
            Stream::Output | Stream::Rank(_) => "standard output",
            Stream::Error => "standard error",
        };
        let after = if self.kept == 0 { String::new() } else { format!(" after {} bytes", self.kept) };
        self.trouble = Some(format!("{name} could not be written to {}{after}: {why}", self.path.display()));
    }
}

/// Name of the file that keeps an output.
pub fn file_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Output | Stream::Rank(_) => "stdout.log",
        Stream::Error => "stderr.log",
    }
}

/// The file for one output of a run, for the run to write to by itself.
pub fn create(folder: &Path, stream: Stream) -> Result<File> {
    let path = folder.join(file_name(stream));
    use std::os::unix::fs::OpenOptionsExt as _;
    // Appending keeps whole what several processes write at once.
    File::options().append(true).create(true).mode(0o600).open(&path).map_err(Error::file("create", &path))
}

fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}
