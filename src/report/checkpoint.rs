//! How checkpoints compare, as grids and as JSON.

use serde_json::{Value, json};

use super::json;
use super::listing::{Listing, Section};
use crate::model::{Audit, CheckpointDifference, ElementSpread, Match, StateMatch, TensorMatch};

/// Rows of a grid for people; the data forms have all.
const ROWS: usize = 40;

/// The column of the kind.
const KIND: usize = 2;

/// What of a comparison is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What differs, the first ones of it.
    Differing,
    /// Everything.
    All,
}

/// The grids of every compared checkpoint.
pub fn sections(audit: &Audit, shown: Shown) -> Vec<Section> {
    audit.checkpoints.iter().map(|one| section(one, shown)).collect()
}

/// The same for a data file; `None` where no checkpoints were compared, or runs were, whose values it holds instead.
pub fn listing(audit: &Audit) -> Option<Listing> {
    (audit.runs.is_empty() && !audit.checkpoints.is_empty()).then(|| Listing {
        title: "a comparison of checkpoints",
        key: Some("checkpoint"),
        sections: sections(audit, Shown::All),
        empty: "Nothing was compared.",
        json: Value::Null,
    })
}

fn section(one: &CheckpointDifference, shown: Shown) -> Section {
    let wanted = |tensor: &&TensorMatch| shown == Shown::All || tensor.kind != Match::Equal;
    let row = if shown == Shown::All { tensor_row } else { brief_row };
    let tensors = one.tensors.iter().filter(wanted).map(row);
    let mut rows: Vec<Vec<String>> = tensors.chain(one.state.iter().map(state_row)).collect();
    let mut head = vec!["name", "part", "kind", "reference", "other", "difference"];
    if shown == Shown::Differing {
        // Most differ in their values, and columns are dear.
        head.remove(KIND);
        rows.iter_mut().for_each(|row| drop(row.remove(KIND)));
    }
    let mut notes = Vec::new();
    if shown == Shown::Differing && rows.iter().any(|row| row.last().is_some_and(|cell| cell.ends_with(" ulps"))) {
        notes.push("Values are the first ones that differ; ulps are the median and the largest.".to_owned());
    }
    if shown == Shown::Differing && rows.len() > ROWS {
        notes.push(format!("{} more are in --format json.", rows.len() - ROWS));
        rows.truncate(ROWS);
    }
    let count = |kind: Match| one.tensors.iter().filter(|tensor| tensor.kind == kind).count();
    Section {
        name: one.other.clone(),
        about: format!(
            "{} against {} ({}): {} of {} tensors equal, {} of {} other entries equal",
            one.formats.1,
            one.reference,
            one.formats.0,
            count(Match::Equal),
            one.tensors.len(),
            one.state_compared - one.state.iter().filter(|state| both(state)).count(),
            one.state_compared,
        ),
        head,
        rows,
        right: Vec::new(),
        cards: shown == Shown::All,
        notes,
    }
}

fn both(state: &StateMatch) -> bool {
    state.reference.is_some() && state.other.is_some()
}

fn tensor_row(tensor: &TensorMatch) -> Vec<String> {
    let side = |dtype: Option<crate::model::Dtype>, shape: &Option<Vec<u64>>| {
        let sides = |shape: &Vec<u64>| shape.iter().map(u64::to_string).collect::<Vec<_>>().join("×");
        match (dtype, shape) {
            (Some(dtype), Some(shape)) if shape.is_empty() => dtype.word().to_owned(),
            (Some(dtype), Some(shape)) => format!("{} {}", dtype.word(), sides(shape)),
            _ => String::new(),
        }
    };
    let name = match &tensor.other_name {
        Some(other) => format!("{} → {other}", tensor.name),
        None => tensor.name.clone(),
    };
    vec![
        name,
        tensor.part.word().to_owned(),
        tensor.kind.word().to_owned(),
        side(tensor.dtypes.0, &tensor.shapes.0),
        side(tensor.dtypes.1, &tensor.shapes.1),
        tensor.sentence.clone(),
    ]
}

/// The same in few letters: the first values that differ rather than types, and sizes rather than a sentence.
fn brief_row(tensor: &TensorMatch) -> Vec<String> {
    let mut row = tensor_row(tensor);
    let spread = &tensor.spread;
    if let (Match::Value | Match::Nan, Some(first)) = (tensor.kind, &spread.first) {
        row[3].clone_from(&first.reference);
        row[4].clone_from(&first.other);
        row[5] = format!("{}/{}", spread.differing, spread.elements);
        if tensor.dtypes.0.is_some_and(crate::model::Dtype::is_float) {
            let median = spread.median_ulps.map(|(low, _)| format!("{}, ", ulps(low)));
            let most = spread.max_ulps.map(ulps);
            row[5] += &most.map_or(String::new(), |most| format!("; {}{most} ulps", median.unwrap_or_default()));
        }
    }
    row
}

/// A distance to two digits.
fn ulps(distance: u64) -> String {
    if distance < 10_000 { distance.to_string() } else { format!("{:.1e}", distance as f64) }
}

fn state_row(state: &StateMatch) -> Vec<String> {
    vec![
        state.path.clone(),
        state.part.word().to_owned(),
        state.kind.word().to_owned(),
        state.reference.clone().unwrap_or_default(),
        state.other.clone().unwrap_or_default(),
        match state.kind {
            Match::Missing => "only the reference has it".to_owned(),
            Match::Extra => "the reference lacks it".to_owned(),
            _ => String::new(),
        },
    ]
}

/// The block that the published document gains; `None` where no checkpoints were compared.
pub fn document(audit: &Audit) -> Option<Value> {
    let first = audit.checkpoints.first()?;
    let comparisons: Vec<Value> = audit.checkpoints.iter().map(comparison).collect();
    Some(json!({ "reference": first.reference, "comparisons": comparisons }))
}

fn comparison(one: &CheckpointDifference) -> Value {
    json!({
        "reference": one.reference,
        "file": one.other,
        "formats": [one.formats.0, one.formats.1],
        "tensors": one.tensors.iter().map(tensor).collect::<Vec<_>>(),
        "state_compared": one.state_compared,
        "state": one.state.iter().map(state).collect::<Vec<_>>(),
        "not_understood": one.not_understood,
    })
}

fn tensor(tensor: &TensorMatch) -> Value {
    let word = |dtype: Option<crate::model::Dtype>| dtype.map(crate::model::Dtype::word);
    let mut document = json!({
        "name": tensor.name,
        "other_name": tensor.other_name,
        "part": tensor.part.word(),
        "kind": tensor.kind.word(),
        "dtypes": [word(tensor.dtypes.0), word(tensor.dtypes.1)],
        "shapes": [tensor.shapes.0, tensor.shapes.1],
        "elements": tensor.spread.elements,
        "differing": tensor.spread.differing,
        "sentence": tensor.sentence,
    });
    if tensor.spread.differing > 0 {
        document["spread"] = spread(&tensor.spread);
    }
    document
}

fn spread(spread: &ElementSpread) -> Value {
    let first = spread.first.as_ref().map(|first| {
        json!({
            "index": first.index,
            "texts": [first.reference, first.other],
            "values": [json::number(first.values.0), json::number(first.values.1)],
        })
    });
    let histogram = spread.histogram.iter().map(|(low, count)| json!({ "from": low, "count": count }));
    json!({
        "beyond_tolerance": spread.beyond,
        "first": first,
        "max_ulps": spread.max_ulps,
        "median_ulps": spread.median_ulps.map(|(low, high)| [low, high]),
        "ulps": histogram.collect::<Vec<_>>(),
        "max_absolute": spread.max_absolute.map(json::number),
        "max_relative": spread.max_relative.map(json::number),
        "nan": [spread.nan.0, spread.nan.1],
        "signs_of_zero": spread.signs_of_zero,
    })
}

fn state(state: &StateMatch) -> Value {
    json!({
        "path": state.path,
        "part": state.part.word(),
        "kind": state.kind.word(),
        "texts": [state.reference, state.other],
        "values": [state.values.0.map(json::number), state.values.1.map(json::number)],
    })
}
