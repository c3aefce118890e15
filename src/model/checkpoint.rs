//! A checkpoint as its file describes it: tensors with where their bytes lie, and everything else by path.

use std::path::PathBuf;
use std::sync::Arc;

/// What one element of a tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE 754 binary64.
    F64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    Bf16,
    /// Eight bits: 4 of exponent, 3 of mantissa, no infinity.
    F8E4m3fn,
    /// Eight bits: 5 of exponent, 2 of mantissa.
    F8E5m2,
    /// Like `F8E4m3fn` with another bias and no negative zero.
    F8E4m3fnuz,
    /// Like `F8E5m2` with another bias, no infinity and no negative zero.
    F8E5m2fnuz,
    /// Eight bits of exponent: a scale.
    F8E8m0fnu,
    /// Signed integers.
    I64,
    /// Signed integers.
    I32,
    /// Signed integers.
    I16,
    /// Signed integers.
    I8,
    /// Unsigned integers.
    U64,
    /// Unsigned integers.
    U32,
    /// Unsigned integers.
    U16,
    /// Unsigned integers.
    U8,
    /// One byte each, 0 or 1.
    Bool,
    /// Two binary64.
    C128,
    /// Two binary32.
    C64,
    /// Bytes whose meaning is not known: compared as they stand.
    Bytes,
}

impl Dtype {
    /// Every type, with the name that PyTorch has for it.
    pub const ALL: &[(Self, &'static str)] = &[
        (Self::F64, "float64"),
        (Self::F32, "float32"),
        (Self::F16, "float16"),
        (Self::Bf16, "bfloat16"),
        (Self::F8E4m3fn, "float8_e4m3fn"),
        (Self::F8E5m2, "float8_e5m2"),
        (Self::F8E4m3fnuz, "float8_e4m3fnuz"),
        (Self::F8E5m2fnuz, "float8_e5m2fnuz"),
        (Self::F8E8m0fnu, "float8_e8m0fnu"),
        (Self::I64, "int64"),
        (Self::I32, "int32"),
        (Self::I16, "int16"),
        (Self::I8, "int8"),
        (Self::U64, "uint64"),
        (Self::U32, "uint32"),
        (Self::U16, "uint16"),
        (Self::U8, "uint8"),
        (Self::Bool, "bool"),
        (Self::C128, "complex128"),
        (Self::C64, "complex64"),
        (Self::Bytes, "bytes"),
    ];

    /// Its name, as PyTorch says it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(dtype, _)| *dtype == self).map_or("bytes", |(_, word)| word)
    }

    /// The type of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, other)| *other == word).map(|(dtype, _)| *dtype)
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::C128 => 16,
            Self::F64 | Self::I64 | Self::U64 | Self::C64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::F8E4m3fn | Self::F8E5m2 | Self::F8E4m3fnuz | Self::F8E5m2fnuz | Self::F8E8m0fnu => 1,
            Self::I8 | Self::U8 | Self::Bool | Self::Bytes => 1,
        }
    }

    /// Whether its values are rounded.
    pub fn is_float(self) -> bool {
        self.word().starts_with("float") || self.word().starts_with("bfloat") || self.word().starts_with("complex")
    }
}

/// Where the bytes of a storage lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// As they are, in a file of the checkpoint.
    File {
        /// Which of the checkpoint's files.
        file: usize,
        /// Their first byte.
        at: u64,
    },
    /// Compressed, in a file of the checkpoint.
    Deflated {
        /// Which of the checkpoint's files.
        file: usize,
        /// The first compressed byte.
        at: u64,
        /// How many compressed bytes there are.
        packed: u64,
        /// Bytes to pass over once decompressed.
        skip: u64,
    },
    /// In several stretches, one after the other.
    Pieces(Vec<Piece>),
    /// In memory: they stood among the small state.
    Held(Arc<[u8]>),
}

/// A stretch of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which of the checkpoint's files.
    pub file: usize,
    /// Its first byte.
    pub at: u64,
    /// How many bytes there are.
    pub length: u64,
}

/// The bytes that one tensor, or several that share them, are views of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Where they lie.
    pub place: Place,
    /// How many there are.
    pub length: u64,
}

/// A tensor: a view of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its path in the checkpoint, such as `model.layer.weight`.
    pub name: String,
    /// What its elements are.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// Elements to go in storage for one step along each dimension.
    pub strides: Vec<u64>,
    /// Elements of the storage before its first one.
    pub offset: u64,
    /// Whether its bytes are in big-endian order.
    pub swapped: bool,
    /// What it is a view of.
    pub storage: Storage,
}

impl Tensor {
    /// How many elements it has.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }
}

/// Strides of a tensor whose last index runs fastest.
pub fn row_major(shape: &[u64]) -> Vec<u64> {
    let mut strides = vec![1_u64; shape.len()];
    for dimension in (1..shape.len()).rev() {
        strides[dimension - 1] = strides[dimension].saturating_mul(shape[dimension].max(1));
    }
    strides
}

/// One number.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A whole one.
    Int(i64),
    /// A floating-point one.
    Float(f64),
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
}

/// What stands at a path that is no tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum StateValue {
    /// Nothing.
    None,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Many numbers in a row.
    Numbers(Vec<Number>),
    /// Text; also a whole number too long for 64 bits.
    Text(String),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A container that holds nothing, by its kind.
    Empty(&'static str),
    /// An object of a class that is not understood, by the name of the class; what it holds stands below its path.
    Opaque(String),
}

/// One entry of the state that is no tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Its path, such as `scheduler.last_epoch`.
    pub path: String,
    /// What stands there.
    pub value: StateValue,
}

/// A checkpoint as its file describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The format, for people.
    pub format: &'static str,
    /// The files that hold its bytes.
    pub files: Vec<PathBuf>,
    /// Its tensors, in the order of the file.
    pub tensors: Vec<Tensor>,
    /// Everything else, in the order of the file.
    pub state: Vec<State>,
    /// What was not understood, one line each; none of it was run.
    pub not_understood: Vec<String>,
    /// What a reader should know, one line each.
    pub warnings: Vec<String>,
}
