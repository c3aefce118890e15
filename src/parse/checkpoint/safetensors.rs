//! safetensors: the length of a JSON header, the header, then the tensors' bytes one after the other.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::malformed;
use crate::error::{Error, Result};
use crate::model::{Checkpoint, Dtype, Place, State, StateValue, Storage, Tensor, row_major};

/// The longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// Whether a file is one: a sane length and an opening brace; or its name says so.
pub fn begins(path: &Path, head: &[u8]) -> bool {
    let sane = header_length(head).is_some_and(|length| (2..=LONGEST_HEADER).contains(&length));
    (sane && head.get(8) == Some(&b'{')) || path.extension().is_some_and(|extension| extension == "safetensors")
}

fn header_length(head: &[u8]) -> Option<u64> {
    head.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Reads the header.
pub fn read(path: &Path, file: &File) -> Result<Checkpoint> {
    let size = file.metadata().map_err(Error::file("read", path))?.len();
    let mut head = [0; 8];
    if size < 8 {
        return Err(malformed(path, "the file ends before the length of its header"));
    }
    file.read_exact_at(&mut head, 0).map_err(Error::file("read", path))?;
    let length = u64::from_le_bytes(head);
    if length > LONGEST_HEADER {
        let what = format!("its header claims {length} bytes, and the format allows {LONGEST_HEADER}");
        return Err(malformed(path, what));
    }
    if length > size - 8 {
        let what = format!("its header claims {length} bytes and the file has {size}: it was cut");
        return Err(malformed(path, what));
    }
    // At most 100 MB, and no more than the file has.
    let mut text = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut text, 8).map_err(Error::file("read", path))?;
    let header: Header =
        serde_json::from_slice(&text).map_err(|error| malformed(path, format!("its header is damaged: {error}")))?;
    describe(path, header, 8 + length, size)
}

fn describe(path: &Path, header: Header, start: u64, size: u64) -> Result<Checkpoint> {
    let mut checkpoint = Checkpoint { format: "safetensors", files: vec![path.to_owned()], ..Checkpoint::default() };
    let mut ranges = Vec::new();
    for (name, value) in header.0 {
        if name == "__metadata__" {
            metadata(&value, &mut checkpoint.state);
            continue;
        }
        let entry = entry(&name, &value).map_err(|what| malformed(path, what))?;
        if entry.end < entry.begin || entry.end > size - start {
            let what = format!("`{name}` claims bytes {} to {}, outside of the file", entry.begin, entry.end);
            return Err(malformed(path, what));
        }
        let tensor = tensor(&name, &entry, start).map_err(|what| malformed(path, what))?;
        if tensor.dtype == Dtype::Bytes {
            let word = &entry.dtype;
            checkpoint.not_understood.push(format!("{name}: its type {word} is not known; compared as bytes"));
        }
        ranges.push((entry.begin, entry.end, name));
        checkpoint.tensors.push(tensor);
    }
    checkpoint.tensors.sort_by_key(|tensor| match tensor.storage.place {
        Place::File { at, .. } => at,
        _ => 0,
    });
    let end = apart(&mut ranges).map_err(|what| malformed(path, what))?;
    if end < size - start {
        checkpoint.warnings.push(format!("{} bytes at the end belong to no tensor", size - start - end));
    }
    Ok(checkpoint)
}

/// Fails where two tensors share bytes, which the format forbids; the last byte used.
fn apart(ranges: &mut [(u64, u64, String)]) -> Result<u64, String> {
    ranges.sort();
    for pair in ranges.windows(2) {
        if pair[1].0 < pair[0].1 {
            return Err(format!("`{}` and `{}` claim the same bytes", pair[0].2, pair[1].2));
        }
    }
    Ok(ranges.iter().map(|range| range.1).max().unwrap_or(0))
}

struct Entry {
    dtype: String,
    shape: Vec<u64>,
    begin: u64,
    end: u64,
}

fn entry(name: &str, value: &Value) -> Result<Entry, String> {
    let wrong = || format!("`{name}` lacks a dtype, shape or data_offsets");
    let numbers = |key: &str| -> Option<Vec<u64>> { value.get(key)?.as_array()?.iter().map(Value::as_u64).collect() };
    let dtype = value.get("dtype").and_then(Value::as_str).ok_or_else(wrong)?.to_owned();
    let shape = numbers("shape").ok_or_else(wrong)?;
    match numbers("data_offsets").as_deref() {
        Some(&[begin, end]) => Ok(Entry { dtype, shape, begin, end }),
        _ => Err(wrong()),
    }
}

fn tensor(name: &str, entry: &Entry, start: u64) -> Result<Tensor, String> {
    let length = entry.end - entry.begin;
    let dtype = dtype(&entry.dtype);
    // Of a type that is not known the shape says nothing about the bytes.
    let shape = if dtype == Dtype::Bytes { vec![length] } else { entry.shape.clone() };
    let size = shape.iter().try_fold(dtype.size() as u64, |size, side| size.checked_mul(*side));
    if size != Some(length) {
        return Err(format!("`{name}` of shape {shape:?} and type {} does not fit its {length} bytes", entry.dtype));
    }
    Ok(Tensor {
        name: name.to_owned(),
        dtype,
        strides: row_major(&shape),
        shape,
        offset: 0,
        swapped: false,
        storage: Storage { place: Place::File { file: 0, at: start + entry.begin }, length },
    })
}

fn dtype(word: &str) -> Dtype {
    match word {
        "F64" => Dtype::F64,
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        "F8_E4M3" => Dtype::F8E4m3fn,
        "F8_E5M2" => Dtype::F8E5m2,
        "F8_E4M3FNUZ" => Dtype::F8E4m3fnuz,
        "F8_E5M2FNUZ" => Dtype::F8E5m2fnuz,
        "F8_E8M0" => Dtype::F8E8m0fnu,
        "I64" => Dtype::I64,
        "I32" => Dtype::I32,
        "I16" => Dtype::I16,
        "I8" => Dtype::I8,
        "U64" => Dtype::U64,
        "U32" => Dtype::U32,
        "U16" => Dtype::U16,
        "U8" => Dtype::U8,
        "BOOL" => Dtype::Bool,
        "C64" => Dtype::C64,
        "C128" => Dtype::C128,
        _ => Dtype::Bytes,
    }
}

fn metadata(value: &Value, state: &mut Vec<State>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        state.push(State { path: format!("__metadata__.{key}"), value: StateValue::Text(text) });
    }
}

/// The header's entries in the order of the file; a name that comes twice is an error.
struct Header(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
        let mut entries = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if !seen.insert(name.clone()) {
                return Err(serde::de::Error::custom(format!("`{name}` stands there twice")));
            }
            entries.push((name, value));
        }
        Ok(Header(entries))
    }
}
