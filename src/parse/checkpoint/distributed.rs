//! What `torch.distributed.checkpoint` writes: a folder with `.metadata`, a pickle that says where each piece lies, and
//! files of pieces, one after the other, each as `torch.save` writes it.
//!
//! Pieces that are rows of one tensor become one tensor, so that checkpoints of other numbers of ranks can be compared.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Component, Path};

use super::archive::Archive;
use super::tree::{Item, Node, Tree};
use super::{malformed, pickle, torch_zip};
use crate::error::{Error, Result};
use crate::model::{Checkpoint, Piece, Place, Storage, Tensor, row_major};

/// The file that tells what lies where.
const METADATA: &str = ".metadata";
/// The longest such file that is read.
const LONGEST: u64 = 256 << 20;
/// How every pickle of the protocols from 2 on begins.
const PROTOCOL: u8 = 0x80;

/// A piece, as the metadata has it.
struct Record {
    /// Where it begins in its tensor; `None` for what is no tensor.
    from: Option<Vec<u64>>,
    /// Which file holds it.
    file: usize,
    at: u64,
    length: u64,
}

/// Reads the description of a folder; `None` where it is none of these.
pub fn read(folder: &Path) -> Result<Option<Checkpoint>> {
    let path = folder.join(METADATA);
    if !path.is_file() {
        return Ok(None);
    }
    if path.metadata().map_err(Error::file("read", &path))?.len() > LONGEST {
        return Err(malformed(&path, "it is too large to be the metadata of a checkpoint"));
    }
    let text = std::fs::read(&path).map_err(Error::file("read", &path))?;
    if text.first() != Some(&PROTOCOL) {
        return Ok(None);
    }
    let mut tree = Tree::default();
    let root = pickle::read(&text, &mut tree).map_err(|what| malformed(&path, what))?;
    let metadata = Metadata { path: &path, tree: &tree };
    let mut whole = Checkpoint { format: "torch distributed", ..Checkpoint::default() };
    let (names, mut records) = metadata.read(root, folder, &mut whole)?;
    let files = whole.files.iter().map(|path| File::open(path).map_err(Error::file("read", path)));
    let files: Vec<File> = files.collect::<Result<_>>()?;
    apart(&path, &records)?;
    for (name, shape) in &names {
        let pieces = records.remove(name).ok_or_else(|| malformed(&path, format!("`{name}` lies nowhere")))?;
        let read = |record: &Record| piece(&whole.files[record.file], &files[record.file], record, name);
        let read: Vec<Checkpoint> = pieces.iter().map(read).collect::<Result<_>>()?;
        add(&mut whole, name, shape.as_deref(), pieces.iter().zip(read).collect())
            .map_err(|what| malformed(&path, what))?;
    }
    if let Some(name) = records.keys().min() {
        return Err(malformed(&path, format!("`{name}` lies somewhere and is not described")));
    }
    note_others(folder, &mut whole);
    Ok(Some(whole))
}

/// Names in their order, each with the shape of a tensor.
type Names = Vec<(String, Option<Vec<u64>>)>;

/// The pickle of `.metadata`.
struct Metadata<'a> {
    path: &'a Path,
    tree: &'a Tree,
}

impl Metadata<'_> {
    fn wrong(&self, what: &str) -> Error {
        malformed(self.path, format!("it is not the metadata of a checkpoint: {what}"))
    }

    /// Fields of an object, or entries of a dictionary.
    fn entries(&self, item: Item) -> &[(Item, Item)] {
        match self.tree.node(item) {
            Some(Node::Dict(entries)) => entries,
            Some(Node::Opaque { state, .. }) if *state != item => match self.tree.node(*state) {
                Some(Node::Dict(entries)) => entries,
                _ => &[],
            },
            _ => &[],
        }
    }

    fn field(&self, item: Item, name: &str) -> Option<Item> {
        let found = self.entries(item).iter().find(|(key, _)| self.tree.text(*key) == Some(name));
        found.map(|(_, value)| *value).filter(|value| *value != Item::None)
    }

    fn read(&self, root: Item, folder: &Path, whole: &mut Checkpoint) -> Result<(Names, HashMap<String, Vec<Record>>)> {
        let described = self.field(root, "state_dict_metadata").ok_or_else(|| self.wrong("it describes no tensors"))?;
        let places = self.field(root, "storage_data").ok_or_else(|| self.wrong("it names no files"))?;
        let mut names = Vec::new();
        for (name, of) in self.entries(described) {
            let name = self.tree.text(*name).ok_or_else(|| self.wrong("a name is no text"))?;
            let shape = self.field(*of, "size").map(|size| self.tree.counts(size).ok_or(size));
            let shape = shape.transpose().map_err(|_| self.wrong("a shape is none"))?;
            names.push((name.to_owned(), shape));
        }
        let mut records: HashMap<String, Vec<Record>> = HashMap::new();
        let mut files: HashMap<String, usize> = HashMap::new();
        for (index, place) in self.entries(places) {
            let name = self.field(*index, "fqn").and_then(|name| self.tree.text(name));
            let name = name.ok_or_else(|| self.wrong("a piece has no name"))?;
            let record = self.record(*index, *place, |file| {
                let next = files.len();
                *files.entry(file.to_owned()).or_insert_with(|| {
                    whole.files.push(folder.join(file));
                    next
                })
            })?;
            records.entry(name.to_owned()).or_default().push(record);
        }
        Ok((names, records))
    }

    fn record(&self, index: Item, place: Item, mut number: impl FnMut(&str) -> usize) -> Result<Record> {
        let count = |name: &str| self.field(place, name).and_then(|item| self.tree.count(item));
        let file = self.field(place, "relative_path").and_then(|item| self.tree.text(item));
        let (Some(file), Some(at), Some(length)) = (file, count("offset"), count("length")) else {
            return Err(self.wrong("a piece has no place"));
        };
        let mut parts = Path::new(file).components();
        if file.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
            let what = format!("`{file}` does not lie in the folder; it was not opened");
            return Err(malformed(self.path, what));
        }
        if self.field(place, "transform_descriptors").is_some() {
            return Err(malformed(self.path, format!("{file} was packed by an extension, which is not read")));
        }
        let from = self.field(index, "offset").map(|offset| self.tree.counts(offset).ok_or(offset));
        let from = from.transpose().map_err(|_| self.wrong("a piece begins nowhere"))?;
        Ok(Record { from, file: number(file), at, length })
    }
}

/// Fails where pieces share bytes: small files could claim to hold ever so much.
fn apart(path: &Path, records: &HashMap<String, Vec<Record>>) -> Result<()> {
    let mut ranges: Vec<(usize, u64, u64)> =
        records.values().flatten().map(|record| (record.file, record.at, record.length)).collect();
    ranges.sort_unstable();
    let overlap =
        |pair: &[(usize, u64, u64)]| pair[0].0 == pair[1].0 && pair[0].1.saturating_add(pair[0].2) > pair[1].1;
    if ranges.windows(2).any(overlap) { Err(malformed(path, "pieces overlap")) } else { Ok(()) }
}

/// Reads one piece: what `torch.save` wrote there.
fn piece(path: &Path, file: &File, record: &Record, name: &str) -> Result<Checkpoint> {
    let file = file.try_clone().map_err(Error::file("read", path))?;
    let archive = Archive::within(path, file, record.at, record.length)?;
    let Some(folder) = torch_zip::folder(&archive) else {
        return Err(malformed(path, format!("the piece of `{name}` is not what torch.save writes")));
    };
    let mut piece = torch_zip::read(path, &archive, &folder, name)?;
    for tensor in &mut piece.tensors {
        if let Place::File { file, .. } | Place::Deflated { file, .. } = &mut tensor.storage.place {
            *file = record.file;
        }
    }
    Ok(piece)
}

/// Adds what one name holds.
fn add(
    whole: &mut Checkpoint,
    name: &str,
    shape: Option<&[u64]>,
    pieces: Vec<(&Record, Checkpoint)>,
) -> std::result::Result<(), String> {
    let Some(shape) = shape else {
        for (_, piece) in pieces {
            whole.tensors.extend(piece.tensors);
            whole.state.extend(piece.state);
            whole.not_understood.extend(piece.not_understood);
        }
        return Ok(());
    };
    let mut parts: Vec<(Vec<u64>, Tensor)> = Vec::new();
    for (record, piece) in pieces {
        let dimensions = shape.len();
        let from = record.from.clone().unwrap_or_else(|| vec![0; dimensions]);
        let [tensor] = <[Tensor; 1]>::try_from(piece.tensors)
            .map_err(|found| format!("a piece of `{name}` holds {} tensors", found.len()))?;
        let inside =
            |((from, side), whole): ((&u64, &u64), &u64)| from.checked_add(*side).is_some_and(|end| end <= *whole);
        let fits = from.len() == dimensions
            && tensor.shape.len() == dimensions
            && from.iter().zip(&tensor.shape).zip(shape).all(inside);
        if !fits {
            return Err(format!("a piece of `{name}` reaches outside of it"));
        }
        parts.push((from, tensor));
    }
    parts.sort_by(|(a, _), (b, _)| a.cmp(b));
    let held: u64 = parts.iter().map(|(_, part)| part.elements()).sum();
    if Some(held) != shape.iter().try_fold(1_u64, |all, side| all.checked_mul(*side)) {
        return Err(format!("the pieces of `{name}` do not make up the whole of it"));
    }
    if parts.len() == 1 {
        whole.tensors.extend(parts.into_iter().map(|(_, tensor)| tensor));
    } else if let Some(tensor) = joined(name, shape, &parts) {
        whole.tensors.push(tensor);
    } else {
        whole
            .tensors
            .extend(parts.into_iter().map(|(from, tensor)| Tensor { name: stretch(name, &from, &tensor), ..tensor }));
    }
    Ok(())
}

/// One tensor of pieces that are whole rows of it, one after the other, each with its elements in a row.
fn joined(name: &str, shape: &[u64], parts: &[(Vec<u64>, Tensor)]) -> Option<Tensor> {
    let first = &parts.first()?.1;
    let (mut row, mut length) = (0, 0);
    let mut pieces = Vec::new();
    for (from, part) in parts {
        let rows = *part.shape.first()?;
        let next = from.first() == Some(&row) && part.shape.get(1..) == shape.get(1..);
        let alike = part.dtype == first.dtype && part.swapped == first.swapped;
        let Place::File { file, at } = part.storage.place else { return None };
        if !next || !alike || part.strides != row_major(&part.shape) {
            return None;
        }
        let size = part.dtype.size() as u64;
        let bytes = part.elements().checked_mul(size)?;
        pieces.push(Piece { file, at: at.checked_add(part.offset.checked_mul(size)?)?, length: bytes });
        (row, length) = (row + rows, length + bytes);
    }
    let storage = Storage { place: Place::Pieces(pieces), length };
    let strides = row_major(shape);
    Some(Tensor { name: name.to_owned(), shape: shape.to_vec(), strides, offset: 0, storage, ..first.clone() })
}

/// The name of a piece by itself: `w[0:4,2:3]`.
fn stretch(name: &str, from: &[u64], tensor: &Tensor) -> String {
    let sides = from.iter().zip(&tensor.shape).map(|(from, side)| format!("{from}:{}", from + side));
    format!("{name}[{}]", sides.collect::<Vec<_>>().join(","))
}

/// What else lies in the folder is no part of what the metadata describes.
fn note_others(folder: &Path, whole: &mut Checkpoint) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut others: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.file_name() != METADATA && !whole.files.contains(&entry.path()))
        .map(|entry| format!("{}: no part of the checkpoint's metadata", entry.file_name().to_string_lossy()))
        .collect();
    others.sort_unstable();
    whole.not_understood.extend(others);
}
