//! An array of NumPy: magic bytes, a header of one line, the elements.

use super::literal::{self, Literal};
use crate::model::{Dtype, Place, Storage, Tensor, row_major};

/// The longest header that is read.
pub const LONGEST_HEADER: usize = 64 << 10;

/// Whether bytes begin like an array.
pub fn begins(head: &[u8]) -> bool {
    head.starts_with(b"\x93NUMPY")
}

/// What a header tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes before the first element.
    pub length: u64,
    /// What the elements are, in NumPy's letters; a structured type as it stands.
    pub descr: String,
    /// Whether the first index runs fastest.
    pub fortran: bool,
    /// The dimensions.
    pub shape: Vec<u64>,
}

/// Reads the header at the beginning of an array.
pub fn header(bytes: &[u8]) -> Result<Header, String> {
    let wrong = || "the header of the array is damaged".to_owned();
    if !begins(bytes) || bytes.len() < 12 {
        return Err("it does not begin like an array of NumPy".to_owned());
    }
    let (length, start) = match bytes[6] {
        1 => (usize::from(u16::from_le_bytes([bytes[8], bytes[9]])), 10),
        2 | 3 => (u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize, 12),
        other => return Err(format!("version {other} of NumPy's format is not known")),
    };
    let text = bytes.get(start..).and_then(|rest| rest.get(..length)).ok_or_else(wrong)?;
    let text = String::from_utf8_lossy(text);
    let entries = literal::dictionary(&text);
    let Some(entries) = entries else {
        return Err("its type is structured or unusual, and is not read".to_owned());
    };
    let get = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    let (Some(Literal::Text(descr)), Some(Literal::Bool(fortran)), Some(Literal::Tuple(shape))) =
        (get("descr"), get("fortran_order"), get("shape"))
    else {
        return Err("its type is structured or unusual, and is not read".to_owned());
    };
    let side = |literal: &Literal| if let Literal::Int(side) = literal { Some(*side) } else { None };
    let shape = shape.iter().map(side).collect::<Option<_>>().ok_or_else(wrong)?;
    Ok(Header { length: (start + length) as u64, descr: descr.clone(), fortran: *fortran, shape })
}

/// The array as a tensor; `place` holds its elements, `available` bytes of them. Says why where it cannot be one.
pub fn tensor(name: &str, header: &Header, place: Place, available: u64) -> Result<Tensor, String> {
    let (dtype, size, swapped) = element(&header.descr)?;
    let mut shape = header.shape.clone();
    // Strings and the like are compared byte by byte.
    let wide = size / dtype.size() as u64;
    if wide != 1 {
        shape.push(wide);
    }
    let length = shape.iter().try_fold(dtype.size() as u64, |size, side| size.checked_mul(*side));
    let length = length.filter(|length| *length <= available);
    let Some(length) = length else {
        return Err(format!("an array of shape {:?} does not fit its {available} bytes", header.shape));
    };
    let strides = if header.fortran && wide == 1 { column_major(&shape) } else { row_major(&shape) };
    if header.fortran && wide != 1 {
        return Err("strings in Fortran order are not read".to_owned());
    }
    Ok(Tensor { name: name.to_owned(), dtype, shape, strides, offset: 0, swapped, storage: Storage { place, length } })
}

fn column_major(shape: &[u64]) -> Vec<u64> {
    let reversed: Vec<u64> = shape.iter().rev().copied().collect();
    row_major(&reversed).into_iter().rev().collect()
}

/// The type of NumPy's letters, bytes of one element, and whether they are in big-endian order.
pub fn element(descr: &str) -> Result<(Dtype, u64, bool), String> {
    let (order, rest) = match descr.chars().next() {
        Some(order @ ('<' | '>' | '|' | '=')) => (order, &descr[1..]),
        _ => ('=', descr),
    };
    let swapped = order == '>';
    let dtype = match rest {
        "f8" => Dtype::F64,
        "f4" => Dtype::F32,
        "f2" => Dtype::F16,
        "i8" => Dtype::I64,
        "i4" => Dtype::I32,
        "i2" => Dtype::I16,
        "i1" => Dtype::I8,
        "u8" => Dtype::U64,
        "u4" => Dtype::U32,
        "u2" => Dtype::U16,
        "u1" => Dtype::U8,
        "b1" => Dtype::Bool,
        "c8" => Dtype::C64,
        "c16" => Dtype::C128,
        _ => return opaque(rest).ok_or_else(|| format!("the type `{descr}` is not read")),
    };
    Ok((dtype, dtype.size() as u64, swapped && dtype.size() > 1))
}

/// Text, raw bytes, dates: fixed numbers of bytes.
fn opaque(rest: &str) -> Option<(Dtype, u64, bool)> {
    let (letter, digits) = rest.split_at_checked(1)?;
    if matches!(letter, "M" | "m") {
        return Some((Dtype::I64, 8, false));
    }
    let count: u64 = digits.parse().ok().filter(|count| (1..=1 << 20).contains(count))?;
    match letter {
        "S" | "V" => Some((Dtype::Bytes, count, false)),
        "U" => Some((Dtype::Bytes, 4 * count, false)),
        _ => None,
    }
}
