//! One output of a run: what comes through the pipe goes to its file and, in the same pass, to the listener.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::model::Stream;

/// A pipe holds no more than this by default, so one read empties it.
const BLOCK: usize = 64 * 1024;

/// One output of a run. Memory is one block, whatever the job writes: the job waits while the block is dealt with.
pub struct Capture {
    stream: Stream,
    pipe: Option<Box<dyn AsyncRead + Unpin>>,
    file: Option<File>,
    path: PathBuf,
    kept: u64,
    block: Vec<u8>,
    trouble: Option<String>,
}

impl Capture {
    /// Captures `pipe` into a new file. A file that cannot be made is told by [`Capture::trouble`], and the run goes on.
    pub fn new(stream: Stream, pipe: Box<dyn AsyncRead + Unpin>, folder: &Path) -> Self {
        let path = folder.join(file_name(stream));
        let mut capture =
            Self { stream, pipe: Some(pipe), file: None, path, kept: 0, block: vec![0; BLOCK], trouble: None };
        match create(&capture.path) {
            Ok(file) => capture.file = Some(file),
            Err(why) => capture.give_up(&why),
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
            Stream::Output => "standard output",
            Stream::Error => "standard error",
        };
        let after = if self.kept == 0 { String::new() } else { format!(" after {} bytes", self.kept) };
        self.trouble = Some(format!("{name} could not be written to {}{after}: {why}", self.path.display()));
    }
}

/// Name of the file that keeps an output.
pub fn file_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Output => "stdout.log",
        Stream::Error => "stderr.log",
    }
}

fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}
