//! Follows the logs of an attempt while another machine writes them.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::files::{End, LogSum};
use crate::execute::capture::file_name;
use crate::execute::ranks::Ranks;
use crate::model::Stream;

/// Most bytes read of one log in one look, so that a flood does not hold up the other runs.
const MOST: u64 = 16 << 20;

/// The logs of one attempt, as far as they were read.
pub struct Follow {
    folder: PathBuf,
    ranks: Ranks,
    logs: [(Stream, LogSum); 2],
}

impl Follow {
    /// The logs in an attempt's folder, from their beginning.
    pub fn new(folder: &Path) -> Self {
        let nothing = LogSum { bytes: 0, crc32c: 0 };
        Self {
            folder: folder.to_owned(),
            ranks: Ranks::new(folder),
            logs: [(Stream::Output, nothing), (Stream::Error, nothing)],
        }
    }

    /// Reads what is new and hands it on in blocks; true where there may be more at once.
    ///
    /// The file is opened anew each time and never asked for its length: a network file system answers that from memory.
    pub fn read(&mut self, mut take: impl FnMut(Stream, &[u8])) -> bool {
        let mut more = false;
        let mut block = vec![0; 1 << 16];
        for (stream, sum) in &mut self.logs {
            let path = self.folder.join(file_name(*stream));
            // A log that cannot be read now is tried again at the next look; its end tells how long it has to be.
            let before = sum.bytes;
            let _ = read_on(&path, sum, &mut block, &mut |bytes| take(*stream, bytes));
            more |= sum.bytes - before >= MOST;
        }
        self.ranks.read(take);
        more
    }

    /// Whether everything is here that the attempt wrote: `Err` says what is not as the node wrote it.
    pub fn is_whole(&self, end: &End) -> Result<bool, String> {
        for (stream, sum) in &self.logs {
            let name = file_name(*stream);
            let Some(written) = end.logs.get(name) else { continue };
            if sum.bytes < written.bytes {
                return Ok(false);
            }
            if sum != written {
                return Err(format!(
                    "{name} is not what its node wrote: {} bytes there, {} here",
                    written.bytes, sum.bytes
                ));
            }
        }
        // Those of ranks are read again in full when the run is over; they only have to be there.
        let here = |name: &String| File::open(self.folder.join(name)).and_then(|file| file.metadata());
        Ok(end.logs.iter().all(|(name, written)| here(name).map_or(0, |found| found.len()) >= written.bytes))
    }

    /// How much of its output was read, for a log that does not come whole.
    pub fn bytes(&self) -> u64 {
        self.logs[0].1.bytes
    }
}

fn read_on(path: &Path, sum: &mut LogSum, block: &mut [u8], take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(sum.bytes))?;
    let mut file = file.take(MOST);
    loop {
        let count = file.read(block)?;
        if count == 0 {
            return Ok(());
        }
        sum.bytes += count as u64;
        sum.crc32c = crc32c::crc32c_append(sum.crc32c, &block[..count]);
        take(&block[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::slurm::files::How;
    use std::fs;

    #[test]
    fn a_log_is_believed_once_it_is_as_long_and_as_its_node_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("stdout.log");
        let mut follow = Follow::new(folder.path());
        let mut heard = Vec::new();
        assert!(!follow.read(|_, bytes| heard.extend_from_slice(bytes)));
        let mut end = End::without_job(How::Finished, String::new());
        let written = LogSum { bytes: 8, crc32c: crc32c::crc32c(b"one\ntwo\n") };
        end.logs.insert("stdout.log".to_owned(), written);
        fs::write(&log, "one\n").unwrap();
        follow.read(|_, bytes| heard.extend_from_slice(bytes));
        assert_eq!(follow.is_whole(&end), Ok(false));
        fs::write(&log, "one\ntwo\n").unwrap();
        follow.read(|_, bytes| heard.extend_from_slice(bytes));
        assert_eq!((heard.as_slice(), follow.is_whole(&end)), (&b"one\ntwo\n"[..], Ok(true)));
        end.logs.insert("stdout.log".to_owned(), LogSum { crc32c: 0, ..written });
        assert!(follow.is_whole(&end).is_err());
    }
}
