//! The elements of a tensor in a fixed order, block by block, wherever they lie in its storage.

use std::io;

use super::Side;
use super::bytes::Bytes;
use crate::model::{Tensor, row_major};

/// Bytes of one block of the cache through which scattered elements are read.
const LINE: usize = 4 << 10;
/// Blocks in the cache.
const LINES: usize = 2048;

/// In which order elements are visited: dimensions, the slowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order(Vec<usize>);

impl Order {
    /// By rows, as the indices count.
    pub fn rows(tensor: &Tensor) -> Self {
        Self((0..tensor.shape.len()).collect())
    }

    /// As the elements lie in storage: the widest stride first.
    pub fn storage(tensor: &Tensor) -> Self {
        let mut order = Self::rows(tensor);
        if !in_a_row(&tensor.shape, &tensor.strides) {
            order.0.sort_by_key(|dimension| std::cmp::Reverse(tensor.strides[*dimension]));
        }
        order
    }

    /// Whether it is the order of the indices.
    pub fn is_rows(&self) -> bool {
        self.0.is_sorted()
    }

    fn of(&self, values: &[u64]) -> Vec<u64> {
        self.0.iter().map(|dimension| values[*dimension]).collect()
    }

    /// The number by rows of the element that is visited as number `visited`.
    pub fn by_rows(&self, shape: &[u64], visited: u64) -> u64 {
        let weights = row_major(shape);
        let mut rest = visited;
        let mut number = 0;
        for dimension in self.0.iter().rev() {
            let side = shape[*dimension].max(1);
            number += rest % side * weights[*dimension];
            rest /= side;
        }
        number
    }
}

/// Whether elements lie one after the other.
fn in_a_row(shape: &[u64], strides: &[u64]) -> bool {
    let mut expected = 1_u64;
    for (side, stride) in shape.iter().zip(strides).rev() {
        if *side == 1 {
            continue;
        }
        if *stride != expected {
            return false;
        }
        expected = expected.saturating_mul(*side);
    }
    true
}

/// A tensor's elements, in an order.
pub struct Walk<'a> {
    bytes: Bytes<'a>,
    shape: Vec<u64>,
    strides: Vec<u64>,
    start: u64,
    size: usize,
    /// Bytes that make up one number, where they stand in the other order.
    swap: Option<usize>,
    cache: Option<Cache>,
}

impl<'a> Walk<'a> {
    /// The elements of `tensor` in `order`.
    pub fn open(side: &'a Side<'_>, tensor: &'a Tensor, order: &Order) -> io::Result<Self> {
        let (shape, strides) = (order.of(&tensor.shape), order.of(&tensor.strides));
        let straight = in_a_row(&shape, &strides);
        let size = tensor.dtype.size();
        Ok(Self {
            bytes: Bytes::open(side, &tensor.storage, straight)?,
            shape,
            strides,
            start: tensor.offset * size as u64,
            size,
            swap: tensor.swapped.then(|| super::element::lanes(tensor.dtype).1.size()),
            cache: (!straight).then(|| Cache::new(tensor.storage.length)),
        })
    }

    /// Fills `out` with the elements from number `from` on, each in little-endian order.
    pub fn fill(&mut self, from: u64, out: &mut [u8]) -> io::Result<()> {
        match &mut self.cache {
            None => self.bytes.read(self.start + from * self.size as u64, out)?,
            Some(_) => self.gather(from, out)?,
        }
        if let Some(size) = self.swap {
            out.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(())
    }

    fn gather(&mut self, from: u64, out: &mut [u8]) -> io::Result<()> {
        let Some(cache) = &mut self.cache else { return Ok(()) };
        let mut index = coordinates(&self.shape, from);
        let Some((&side, &stride)) = self.shape.last().zip(self.strides.last()) else {
            return cache.read(&mut self.bytes, self.start, out);
        };
        let mut rest = out;
        while !rest.is_empty() {
            let last = index.len() - 1;
            let row: u64 = index.iter().zip(&self.strides).map(|(index, stride)| index * stride).sum();
            let count = usize::try_from(side - index[last]).unwrap_or(usize::MAX).min(rest.len() / self.size);
            let (now, later) = rest.split_at_mut(count * self.size);
            let at = self.start + row * self.size as u64;
            if stride == 1 {
                cache.read(&mut self.bytes, at, now)?;
            } else {
                let step = stride * self.size as u64;
                for (number, element) in (0..).zip(now.chunks_exact_mut(self.size)) {
                    cache.read(&mut self.bytes, at + number * step, element)?;
                }
            }
            rest = later;
            index[last] += count as u64;
            carry(&mut index, &self.shape);
        }
        Ok(())
    }
}

fn coordinates(shape: &[u64], number: u64) -> Vec<u64> {
    let mut rest = number;
    let mut index = vec![0; shape.len()];
    for (place, side) in index.iter_mut().zip(shape).rev() {
        *place = rest % side.max(&1);
        rest /= side.max(&1);
    }
    index
}

fn carry(index: &mut [u64], shape: &[u64]) {
    for dimension in (1..index.len()).rev() {
        if index[dimension] < shape[dimension] {
            return;
        }
        index[dimension] = 0;
        index[dimension - 1] += 1;
    }
}

/// Blocks of a storage that were read of late.
struct Cache {
    length: u64,
    lines: Vec<u8>,
    tags: Vec<u64>,
}

impl Cache {
    fn new(length: u64) -> Self {
        let whole = usize::try_from(length.div_ceil(LINE as u64)).unwrap_or(usize::MAX);
        let lines = whole.clamp(1, LINES);
        Self { length, lines: vec![0; lines * LINE], tags: vec![u64::MAX; lines] }
    }

    fn read(&mut self, bytes: &mut Bytes<'_>, at: u64, out: &mut [u8]) -> io::Result<()> {
        let (mut at, mut rest) = (at, out);
        while !rest.is_empty() {
            let (line, inside) = (at / LINE as u64, (at % LINE as u64) as usize);
            let slot = (line % self.tags.len() as u64) as usize;
            let place = &mut self.lines[slot * LINE..(slot + 1) * LINE];
            if self.tags[slot] != line {
                let start = line * LINE as u64;
                let length = usize::try_from(self.length.saturating_sub(start)).unwrap_or(LINE).min(LINE);
                self.tags[slot] = u64::MAX;
                bytes.read(start, &mut place[..length])?;
                self.tags[slot] = line;
            }
            let count = rest.len().min(LINE - inside);
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&place[inside..inside + count]);
            rest = later;
            at += count as u64;
        }
        Ok(())
    }
}
