//! What `torch.save` writes since PyTorch 1.6: a zip with a pickle of everything small and a file for each storage.

use std::collections::HashMap;
use std::path::Path;

use super::archive::{Archive, Entry};
use super::tree::{Item, Node, Tree};
use super::{globals, malformed, pickle};
use crate::error::Result;
use crate::model::{Checkpoint, Dtype, Number, Place, State, StateValue, Storage, Tensor};

/// The longest pickle that is read.
const LONGEST_PICKLE: usize = 256 << 20;
/// The deepest nesting that is followed.
const DEEPEST: usize = 100;
/// Most paths that are listed: an object that is shared many times can stand at ever so many.
const MOST_PATHS: usize = 4_000_000;
/// Letters of a key that a path shows.
const LONGEST_KEY: usize = 500;
/// Fewer numbers than these in a row are listed one by one.
const ROW: usize = 9;

/// The folder in the archive where the pickle lies, where it has one.
pub fn folder(archive: &Archive) -> Option<String> {
    let name = archive.entries.iter().map(|entry| entry.name.as_str());
    name.filter_map(|name| name.strip_suffix("data.pkl"))
        .find(|rest| rest.is_empty() || rest.ends_with('/'))
        .map(Into::into)
}

/// Reads the pickle and finds each tensor's storage; all paths stand below `root`.
pub fn read(path: &Path, archive: &Archive, folder: &str, root: &str) -> Result<Checkpoint> {
    let entries: HashMap<&str, &Entry> =
        archive.entries.iter().filter_map(|entry| Some((entry.name.strip_prefix(folder)?, entry))).collect();
    let Some(main) = entries.get("data.pkl") else { return Err(malformed(path, "it has no data.pkl")) };
    if main.length > LONGEST_PICKLE as u64 {
        return Err(malformed(path, format!("its data.pkl of {} bytes is too large to be one", main.length)));
    }
    let text = archive.beginning(main, LONGEST_PICKLE)?;
    let mut tree = Tree::default();
    let value = pickle::read(&text, &mut tree).map_err(|what| malformed(path, what))?;
    drop(text);
    let order = entries.get("byteorder").map(|entry| archive.beginning(entry, 16)).transpose()?;
    let swapped = order.is_some_and(|order| order.trim_ascii() == b"big");
    let mut checkpoint = Checkpoint { format: "torch", files: vec![path.to_owned()], ..Checkpoint::default() };
    if entries.contains_key("constants.pkl") {
        let note = "its code (TorchScript) was not compared, only its data".to_owned();
        checkpoint.not_understood.push(note);
    }
    let mut walk =
        Walk { tree: &tree, entries: &entries, swapped, paths: 0, above: Vec::new(), checkpoint: &mut checkpoint };
    walk.visit(root, value, 0).map_err(|what| malformed(path, what))?;
    Ok(checkpoint)
}

struct Walk<'a> {
    tree: &'a Tree,
    entries: &'a HashMap<&'a str, &'a Entry>,
    swapped: bool,
    paths: usize,
    /// The items from the root to the one that is visited.
    above: Vec<Item>,
    checkpoint: &'a mut Checkpoint,
}

impl Walk<'_> {
    fn visit(&mut self, path: &str, item: Item, depth: usize) -> Result<(), String> {
        // What is long, or stands at many paths, counts more than once.
        self.paths += 1 + path.len() / 64 + self.weight(item);
        if self.paths > MOST_PATHS {
            return Err(format!("it holds more than {MOST_PATHS} values"));
        }
        if depth > DEEPEST {
            let shown: String = path.chars().take(60).collect();
            return Err(format!("it is nested more than {DEEPEST} deep at `{shown}…`"));
        }
        let Some(node) = self.tree.node(item) else {
            self.state(path, plain(item));
            return Ok(());
        };
        if self.above.contains(&item) {
            self.state(path, StateValue::Text("(an object that holds this one)".to_owned()));
            return Ok(());
        }
        self.above.push(item);
        self.enter(path, node, depth)?;
        self.above.pop();
        Ok(())
    }

    fn enter(&mut self, path: &str, node: &Node, depth: usize) -> Result<(), String> {
        match node {
            Node::Text(text) => self.state(path, StateValue::Text(text.clone())),
            Node::Long(text) => self.state(path, StateValue::Text(text.clone())),
            Node::Bytes(bytes) => self.state(path, StateValue::Bytes(bytes.clone())),
            Node::Global { module, name } => self.state(path, StateValue::Text(format!("{module}.{name}"))),
            Node::NumpyType { letters, .. } => self.state(path, StateValue::Text(format!("numpy type {letters}"))),
            Node::Tuple(items) => self.sequence(path, "tuple", items, depth)?,
            Node::List(items) => self.sequence(path, "list", items, depth)?,
            Node::Set(items) => self.set(path, items, depth)?,
            Node::Dict(entries) => {
                if entries.is_empty() && !path.is_empty() {
                    self.state(path, StateValue::Empty("dict"));
                }
                self.entries(path, entries, depth)?;
            }
            Node::Storage { key, dtype, length } => {
                let dtype = dtype.unwrap_or(Dtype::U8);
                let length_bytes = length.saturating_mul(dtype.size() as u64);
                self.tensor(path, key, dtype, length_bytes, (0, &[*length], &[1]))?;
            }
            Node::Tensor { key, dtype, length, offset, shape, strides } => {
                self.tensor(path, key, *dtype, *length, (*offset, shape, strides))?;
            }
            Node::Array { .. } => match globals::held(path, node) {
                Some(Ok(tensor)) => self.checkpoint.tensors.push(tensor),
                Some(Err(why)) => self.checkpoint.not_understood.push(format!("{path}: {why}")),
                None => {}
            },
            Node::Opaque { what, arguments, state, entries } => {
                self.opaque(path, what, (*arguments, *state, entries), depth)?;
            }
        }
        Ok(())
    }

    /// How much memory a value takes that is copied to its path, in units of about 64 bytes.
    fn weight(&self, item: Item) -> usize {
        match self.tree.node(item) {
            Some(Node::Text(text) | Node::Long(text)) => text.len() / 64,
            Some(Node::List(items) | Node::Tuple(items) | Node::Set(items)) => items.len() / 4,
            _ => 0,
        }
    }

    fn state(&mut self, path: &str, value: StateValue) {
        self.checkpoint.state.push(State { path: path.to_owned(), value });
    }

    fn sequence(&mut self, path: &str, kind: &'static str, items: &[Item], depth: usize) -> Result<(), String> {
        let number = |item: &Item| match item {
            Item::Int(number) => Some(Number::Int(*number)),
            Item::Float(number) => Some(Number::Float(*number)),
            _ => None,
        };
        if items.is_empty() {
            self.state(path, StateValue::Empty(kind));
        } else if let Some(numbers) = items.iter().map(number).collect::<Option<Vec<_>>>().filter(|n| n.len() >= ROW) {
            self.state(path, StateValue::Numbers(numbers));
        } else {
            for (index, item) in items.iter().enumerate() {
                self.visit(&below(path, &index.to_string()), *item, depth + 1)?;
            }
        }
        Ok(())
    }

    /// The members of a set, each with its value as its path: their order means nothing.
    fn set(&mut self, path: &str, items: &[Item], depth: usize) -> Result<(), String> {
        if items.is_empty() {
            self.state(path, StateValue::Empty("set"));
        }
        for (index, item) in items.iter().enumerate() {
            let name = self.key(*item).unwrap_or_else(|| index.to_string());
            self.visit(&below(path, &format!("{{{name}}}")), *item, depth + 1)?;
        }
        Ok(())
    }

    fn entries(&mut self, path: &str, entries: &[(Item, Item)], depth: usize) -> Result<(), String> {
        for (index, (key, value)) in entries.iter().enumerate() {
            let name = self.key(*key).unwrap_or_else(|| format!("key {index}"));
            self.visit(&below(path, &name), *value, depth + 1)?;
        }
        Ok(())
    }

    /// A key as part of a path.
    fn key(&self, item: Item) -> Option<String> {
        match (item, self.tree.node(item)) {
            (Item::None, _) => Some("None".to_owned()),
            (Item::Bool(value), _) => Some(if value { "True" } else { "False" }.to_owned()),
            (Item::Int(number), _) => Some(number.to_string()),
            (Item::Float(number), _) => Some(number.to_string()),
            (_, Some(Node::Text(text) | Node::Long(text))) => Some(text.chars().take(LONGEST_KEY).collect()),
            (_, Some(Node::Global { name, .. })) => Some(name.clone()),
            (_, Some(Node::Tuple(items))) if items.len() <= 4 => {
                let parts: Option<Vec<String>> = items
                    .iter()
                    .map(|item| if self.tree.sequence(*item).is_some() { None } else { self.key(*item) })
                    .collect();
                Some(format!("({})", parts?.join(", ")))
            }
            _ => None,
        }
    }

    fn opaque(
        &mut self,
        path: &str,
        what: &str,
        (arguments, state, entries): (Item, Item, &[(Item, Item)]),
        depth: usize,
    ) -> Result<(), String> {
        let place = if path.is_empty() { "the whole".to_owned() } else { format!("`{path}`") };
        let note = format!("{place} is an object of {what}, which was not made; what it would hold was compared");
        self.checkpoint.not_understood.push(note);
        self.state(path, StateValue::Opaque(what.to_owned()));
        let holds = |item: Item| match self.tree.node(item) {
            Some(Node::Tuple(items)) => !items.is_empty(),
            Some(_) => true,
            None => item != Item::None,
        };
        let (has_arguments, has_state) = (holds(arguments), holds(state));
        if has_arguments {
            self.visit(&below(path, "(arguments)"), arguments, depth + 1)?;
        }
        if has_state {
            self.visit(path, state, depth + 1)?;
        }
        self.entries(path, entries, depth)
    }

    fn tensor(
        &mut self,
        path: &str,
        key: &str,
        dtype: Dtype,
        length: u64,
        (offset, shape, strides): (u64, &[u64], &[u64]),
    ) -> Result<(), String> {
        let entry = self.entries.get(format!("data/{key}").as_str());
        let entry = entry.ok_or_else(|| format!("the storage {key} of `{path}` is missing"))?;
        if length > entry.length {
            return Err(format!("the storage {key} of `{path}` claims {length} bytes and has {}", entry.length));
        }
        let reach = reach(offset, shape, strides).and_then(|reach| reach.checked_mul(dtype.size() as u64));
        if reach.is_none_or(|reach| reach > length) {
            return Err(format!("`{path}` of shape {shape:?} reaches outside of its storage of {length} bytes"));
        }
        let elements = shape.iter().try_fold(1_u64, |elements, side| elements.checked_mul(*side));
        // A view may repeat its storage; one that does so beyond all measure is no tensor that anyone saved.
        if elements.is_none_or(|elements| elements > (1 << 32) + 16 * length) {
            return Err(format!("`{path}` of shape {shape:?} repeats {length} bytes beyond all measure"));
        }
        let place = match entry.deflated {
            false => Place::File { file: 0, at: entry.at },
            true => Place::Deflated { file: 0, at: entry.at, packed: entry.packed, skip: 0 },
        };
        self.checkpoint.tensors.push(Tensor {
            name: path.to_owned(),
            dtype,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            offset,
            swapped: self.swapped && dtype.size() > 1,
            storage: Storage { place, length },
        });
        Ok(())
    }
}

/// Elements of the storage that a view needs.
fn reach(offset: u64, shape: &[u64], strides: &[u64]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |last, (side, stride)| last.checked_add((side - 1).checked_mul(*stride)?))?;
    last.checked_add(1)
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn plain(item: Item) -> StateValue {
    match item {
        Item::Bool(value) => StateValue::Bool(value),
        Item::Int(number) => StateValue::Number(Number::Int(number)),
        Item::Float(number) => StateValue::Number(Number::Float(number)),
        Item::None | Item::Node(_) => StateValue::None,
    }
}
