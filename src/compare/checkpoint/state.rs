//! What is no tensor, path by path.

use std::collections::{HashMap, VecDeque};

use super::part;
use crate::compare::distance;
use crate::model::{Match, Number, Precision, State, StateMatch, StateValue, Tolerance};

/// Letters of a text that are shown.
const SHOWN: usize = 60;

/// How many entries were compared, and those that differ, in the order of the reference.
pub fn compare(reference: &[State], other: &[State], tolerance: Tolerance) -> (usize, Vec<StateMatch>) {
    let mut by_path: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, state) in other.iter().enumerate() {
        by_path.entry(&state.path).or_default().push_back(at);
    }
    let mut taken = vec![false; other.len()];
    let mut compared = 0;
    let mut found = Vec::new();
    for state in reference {
        let Some(at) = by_path.get_mut(state.path.as_str()).and_then(VecDeque::pop_front) else {
            found.push(of(&state.path, Match::Missing, (Some(&state.value), None)));
            continue;
        };
        taken[at] = true;
        compared += 1;
        if !equal(&state.value, &other[at].value, tolerance) {
            found.push(differing(&state.path, &state.value, &other[at].value));
        }
    }
    let left = other.iter().zip(taken).filter(|(_, taken)| !taken);
    found.extend(left.map(|(state, _)| of(&state.path, Match::Extra, (None, Some(&state.value)))));
    (compared, found)
}

fn of(path: &str, kind: Match, (reference, other): (Option<&StateValue>, Option<&StateValue>)) -> StateMatch {
    StateMatch {
        path: path.to_owned(),
        part: part::of_state(path),
        kind,
        reference: reference.map(text),
        other: other.map(text),
        values: (reference.and_then(float), other.and_then(float)),
    }
}

fn differing(path: &str, a: &StateValue, b: &StateValue) -> StateMatch {
    let mut found = of(path, Match::Value, (Some(a), Some(b)));
    if let (StateValue::Numbers(a), StateValue::Numbers(b)) = (a, b) {
        let first = a.iter().zip(b).position(|(a, b)| a != b);
        if let (Some(at), true) = (first, a.len() == b.len()) {
            let apart = a.iter().zip(b).filter(|(a, b)| a != b).count();
            found.reference = Some(format!("{} at {at}; {apart} of {} numbers differ", number(a[at]), a.len()));
            found.other = Some(format!("{} at {at}", number(b[at])));
            found.values = (Some(as_float(a[at])), Some(as_float(b[at])));
        }
    }
    if let (StateValue::Bytes(a), StateValue::Bytes(b)) = (a, b) {
        let first = a.iter().zip(b.iter()).position(|(a, b)| a != b);
        if let (Some(at), true) = (first, a.len() == b.len()) {
            found.reference = Some(format!("byte {} at {at} of {}", a[at], a.len()));
            found.other = Some(format!("byte {} at {at}", b[at]));
        }
    }
    if let (Some(a), Some(b)) = found.values
        && a.is_nan() != b.is_nan()
    {
        found.kind = Match::Nan;
    }
    found
}

fn equal(a: &StateValue, b: &StateValue, tolerance: Tolerance) -> bool {
    match (a, b) {
        (StateValue::Number(a), StateValue::Number(b)) => same(*a, *b, tolerance),
        (StateValue::Numbers(a), StateValue::Numbers(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b, tolerance))
        }
        _ => a == b,
    }
}

fn same(a: Number, b: Number, tolerance: Tolerance) -> bool {
    if a == b {
        return true;
    }
    let (x, y) = (as_float(a), as_float(b));
    match tolerance {
        Tolerance::Exact => false,
        Tolerance::Ulps(most) => distance::ulps(x, y, Precision::Double).is_some_and(|apart| apart <= most),
        Tolerance::Relative(most) => distance::relative(x, y).is_some_and(|apart| apart <= most),
        Tolerance::Absolute(most) => distance::absolute(x, y).is_some_and(|apart| apart <= most),
    }
}

fn as_float(number: Number) -> f64 {
    match number {
        Number::Int(number) => number as f64,
        Number::Float(number) => number,
    }
}

fn float(value: &StateValue) -> Option<f64> {
    if let StateValue::Number(number) = value { Some(as_float(*number)) } else { None }
}

fn number(number: Number) -> String {
    match number {
        Number::Int(number) => number.to_string(),
        Number::Float(number) => format!("{number:?}"),
    }
}

/// A value as a report shows it.
fn text(value: &StateValue) -> String {
    match value {
        StateValue::None => "None".to_owned(),
        StateValue::Bool(true) => "True".to_owned(),
        StateValue::Bool(false) => "False".to_owned(),
        StateValue::Number(of) => number(*of),
        StateValue::Numbers(numbers) => format!("{} numbers", numbers.len()),
        StateValue::Text(text) if text.chars().count() > SHOWN => {
            format!("'{}…'", text.chars().take(SHOWN).collect::<String>())
        }
        StateValue::Text(text) => format!("'{text}'"),
        StateValue::Bytes(bytes) => format!("{} bytes", bytes.len()),
        StateValue::Empty(kind) => format!("an empty {kind}"),
        StateValue::Opaque(class) => format!("an object of {class}"),
    }
}
