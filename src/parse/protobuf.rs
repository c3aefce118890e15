//! Just enough of the protobuf wire format to walk the fields of a message.

use std::ops::Range;

/// The content of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire<'a> {
    /// A variable-length integer.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes, the least significant one first.
    Fixed32(&'a [u8; 4]),
    /// A string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
}

/// Walks the fields of a message; ends early where the message is damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// Bytes of the message that are not walked yet.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let (value, used) = varint(self.rest)?;
        self.rest = &self.rest[used..];
        Some(value)
    }
}

/// A variable-length integer and how many bytes it takes.
pub(crate) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Where the variable-length integer of a field stands that ends at `end`: behind the last byte of the field's tag.
pub(crate) fn varint_before(message: &[u8], end: usize) -> Range<usize> {
    let first = message[..end].iter().rev().skip(1).take_while(|byte| **byte & 0x80 != 0).count() + 1;
    end - first.min(end)..end
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Wire<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some((tag >> 3, wire))
    }
}

/// The text of a field, where it is one.
pub(crate) fn text(wire: Wire<'_>) -> Option<String> {
    match wire {
        Wire::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}
