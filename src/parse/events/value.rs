//! The values of a summary: plain floats, and tensors that hold exactly one number.

use crate::model::half;
use crate::parse::protobuf::{self, Fields, Wire};

/// The type of a tensor of 32-bit floats.
const FLOAT: u64 = 1;

/// One value of a summary.
pub(super) struct Value<'a> {
    pub(super) tag: &'a [u8],
    /// The number, where it is one.
    pub(super) number: Option<f64>,
    /// The four bytes that hold the number, where it is a float of that size that nothing else says anything of.
    pub(super) bits: Option<&'a [u8; 4]>,
}

impl<'a> Value<'a> {
    /// What a message of this kind says.
    pub(super) fn of(message: &'a [u8]) -> Self {
        let mut value = Self { tag: b"", number: None, bits: None };
        for (field, wire) in Fields::of(message) {
            match (field, wire) {
                (1, Wire::Bytes(bytes)) => value.tag = bytes,
                (2, Wire::Fixed32(bits)) => {
                    value.number = Some(f64::from(f32::from_le_bytes(*bits)));
                    value.bits = Some(bits);
                }
                (8, Wire::Bytes(tensor)) if value.number.is_none() => {
                    (value.number, value.bits) =
                        scalar(tensor).map_or((None, None), |(number, bits)| (Some(number), bits));
                }
                _ => {}
            }
        }
        value
    }
}

/// The single number of a tensor, where it holds exactly one, and its bytes where it is a float of four.
fn scalar(message: &[u8]) -> Option<(f64, Option<&[u8; 4]>)> {
    let mut kind = 0;
    let mut content: &[u8] = b"";
    let mut number = None;
    let mut bits: Option<&[u8; 4]> = None;
    let mut count = 0;
    for (field, wire) in Fields::of(message) {
        match (field, wire) {
            (1, Wire::Varint(value)) => kind = value,
            (2, Wire::Bytes(shape)) if elements(shape) != 1 => return None,
            (4, Wire::Bytes(bytes)) => content = bytes,
            (5, Wire::Bytes(packed)) => {
                count += packed.len() / 4;
                bits = packed.first_chunk();
            }
            (5, Wire::Fixed32(one)) => {
                count += 1;
                bits = Some(one);
            }
            (6, Wire::Bytes(packed)) => {
                count += packed.len() / 8;
                number = packed.first_chunk().map(|b| f64::from_le_bytes(*b));
            }
            (6, Wire::Fixed64(bits)) => {
                count += 1;
                number = Some(f64::from_bits(bits));
            }
            (7 | 10, Wire::Varint(value)) => {
                count += 1;
                number = Some(value as i64 as f64);
            }
            (7 | 10, Wire::Bytes(packed)) => {
                count += packed.iter().filter(|b| **b & 0x80 == 0).count();
                number = protobuf::varint(packed).map(|(v, _)| v as i64 as f64);
            }
            _ => {}
        }
    }
    if !content.is_empty() {
        return Some((from_content(kind, content)?, content.try_into().ok().filter(|_| kind == FLOAT)));
    }
    let number = number.or_else(|| bits.map(|bits| f64::from(f32::from_le_bytes(*bits))));
    number.filter(|_| count == 1).map(|number| (number, bits))
}

fn elements(shape: &[u8]) -> u64 {
    let dimensions = Fields::of(shape).filter_map(|(field, wire)| match (field, wire) {
        (2, Wire::Bytes(dimension)) => Some(dimension),
        _ => None,
    });
    dimensions
        .map(|dimension| {
            Fields::of(dimension)
                .find_map(|(field, wire)| match (field, wire) {
                    (1, Wire::Varint(size)) => Some(size),
                    _ => None,
                })
                .unwrap_or(0)
        })
        .fold(1, u64::saturating_mul)
}

fn from_content(kind: u64, content: &[u8]) -> Option<f64> {
    Some(match kind {
        FLOAT => f64::from(f32::from_le_bytes(content.try_into().ok()?)),
        2 => f64::from_le_bytes(content.try_into().ok()?),
        3 => f64::from(i32::from_le_bytes(content.try_into().ok()?)),
        9 => i64::from_le_bytes(content.try_into().ok()?) as f64,
        14 => f64::from(f32::from_bits(u32::from(u16::from_le_bytes(content.try_into().ok()?)) << 16)),
        19 => half(u16::from_le_bytes(content.try_into().ok()?)),
        _ => return None,
    })
}
