//! The few classes and functions that a checkpoint's pickle may name and that are understood, each by its description
//! here; none is ever looked up or called. Any other becomes an opaque object.

use super::npy;
use super::tree::{Item, Node, Tree};
use crate::model::Dtype;

/// What calling `callable` with `arguments` stands for.
pub fn call(tree: &mut Tree, callable: Item, arguments: Item) -> Item {
    let Some(Node::Global { module, name }) = tree.node(callable).cloned() else {
        return opaque(tree, "a call of something that is no name".to_owned(), arguments);
    };
    let given = tree.sequence(arguments).map(<[Item]>::to_vec).unwrap_or_default();
    understood(tree, &module, &name, &given).unwrap_or_else(|| opaque(tree, format!("{module}.{name}"), arguments))
}

/// An object that is not understood.
pub fn opaque(tree: &mut Tree, what: String, arguments: Item) -> Item {
    tree.add(Node::Opaque { what, arguments, state: Item::None, entries: Vec::new() })
}

fn understood(tree: &mut Tree, module: &str, name: &str, given: &[Item]) -> Option<Item> {
    let first = given.first().copied();
    match (module, name) {
        ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") => mapping(tree, first),
        ("collections", "defaultdict") => mapping(tree, given.get(1).copied()),
        ("builtins" | "__builtin__", "set" | "frozenset") => {
            let items = first.and_then(|list| tree.sequence(list)).unwrap_or_default().to_vec();
            Some(tree.add(Node::Set(items)))
        }
        ("builtins" | "__builtin__", "complex" | "slice" | "range") | ("torch", "Size") => {
            let items = match (name, first) {
                ("Size", Some(list)) => tree.sequence(list)?.to_vec(),
                _ => given.to_vec(),
            };
            Some(tree.add(Node::Tuple(items)))
        }
        ("builtins" | "__builtin__", "bytearray" | "bytes") => match first {
            Some(item) if matches!(tree.node(item), Some(Node::Bytes(_))) => Some(item),
            _ if given.is_empty() => Some(tree.add(Node::Bytes([].into()))),
            _ => None,
        },
        ("_codecs", "encode") => encoded(tree, given),
        ("torch", "device") => {
            let (kind, index) = (tree.text(first?)?.to_owned(), given.get(1));
            let text = match index {
                Some(Item::Int(index)) => format!("device {kind}:{index}"),
                _ => format!("device {kind}"),
            };
            Some(tree.add(Node::Text(text)))
        }
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => first,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3") => {
            tensor(tree, name == "_rebuild_tensor_v3", given)
        }
        ("torch._tensor", "_rebuild_from_type_v2") => {
            let &[function, _, arguments, _] = given else { return None };
            let rebuilt = call(tree, function, arguments);
            matches!(tree.node(rebuilt), Some(Node::Tensor { .. })).then_some(rebuilt)
        }
        ("torch.serialization", "_get_layout") => first,
        _ if module == "numpy" || module.starts_with("numpy.") => numpy(tree, module, name, given),
        _ => None,
    }
}

fn mapping(tree: &mut Tree, pairs: Option<Item>) -> Option<Item> {
    let entries = match pairs {
        None => Vec::new(),
        Some(item) => match tree.node(item) {
            Some(Node::Dict(entries)) => entries.clone(),
            _ => {
                let pair = |item: &Item| match tree.sequence(*item) {
                    Some(&[key, value]) => Some((key, value)),
                    _ => None,
                };
                tree.sequence(item)?.iter().map(pair).collect::<Option<_>>()?
            }
        },
    };
    Some(tree.add(Node::Dict(entries)))
}

/// Bytes, as protocols before 3 wrote them: text of Latin-1 and the name of that encoding.
fn encoded(tree: &mut Tree, given: &[Item]) -> Option<Item> {
    let &[text, encoding] = given else { return None };
    if !matches!(tree.text(encoding)?, "latin1" | "latin-1" | "iso-8859-1") {
        return None;
    }
    let bytes: Option<Vec<u8>> = tree.text(text)?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    Some(tree.add(Node::Bytes(bytes?.into())))
}

/// The type that a storage class or a dtype of torch names.
pub fn storage_dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::Bf16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::Bool,
        "ComplexDoubleStorage" => Dtype::C128,
        "ComplexFloatStorage" => Dtype::C64,
        _ => return None,
    })
}

fn tensor(tree: &mut Tree, typed: bool, given: &[Item]) -> Option<Item> {
    let &[storage, offset, shape, strides, ref rest @ ..] = given else { return None };
    let Node::Storage { key, dtype, length } = tree.node(storage)?.clone() else { return None };
    let named = if typed {
        match tree.node(*rest.get(2)?)? {
            Node::Global { module, name } if module == "torch" => Some(Dtype::named(name)?),
            _ => return None,
        }
    } else {
        None
    };
    let size = dtype.map_or(1, Dtype::size) as u64;
    let (offset, shape, strides) = (tree.count(offset)?, tree.counts(shape)?, tree.counts(strides)?);
    if shape.len() != strides.len() || shape.len() > 64 {
        return None;
    }
    let dtype = named.or(dtype)?;
    Some(tree.add(Node::Tensor { key, dtype, length: length.checked_mul(size)?, offset, shape, strides }))
}

fn numpy(tree: &mut Tree, module: &str, name: &str, given: &[Item]) -> Option<Item> {
    let multiarray = module.ends_with("multiarray");
    match name {
        "dtype" if module == "numpy" => {
            let letters = tree.text(*given.first()?)?.to_owned();
            Some(tree.add(Node::NumpyType { letters, swapped: false }))
        }
        "scalar" if multiarray => scalar(tree, given),
        // Its shape, type and elements follow as state.
        "_reconstruct" if multiarray => Some(tree.add(Node::Array {
            letters: String::new(),
            swapped: false,
            fortran: false,
            shape: Vec::new(),
            bytes: [].into(),
        })),
        "_frombuffer" if module.ends_with("numeric") => {
            let &[bytes, dtype, shape, order] = given else { return None };
            let Node::NumpyType { letters, swapped } = tree.node(dtype)?.clone() else { return None };
            let Node::Bytes(bytes) = tree.node(bytes)?.clone() else { return None };
            let (shape, fortran) = (tree.counts(shape)?, tree.text(order)? == "F");
            Some(tree.add(Node::Array { letters, swapped, fortran, shape, bytes }))
        }
        _ => None,
    }
}

/// A single number of NumPy: as an array without dimensions.
fn scalar(tree: &mut Tree, given: &[Item]) -> Option<Item> {
    let &[dtype, bytes] = given else { return None };
    let Node::NumpyType { letters, swapped } = tree.node(dtype)?.clone() else { return None };
    let Node::Bytes(bytes) = tree.node(bytes)?.clone() else { return None };
    Some(tree.add(Node::Array { letters, swapped, fortran: false, shape: Vec::new(), bytes }))
}

/// Gives an object its state, as a pickle's `BUILD` does.
pub fn build(tree: &mut Tree, object: Item, given: Item) {
    let parts = tree.sequence(given).map(<[Item]>::to_vec).unwrap_or_default();
    let described = match tree.node(object) {
        Some(Node::Array { .. }) => array(tree, &parts),
        Some(Node::NumpyType { letters, .. }) => {
            let swapped = parts.get(1).and_then(|order| tree.text(*order)) == Some(">");
            Some(Node::NumpyType { letters: letters.clone(), swapped })
        }
        // A dictionary of a kind with attributes, such as a state dict with its `_metadata`: versions of modules.
        Some(Node::Dict(_)) => None,
        Some(Node::Opaque { .. }) => {
            if let Some(Node::Opaque { state, .. }) = tree.node_mut(object) {
                *state = given;
            }
            None
        }
        _ => None,
    };
    if let (Some(node), Some(place)) = (described, tree.node_mut(object)) {
        *place = node;
    }
}

/// Version, shape, type, order, elements.
fn array(tree: &Tree, parts: &[Item]) -> Option<Node> {
    let &[_, shape, dtype, fortran, content] = parts else { return None };
    let shape = tree.counts(shape)?;
    let Node::NumpyType { letters, swapped } = tree.node(dtype)?.clone() else { return None };
    match tree.node(content)? {
        Node::Bytes(bytes) => {
            let fortran = fortran == Item::Bool(true);
            Some(Node::Array { letters, swapped, fortran, shape, bytes: bytes.clone() })
        }
        // An array of objects: its elements are items of their own.
        _ => Some(Node::Opaque {
            what: "numpy.ndarray of objects".to_owned(),
            arguments: content,
            state: Item::None,
            entries: Vec::new(),
        }),
    }
}

/// The tensor that an array in the pickle is.
pub fn held(name: &str, node: &Node) -> Option<Result<crate::model::Tensor, String>> {
    let Node::Array { letters, swapped, fortran, shape, bytes } = node else { return None };
    let descr = format!("{}{letters}", if *swapped { ">" } else { "<" });
    let header = npy::Header { length: 0, descr, fortran: *fortran, shape: shape.clone() };
    Some(npy::tensor(name, &header, crate::model::Place::Held(bytes.clone()), bytes.len() as u64))
}
