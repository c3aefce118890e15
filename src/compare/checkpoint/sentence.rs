//! What a difference of two tensors means, in one sentence.

use crate::model::{Dtype, Match, TensorMatch};

/// The sentence for a tensor that was compared; `rounded`: elements that differ even after rounding, where types differ.
pub fn of(found: &TensorMatch, rounded: Option<u64>) -> String {
    let text = match (found.kind, rounded) {
        (Match::Equal, _) if found.spread.differing > 0 => format!("within the tolerance: {}", differing(found)),
        (Match::Equal, _) => return String::new(),
        (Match::Renamed, _) => "the same content under another name".to_owned(),
        (Match::Shape, _) => shape(found),
        (_, Some(rounded)) => types(found, rounded),
        _ => differing(found),
    };
    match &found.other_name {
        Some(_) if found.kind != Match::Renamed => format!("under another name; {text}"),
        _ => text,
    }
}

/// The sentence for tensors of other shapes.
pub fn shape(found: &TensorMatch) -> String {
    let of = |shape: &Option<Vec<u64>>| format!("{:?}", shape.as_deref().unwrap_or_default());
    let shapes = format!("shape {} in the reference and {} in the other", of(&found.shapes.0), of(&found.shapes.1));
    match (found.spread.elements, found.spread.beyond) {
        (0, _) => shapes,
        (_, 0) => format!("{shapes}, with the same elements in the same order"),
        _ => format!("{shapes}; in their order {}", differing(found)),
    }
}

fn types(found: &TensorMatch, rounded: u64) -> String {
    let (Some(x), Some(y)) = found.dtypes else { return String::new() };
    let types = format!("{} in the reference and {} in the other", x.word(), y.word());
    let narrow = narrower(x, y).word();
    let spread = &found.spread;
    if spread.differing == 0 {
        format!("{types}; all values are equal")
    } else if rounded == 0 {
        let change = largest(found);
        format!(
            "{types}; equal after rounding to {narrow}: precision was lost in {} elements{change}",
            spread.differing
        )
    } else if rounded < spread.differing {
        format!(
            "{types}; {rounded} of {} elements differ even after rounding to {narrow}{}",
            spread.elements,
            largest(found)
        )
    } else {
        format!("{types}; {}", differing(found))
    }
}

/// The type that holds fewer digits.
fn narrower(x: Dtype, y: Dtype) -> Dtype {
    let digits = |dtype: Dtype| match dtype {
        Dtype::Bf16 => 8,
        Dtype::F16 => 11,
        other => 8 * other.size(),
    };
    if digits(y) < digits(x) { y } else { x }
}

fn differing(found: &TensorMatch) -> String {
    let spread = &found.spread;
    let mut text = format!("{} of {} elements differ", spread.differing, spread.elements);
    if let Some(first) = &spread.first {
        let at = if first.index.is_empty() { String::new() } else { format!(" at {:?}", first.index) };
        text += &format!(", first{at}: {} and {}", first.reference, first.other);
    }
    text += &largest(found);
    match spread.nan {
        (0, 0) => {}
        (a, b) => text += &format!("; NaN {a} times in the reference and {b} times in the other"),
    }
    if spread.signs_of_zero > 0 {
        text += &format!("; {} only in the sign of zero", spread.signs_of_zero);
    }
    text
}

/// How large the differences are.
fn largest(found: &TensorMatch) -> String {
    let spread = &found.spread;
    let float = found.dtypes.0.is_some_and(Dtype::is_float);
    let ulps = spread.max_ulps.filter(|_| float).map(|most| match spread.median_ulps {
        Some((low, high)) if low == high => format!("{most} ulps at most, median {low}"),
        Some((low, high)) => format!("{most} ulps at most, median {low} to {high}"),
        None => format!("{most} ulps at most"),
    });
    let relative = spread.max_relative.filter(|_| float).map(|size| format!("{size:.1e} relative at most"));
    let absolute = spread.max_absolute.filter(|_| !float).map(|size| format!("by {size} at most"));
    let sizes: Vec<String> = [ulps, relative, absolute].into_iter().flatten().collect();
    if sizes.is_empty() { String::new() } else { format!("; {}", sizes.join(", ")) }
}
