//! The environment of a run on a node: the submitter's, exactly, but for what only the node can know.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::files;
use crate::error::{Error, Result};

/// Variables whose value is the node's.
const OF_THE_NODE: &[&str] =
    &["CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "TMPDIR"];

fn is_of_the_node(name: &str) -> bool {
    OF_THE_NODE.contains(&name) || name.starts_with("SLURM_") || name.starts_with("SLURMD_")
}

/// Where an audit keeps the submitter's environment as long as a run may need it. It holds the user's secrets, so it goes
/// with the last run.
pub fn path(shared: &Path) -> PathBuf {
    shared.join("environment")
}

/// Keeps the environment of this process, unless an earlier part of the audit kept its own: all runs get the same.
pub fn keep(shared: &Path) -> Result<()> {
    let path = path(shared);
    if path.exists() {
        return Ok(());
    }
    let mut bytes = Vec::new();
    for (name, value) in std::env::vars_os() {
        let name = name.as_bytes();
        if !str::from_utf8(name).is_ok_and(is_of_the_node) && !name.starts_with(b"SBATCH_") {
            bytes.extend_from_slice(&[name, b"=", value.as_bytes(), b"\0"].concat());
        }
    }
    files::write_bytes(&path, &bytes)
}

/// What is to be set and removed on a node, so that a process has the submitter's environment. `submission` is a folder of
/// the audit's shared one.
pub fn on_the_node(submission: &Path) -> Result<BTreeMap<String, Option<String>>> {
    let path = path(submission.parent().unwrap_or(submission));
    let bytes = fs::read(&path).map_err(Error::file("read", &path))?;
    let own = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| !is_of_the_node(name));
    let removed = own.map(|name| (name, None));
    Ok(removed.chain(kept(&bytes)).collect())
}

/// Values that are no text are left out: a job reads none of them as it should, here or there.
fn kept(bytes: &[u8]) -> impl Iterator<Item = (String, Option<String>)> {
    let entries = bytes.split(|&byte| byte == 0).filter_map(|entry| str::from_utf8(entry).ok());
    // A name may begin with `=` on no system of ours; an empty one is no variable.
    entries
        .filter_map(|entry| entry.split_once('='))
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_arrive_whatever_they_hold() {
        let bytes = b"A=1\0B=q,r 's'\n\"t\"\0C==x\0\xff=1\0D=\0";
        let expected = [("A", "1"), ("B", "q,r 's'\n\"t\""), ("C", "=x"), ("D", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
        assert_eq!(kept(bytes).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_the_submitter_had_replaces_what_the_node_has() {
        let shared = tempfile::tempdir().unwrap();
        fs::write(path(shared.path()), b"ONLY_THERE=1\0").unwrap();
        let set = on_the_node(&shared.path().join("1-ra-x")).unwrap();
        assert_eq!(set.get("ONLY_THERE"), Some(&Some("1".to_owned())));
        assert_eq!(set.get("PATH"), Some(&None), "the node's own is not the submitter's");
    }

    #[test]
    fn the_first_part_of_an_audit_decides_for_all() {
        let shared = tempfile::tempdir().unwrap();
        fs::write(path(shared.path()), b"FIRST=1\0").unwrap();
        keep(shared.path()).unwrap();
        assert_eq!(fs::read(path(shared.path())).unwrap(), b"FIRST=1\0");
    }
}
