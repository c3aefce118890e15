//! The outputs of several ranks, which `torchrun` keeps apart when it is asked to.
//!
//! On a console they damage one another: up to a tenth of the lines. Files of their own were never seen damaged. The
//! launcher is asked for them by its environment, so the command stays as it is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::model::Stream;

/// Folder of a run's record in which ranks leave their outputs.
pub const FOLDER: &str = "ranks";
/// Variables that make `torchrun` write the output of each rank to a file of its own, and say where.
const VARIABLES: [&str; 2] = ["PET_REDIRECTS", "PET_LOG_DIR"];
/// Most bytes read of one rank in one look.
const MOST: u64 = 16 << 20;
/// More ranks than any one node starts.
const MOST_RANKS: usize = 4096;

/// What asks a launcher to keep ranks apart, below the record folder of a run; nothing where the job or the user has a
/// wish of its own.
pub fn variables(record: &Path, environment: &BTreeMap<String, Option<String>>) -> Vec<(&'static str, PathBuf)> {
    let taken = |name: &str| environment.contains_key(name) || std::env::var_os(name).is_some();
    if VARIABLES.iter().any(|name| taken(name)) {
        return Vec::new();
    }
    vec![(VARIABLES[0], "3".into()), (VARIABLES[1], record.join(FOLDER))]
}

/// The standard output of each rank that left one, by rank: those of the last restart of the one launcher that wrote here.
///
/// Where several launchers did, on several nodes, the folders tell local ranks only: then there is none.
pub fn logs(record: &Path) -> BTreeMap<u32, PathBuf> {
    let launchers = folders(&record.join(FOLDER));
    let [launcher] = launchers.as_slice() else { return BTreeMap::new() };
    let number = |path: &PathBuf, prefix: &str| -> Option<u32> {
        path.file_name()?.to_str()?.strip_prefix(prefix)?.parse().ok()
    };
    let last = folders(launcher).into_iter().filter_map(|path| Some((number(&path, "attempt_")?, path))).max();
    let ranks = last.map(|(_, path)| folders(&path)).unwrap_or_default();
    ranks.into_iter().filter_map(|path| Some((number(&path, "")?, path.join("stdout.log")))).collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path());
    found.take(MOST_RANKS).collect()
}

/// Follows what ranks write while they write it.
pub struct Ranks {
    record: PathBuf,
    read: BTreeMap<PathBuf, u64>,
}

impl Ranks {
    /// The ranks of the run that is recorded in this folder.
    pub fn new(record: &Path) -> Self {
        Self { record: record.to_owned(), read: BTreeMap::new() }
    }

    /// Whether a launcher has begun to keep ranks apart.
    pub fn are_there(&self) -> bool {
        !self.read.is_empty() || self.record.join(FOLDER).exists()
    }

    /// Reads what is new and hands it on in blocks.
    pub fn read(&mut self, mut take: impl FnMut(Stream, &[u8])) {
        let mut block = Vec::new();
        for (rank, path) in logs(&self.record) {
            let read = self.read.entry(path.clone()).or_default();
            let Ok(mut file) = File::open(&path) else { continue };
            if file.seek(SeekFrom::Start(*read)).is_err() {
                continue;
            }
            block.resize(1 << 16, 0);
            let mut file = file.take(MOST);
            while let Ok(count) = file.read(&mut block)
                && count > 0
            {
                *read += count as u64;
                take(Stream::Rank(rank), &block[..count]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(record: &Path, path: &str, text: &str) {
        let path = record.join(FOLDER).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn each_rank_is_heard_from_its_own_file_and_only_since_the_last_restart() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "none_x/attempt_0/0/stdout.log", "old\n");
        let mut ranks = Ranks::new(folder.path());
        let mut heard = Vec::new();
        let mut take = |stream: Stream, bytes: &[u8]| heard.push((stream, String::from_utf8_lossy(bytes).into_owned()));
        write(folder.path(), "none_x/attempt_1/0/stdout.log", "a\n");
        write(folder.path(), "none_x/attempt_1/10/stdout.log", "b\n");
        write(folder.path(), "none_x/attempt_1/10/stderr.log", "no\n");
        ranks.read(&mut take);
        write(folder.path(), "none_x/attempt_1/10/stdout.log", "b\nc\n");
        ranks.read(&mut take);
        let expected = [(0, "a\n"), (10, "b\n"), (10, "c\n")].map(|(rank, text)| (Stream::Rank(rank), text.to_owned()));
        assert_eq!(heard, expected);
    }

    #[test]
    fn launchers_of_several_nodes_are_not_mixed() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "none_x/attempt_0/0/stdout.log", "a\n");
        write(folder.path(), "none_y/attempt_0/0/stdout.log", "b\n");
        assert!(logs(folder.path()).is_empty());
    }

    #[test]
    fn a_user_who_keeps_ranks_apart_is_left_alone() {
        let environment = BTreeMap::from([("PET_LOG_DIR".to_owned(), Some("/elsewhere".to_owned()))]);
        assert!(variables(Path::new("/r"), &environment).is_empty());
    }
}
