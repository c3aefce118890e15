//! Sharded safetensors: `*.index.json` says which file beside it holds which tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Component, Path};

use serde_json::Value;

use super::{malformed, safetensors};
use crate::error::{Error, Result};
use crate::model::{Checkpoint, Place};

/// The longest index that is read.
const LONGEST: u64 = 256 << 20;

/// Whether a file may be an index.
pub fn is_index(path: &Path, head: &[u8]) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with(".index.json") && head.trim_ascii_start().starts_with(b"{")
}

/// Reads the index and the headers of its shards; `None` where it has no map of weights.
pub fn read(path: &Path) -> Result<Option<Checkpoint>> {
    let size = path.metadata().map_err(Error::file("read", path))?.len();
    if size > LONGEST {
        return Err(malformed(path, "the index is too large to be one"));
    }
    let text = std::fs::read(path).map_err(Error::file("read", path))?;
    let index: Value =
        serde_json::from_slice(&text).map_err(|error| malformed(path, format!("the index is damaged: {error}")))?;
    let Some(map) = index.get("weight_map").and_then(Value::as_object) else { return Ok(None) };
    let mut shards: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, file) in map {
        let file = file.as_str().ok_or_else(|| malformed(path, format!("`{name}` names no file")))?;
        shards.entry(file).or_default().insert(name);
    }
    let mut whole = Checkpoint { format: "sharded safetensors", ..Checkpoint::default() };
    for (name, tensors) in shards {
        take(path, name, &tensors, &mut whole)?;
    }
    Ok(Some(whole))
}

/// Adds the tensors of one shard.
fn take(index: &Path, name: &str, wanted: &BTreeSet<&str>, whole: &mut Checkpoint) -> Result<()> {
    let mut parts = Path::new(name).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
        return Err(malformed(index, format!("the shard `{name}` does not lie beside the index; it was not opened")));
    }
    let path = index.with_file_name(name);
    let file = File::open(&path).map_err(Error::file("read", &path))?;
    let shard = safetensors::read(&path, &file)?;
    let number = whole.files.len();
    whole.files.push(path.clone());
    let mut found = BTreeSet::new();
    for mut tensor in shard.tensors {
        found.insert(tensor.name.clone());
        if !wanted.contains(tensor.name.as_str()) {
            whole.warnings.push(format!("{name} holds `{}`, which the index does not name", tensor.name));
        }
        if let Place::File { file, .. } = &mut tensor.storage.place {
            *file = number;
        }
        whole.tensors.push(tensor);
    }
    if let Some(lost) = wanted.iter().find(|name| !found.contains(**name)) {
        return Err(malformed(&path, format!("the index says that `{lost}` is here, and it is not")));
    }
    whole.not_understood.extend(shard.not_understood);
    whole.warnings.extend(shard.warnings.iter().map(|warning| format!("{name}: {warning}")));
    // Every shard repeats the metadata of the whole.
    for state in shard.state {
        if !whole.state.contains(&state) {
            whole.state.push(state);
        }
    }
    Ok(())
}
