//! What a pickle describes, as values in one arena: nothing is nested in memory, so that no depth can overflow.

use std::sync::Arc;

use crate::model::Dtype;

/// A value, or the number of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number of at most 64 bits.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A node of the arena.
    Node(usize),
}

/// A value that does not fit into a word.
#[derive(Clone, Debug)]
pub enum Node {
    /// Text.
    Text(String),
    /// A whole number too long for 64 bits, as text.
    Long(String),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A tuple, `torch.Size`.
    Tuple(Vec<Item>),
    /// A list.
    List(Vec<Item>),
    /// A set.
    Set(Vec<Item>),
    /// A dictionary of any kind, in its order.
    Dict(Vec<(Item, Item)>),
    /// A name that was looked up by the pickle, and by nobody else.
    Global {
        /// The module.
        module: String,
        /// The name in it.
        name: String,
    },
    /// A storage of torch, kept beside the pickle.
    Storage {
        /// Its key.
        key: String,
        /// What its elements are; `None` for a storage of bytes.
        dtype: Option<Dtype>,
        /// Elements, or bytes for a storage of bytes.
        length: u64,
    },
    /// A tensor of torch.
    Tensor {
        /// Key of the storage.
        key: String,
        /// What its elements are.
        dtype: Dtype,
        /// Bytes that the storage should have.
        length: u64,
        /// Elements before the first one.
        offset: u64,
        /// The dimensions.
        shape: Vec<u64>,
        /// Elements to go for one step along each.
        strides: Vec<u64>,
    },
    /// A type of NumPy, in its letters.
    NumpyType {
        /// Letters.
        letters: String,
        /// Whether in big-endian order.
        swapped: bool,
    },
    /// An array of NumPy whose content is in the pickle.
    Array {
        /// What the elements are.
        letters: String,
        /// Whether they are in big-endian order.
        swapped: bool,
        /// Whether the first index runs fastest.
        fortran: bool,
        /// The dimensions.
        shape: Vec<u64>,
        /// The elements.
        bytes: Arc<[u8]>,
    },
    /// An object of a class that is not understood, with everything it would have been built from.
    Opaque {
        /// The class or function.
        what: String,
        /// Its arguments.
        arguments: Item,
        /// Its state.
        state: Item,
        /// Its entries, where it is like a list or a dictionary.
        entries: Vec<(Item, Item)>,
    },
}

/// The nodes of one pickle.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// Keeps a node.
    pub fn add(&mut self, node: Node) -> Item {
        self.nodes.push(node);
        Item::Node(self.nodes.len() - 1)
    }

    /// The node that an item stands for.
    pub fn node(&self, item: Item) -> Option<&Node> {
        if let Item::Node(number) = item { self.nodes.get(number) } else { None }
    }

    /// The same, to be changed.
    pub fn node_mut(&mut self, item: Item) -> Option<&mut Node> {
        if let Item::Node(number) = item { self.nodes.get_mut(number) } else { None }
    }

    /// The text that an item is.
    pub fn text(&self, item: Item) -> Option<&str> {
        if let Some(Node::Text(text)) = self.node(item) { Some(text) } else { None }
    }

    /// The items of a tuple or list.
    pub fn sequence(&self, item: Item) -> Option<&[Item]> {
        if let Some(Node::Tuple(items) | Node::List(items)) = self.node(item) { Some(items) } else { None }
    }

    /// A whole number that is not negative.
    pub fn count(&self, item: Item) -> Option<u64> {
        if let Item::Int(number) = item { u64::try_from(number).ok() } else { None }
    }

    /// A tuple of such numbers.
    pub fn counts(&self, item: Item) -> Option<Vec<u64>> {
        self.sequence(item)?.iter().map(|item| self.count(*item)).collect()
    }
}
