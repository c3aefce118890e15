//! Two tensors, element by element.

use std::io;

use super::element::{self, Apart, Element, Exact};
use super::tally::Tally;
use super::walk::{Order, Walk};
use super::{Side, minifloat, part, sentence};
use crate::model::{Dtype, ElementPair, ElementSpread, Match, Tensor, TensorMatch, Tolerance};

/// Bytes of each side that are compared at a time.
const BLOCK: usize = 256 << 10;

/// Compares a tensor with the reference's.
pub fn compare((a, x): (&Side<'_>, &Tensor), (b, y): (&Side<'_>, &Tensor), tolerance: Tolerance) -> TensorMatch {
    let mut found = TensorMatch {
        name: x.name.clone(),
        other_name: (x.name != y.name).then(|| y.name.clone()),
        part: part::of(&x.name),
        kind: Match::Equal,
        dtypes: (Some(x.dtype), Some(y.dtype)),
        shapes: (Some(x.shape.clone()), Some(y.shape.clone())),
        spread: ElementSpread::default(),
        sentence: String::new(),
    };
    if x.elements() != y.elements() {
        found.kind = Match::Shape;
        found.sentence = sentence::shape(&found);
        return found;
    }
    let compared = match x.dtype == y.dtype {
        true => bits((a, x), (b, y), tolerance).map(|spread| (spread, None)),
        false => values((a, x), (b, y), tolerance).map(|(spread, rounded)| (spread, Some(rounded))),
    };
    match compared {
        Err(why) => {
            found.kind = Match::Unread;
            found.sentence = format!("it could not be read: {why}");
        }
        Ok((spread, rounded)) => {
            found.spread = spread;
            found.kind = kind(&found, x, y, tolerance);
            found.sentence = sentence::of(&found, rounded);
        }
    }
    found
}

fn kind(found: &TensorMatch, x: &Tensor, y: &Tensor, tolerance: Tolerance) -> Match {
    let spread = &found.spread;
    if x.shape != y.shape {
        Match::Shape
    } else if x.dtype != y.dtype && (tolerance == Tolerance::Exact || spread.beyond > 0) {
        Match::Dtype
    } else if spread.beyond == 0 {
        if found.other_name.is_some() { Match::Renamed } else { Match::Equal }
    } else if spread.first.as_ref().is_some_and(|first| first.values.0.is_nan() != first.values.1.is_nan()) {
        Match::Nan
    } else {
        Match::Value
    }
}

/// Whether two tensors of one type and shape hold the same bits; stops at the first difference.
pub fn same((a, x): (&Side<'_>, &Tensor), (b, y): (&Side<'_>, &Tensor)) -> io::Result<bool> {
    let mut same = true;
    let order = Order::storage(x);
    let mut walks = (Walk::open(a, x, &order)?, Walk::open(b, y, &order)?);
    in_blocks(&mut walks, (x, y), |_, left, right| {
        same = left == right;
        same
    })?;
    Ok(same)
}

/// The first bytes of a tensor, by rows.
pub fn beginning(side: &Side<'_>, tensor: &Tensor, most: usize) -> io::Result<Vec<u8>> {
    let size = tensor.dtype.size();
    let count = usize::try_from(tensor.elements()).unwrap_or(usize::MAX).min(most / size);
    let mut bytes = vec![0; count * size];
    Walk::open(side, tensor, &Order::rows(tensor))?.fill(0, &mut bytes)?;
    Ok(bytes)
}

/// Hands out both sides in blocks, with the number of the first element, until `take` says that it is enough.
fn in_blocks(
    walks: &mut (Walk<'_>, Walk<'_>),
    (x, y): (&Tensor, &Tensor),
    mut take: impl FnMut(u64, &[u8], &[u8]) -> bool,
) -> io::Result<()> {
    let (elements, sizes) = (x.elements(), (x.dtype.size(), y.dtype.size()));
    let most = (BLOCK / sizes.0.max(sizes.1)) as u64;
    let room = usize::try_from(elements.min(most)).unwrap_or(0);
    let mut blocks = (vec![0; room * sizes.0], vec![0; room * sizes.1]);
    let mut from = 0;
    while from < elements {
        let count = usize::try_from((elements - from).min(most)).unwrap_or(0);
        let (left, right) = (&mut blocks.0[..count * sizes.0], &mut blocks.1[..count * sizes.1]);
        walks.0.fill(from, left)?;
        walks.1.fill(from, right)?;
        if !take(from, left, right) {
            break;
        }
        from += count as u64;
    }
    Ok(())
}

/// The order in which both are read: as the reference lies in storage; by rows where the shapes differ.
fn order(x: &Tensor, y: &Tensor) -> (Order, Order) {
    if x.shape == y.shape { (Order::storage(x), Order::storage(x)) } else { (Order::rows(x), Order::rows(y)) }
}

fn bits((a, x): (&Side<'_>, &Tensor), (b, y): (&Side<'_>, &Tensor), tolerance: Tolerance) -> io::Result<ElementSpread> {
    let orders = order(x, y);
    let mut walks = (Walk::open(a, x, &orders.0)?, Walk::open(b, y, &orders.1)?);
    let mut tally = Tally::new(tolerance);
    let (lanes, dtype) = element::lanes(x.dtype);
    let place = Place { order: &orders.0, tensor: x, lanes: lanes as u64 };
    in_blocks(&mut walks, (x, y), |from, left, right| {
        if left != right {
            count(dtype, (left, right), from * lanes as u64, &place, &mut tally);
        }
        true
    })?;
    let mut spread = tally.spread(x.elements());
    spread.first = tally.first().map(|first| pair((a, x), (b, y), first)).transpose()?;
    Ok(spread)
}

/// Where a number stands among the elements by rows.
struct Place<'a> {
    order: &'a Order,
    tensor: &'a Tensor,
    lanes: u64,
}

impl Place<'_> {
    fn by_rows(&self, number: u64) -> u64 {
        let element = number / self.lanes;
        if self.order.is_rows() { element } else { self.order.by_rows(&self.tensor.shape, element) }
    }
}

/// Counts the numbers of two blocks that differ.
fn count(dtype: Dtype, blocks: (&[u8], &[u8]), from: u64, place: &Place<'_>, tally: &mut Tally) {
    match (dtype, minifloat::format(dtype)) {
        (_, Some(format)) if dtype.size() == 2 => each(&element::Half(format), blocks, from, place, tally),
        (_, Some(format)) => each(&element::Quarter(format), blocks, from, place, tally),
        (Dtype::F64, _) => each(&element::F64, blocks, from, place, tally),
        (Dtype::F32, _) => each(&element::F32, blocks, from, place, tally),
        (Dtype::I64, _) => each(&element::I64, blocks, from, place, tally),
        (Dtype::I32, _) => each(&element::I32, blocks, from, place, tally),
        (Dtype::I16, _) => each(&element::I16, blocks, from, place, tally),
        (Dtype::I8, _) => each(&element::I8, blocks, from, place, tally),
        (Dtype::U64, _) => each(&element::U64, blocks, from, place, tally),
        (Dtype::U32, _) => each(&element::U32, blocks, from, place, tally),
        (Dtype::U16, _) => each(&element::U16, blocks, from, place, tally),
        (Dtype::F8E8m0fnu, _) => each(&element::Scale, blocks, from, place, tally),
        _ => each(&element::U8, blocks, from, place, tally),
    }
}

fn each<E: Element>(element: &E, blocks: (&[u8], &[u8]), from: u64, place: &Place<'_>, tally: &mut Tally) {
    let pairs = blocks.0.chunks_exact(E::SIZE).zip(blocks.1.chunks_exact(E::SIZE));
    let ordered = place.order.is_rows();
    for (number, (left, right)) in (from..).zip(pairs) {
        if left != right {
            let known = ordered && tally.has_first();
            tally.count(element.apart(left, right), || if known { u64::MAX } else { place.by_rows(number) });
        }
    }
}

/// Compares the values of two types; also gives how many differ once the reference's are rounded to the narrower type.
fn values(
    (a, x): (&Side<'_>, &Tensor),
    (b, y): (&Side<'_>, &Tensor),
    tolerance: Tolerance,
) -> io::Result<(ElementSpread, u64)> {
    let orders = order(x, y);
    let mut walks = (Walk::open(a, x, &orders.0)?, Walk::open(b, y, &orders.1)?);
    let mut tally = Tally::new(tolerance);
    let mut after_rounding = 0;
    let place = Place { order: &orders.0, tensor: x, lanes: 1 };
    let sizes = (x.dtype.size(), y.dtype.size());
    in_blocks(&mut walks, (x, y), |from, left, right| {
        let pairs = left.chunks_exact(sizes.0).zip(right.chunks_exact(sizes.1));
        for (number, (left, right)) in (from..).zip(pairs) {
            let both = (element::exact(x.dtype, left), element::exact(y.dtype, right));
            let imaginary = (imaginary(x.dtype, left), imaginary(y.dtype, right));
            if both.0.same(both.1) && imaginary.0.same(imaginary.1) {
                continue;
            }
            let (u, v) = if both.0.same(both.1) { imaginary } else { both };
            let values = (u.float(), v.float());
            let absolute = (values.0.is_finite() && values.1.is_finite()).then(|| (values.0 - values.1).abs());
            tally.count(Apart { values, ulps: None, absolute }, || place.by_rows(number));
            let rounds = |(u, v): (Exact, Exact)| u.same(v) || rounds((x.dtype, u), (y.dtype, v));
            after_rounding += u64::from(!(rounds(both) && rounds(imaginary)));
        }
        true
    })?;
    let mut spread = tally.spread(x.elements());
    spread.first = tally.first().map(|first| pair((a, x), (b, y), first)).transpose()?;
    Ok((spread, after_rounding))
}

/// The imaginary part of a complex number; 0 of any other.
fn imaginary(dtype: Dtype, bytes: &[u8]) -> Exact {
    let (lanes, lane) = element::lanes(dtype);
    if lanes == 1 { Exact::Float(0.0) } else { element::exact(lane, &bytes[lane.size()..]) }
}

/// Whether one value is the other, rounded to its type.
fn rounds((x, u): (Dtype, Exact), (y, v): (Dtype, Exact)) -> bool {
    let to = |dtype: Dtype, value: f64| match (element::lanes(dtype).1, minifloat::format(dtype)) {
        (Dtype::F32, _) => Some((value, f64::from(value as f32))),
        // Rounded at once, or by way of binary32 as libraries do.
        (_, Some(format)) => Some((format.round(value), format.round(f64::from(value as f32)))),
        _ => None,
    };
    let is = |rounded: Option<(f64, f64)>, value: f64| {
        let same = |a: f64| a == value || (a.is_nan() && value.is_nan());
        rounded.is_some_and(|(once, twice)| same(once) || same(twice))
    };
    is(to(y, u.float()), v.float()) || is(to(x, v.float()), u.float())
}

/// The element of that number by rows, of both.
fn pair((a, x): (&Side<'_>, &Tensor), (b, y): (&Side<'_>, &Tensor), number: u64) -> io::Result<ElementPair> {
    let one = |side: &Side<'_>, tensor: &Tensor| -> io::Result<(String, f64)> {
        let mut bytes = vec![0; tensor.dtype.size()];
        Walk::open(side, tensor, &Order::rows(tensor))?.fill(number, &mut bytes)?;
        let (lanes, lane) = element::lanes(tensor.dtype);
        let value = element::exact(lane, &bytes).float();
        let text = match lanes {
            1 => element::text(tensor.dtype, &bytes),
            _ => format!("({}, {})", element::text(lane, &bytes), element::text(lane, &bytes[lane.size()..])),
        };
        Ok((text, value))
    };
    let ((reference, u), (other, v)) = (one(a, x)?, one(b, y)?);
    let mut index = vec![0; x.shape.len()];
    let mut rest = number;
    for (place, side) in index.iter_mut().zip(&x.shape).rev() {
        *place = rest % side.max(&1);
        rest /= side.max(&1);
    }
    Ok(ElementPair { index, reference, other, values: (u, v) })
}
