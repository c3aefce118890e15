//! `repro-audit diff` of checkpoints: read, compared with the first one, put together as an audit; what
//! runs of an audit saved in [`runs`].

pub mod runs;

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::model::{
    Audit, Checkpoint, CheckpointDifference, Divergence, Kind, Match, Position, RunValue, StateMatch, TensorMatch,
    Token, Tolerance, Verdict,
};
use crate::{compare, exit, parse};

use super::output::Output;

/// The checkpoints that these files are; `None` where none of them is one.
///
/// # Errors
/// Where some are and some are not, or one is damaged.
pub fn read_all(files: &[PathBuf]) -> Result<Option<Vec<Checkpoint>>> {
    let read = files.iter().map(|file| parse::checkpoint::read(file)).collect::<Result<Vec<_>>>()?;
    let is = |wanted: bool| files.iter().zip(&read).find(|(_, read)| read.is_some() == wanted).map(|(file, _)| file);
    match (is(true), is(false)) {
        (Some(one), Some(other)) => Err(Error::Misuse(format!(
            "{} is a checkpoint and {} is none: compare checkpoints with checkpoints, logs with logs",
            one.display(),
            other.display()
        ))),
        (Some(_), None) => Ok(Some(read.into_iter().flatten().collect())),
        _ => Ok(None),
    }
}

/// Compares checkpoints with the first one.
pub fn diff(files: &[PathBuf], checkpoints: &[Checkpoint], tolerance: Tolerance, output: &Output) -> Result<u8> {
    let named: Vec<(String, &Checkpoint)> =
        files.iter().map(|file| file.display().to_string()).zip(checkpoints).collect();
    let mut audit = Audit { tolerance, ..Audit::blank("diff") };
    for (name, checkpoint) in &named {
        audit.warnings.extend(checkpoint.warnings.iter().map(|warning| format!("{name}: {warning}")));
    }
    if let Some((reference, others)) = named.split_first() {
        for other in others {
            let found = compare::checkpoint::compare((&reference.0, reference.1), (&other.0, other.1), tolerance)?;
            audit.checkpoints.push(found);
        }
    }
    conclude(&mut audit);
    output.audit(&audit)?;
    Ok(exit::code(audit.verdict))
}

fn conclude(audit: &mut Audit) {
    let compared = &audit.checkpoints;
    let parted = compared.iter().find_map(|one| Some((one, first(one)?)));
    let unread: Vec<String> = compared.iter().flat_map(unread).collect();
    let nothing = compared.iter().find(|one| size(one) == 0);
    let understood: Vec<String> = compared.iter().flat_map(|one| one.not_understood.iter().cloned()).collect();
    (audit.verdict, audit.reason) = match (&parted, nothing) {
        (Some((one, _)), _) => (Verdict::Diverged, reason(one)),
        (None, Some(_)) => (Verdict::Unresolved, "the checkpoints hold nothing that could be compared".to_owned()),
        (None, None) if !unread.is_empty() => (Verdict::Unresolved, "some tensors could not be read".to_owned()),
        (None, None) => (Verdict::Agreed, agreement(compared)),
    };
    audit.divergence = parted.map(|(_, divergence)| divergence);
    audit.metric = audit.divergence.as_ref().map(|divergence| divergence.metric.clone());
    audit.not_checked.extend(unread);
    for note in understood {
        if !audit.not_checked.contains(&note) {
            audit.not_checked.push(note);
        }
    }
}

/// Elements and entries that were compared.
fn size(one: &CheckpointDifference) -> u64 {
    let elements: u64 = one.tensors.iter().map(|tensor| tensor.spread.elements).sum();
    elements + one.state_compared as u64
}

fn unread(one: &CheckpointDifference) -> impl Iterator<Item = String> {
    let unread = one.tensors.iter().filter(|tensor| tensor.kind == Match::Unread);
    unread.map(|tensor| format!("{}: {}", tensor.name, tensor.sentence))
}

fn parts(tensor: &TensorMatch) -> bool {
    !matches!(tensor.kind, Match::Equal | Match::Unread)
}

/// Whether a tensor or an entry of other state parts.
fn differs(one: &CheckpointDifference) -> bool {
    one.tensors.iter().any(parts) || !one.state.is_empty()
}

/// The first tensor, else the first entry of other state, that parts.
fn first(one: &CheckpointDifference) -> Option<Divergence> {
    let tensor = one.tensors.iter().enumerate().find(|(_, tensor)| parts(tensor));
    tensor.map(|(index, tensor)| of_tensor(one, index, tensor)).or_else(|| Some(of_state(one, one.state.first()?)))
}

fn value(run: &str, text: Option<&String>, value: Option<f64>) -> RunValue {
    RunValue { run: run.to_owned(), text: text.map(|text| Token::new(text)), value, line: None }
}

fn of_tensor(one: &CheckpointDifference, index: usize, tensor: &TensorMatch) -> Divergence {
    let values = tensor.spread.first.as_ref();
    Divergence {
        rank: None,
        position: Position::default(),
        index,
        metric: tensor.name.clone(),
        kind: kind(tensor.kind),
        stage: None,
        values: vec![
            value(&one.reference, values.map(|pair| &pair.reference), values.map(|pair| pair.values.0)),
            value(&one.other, values.map(|pair| &pair.other), values.map(|pair| pair.values.1)),
        ],
        absolute: tensor.spread.max_absolute,
        relative: tensor.spread.max_relative,
        ulps: tensor.spread.max_ulps,
    }
}

fn of_state(one: &CheckpointDifference, state: &StateMatch) -> Divergence {
    Divergence {
        rank: None,
        position: Position::default(),
        index: one.tensors.len(),
        metric: state.path.clone(),
        kind: kind(state.kind),
        stage: None,
        values: vec![
            value(&one.reference, state.reference.as_ref(), state.values.0),
            value(&one.other, state.other.as_ref(), state.values.1),
        ],
        absolute: None,
        relative: None,
        ulps: None,
    }
}

fn kind(kind: Match) -> Kind {
    match kind {
        Match::Nan => Kind::Nan,
        Match::Missing | Match::Renamed => Kind::Missing,
        Match::Extra => Kind::Extra,
        Match::Shape => Kind::Length,
        Match::Equal | Match::Value | Match::Dtype | Match::Unread => Kind::Value,
    }
}

/// "3 of 12 tensors differ from a.pt, first layer.weight (weights): …; generator state and scheduler differ too".
fn reason(one: &CheckpointDifference) -> String {
    let differing: Vec<&TensorMatch> = one.tensors.iter().filter(|tensor| parts(tensor)).collect();
    let Some(first) = differing.first() else {
        let Some(first) = one.state.first() else { return String::new() };
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let (a, b) = (shown(&first.reference), shown(&first.other));
        let count = one.state.len();
        let entries = if count == 1 { "one entry".to_owned() } else { format!("{count} entries") };
        return format!(
            "all tensors are equal, {entries} of other state differ, first {} ({}): {a} and {b}",
            first.path,
            first.part.word()
        );
    };
    let tensors = one.tensors.len();
    let mut text = format!(
        "{} of {tensors} tensors differ, first {} ({}): {}",
        differing.len(),
        first.name,
        first.part.word(),
        first.sentence
    );
    let mut others: Vec<&str> = Vec::new();
    let parts = differing.iter().map(|tensor| tensor.part).chain(one.state.iter().map(|state| state.part));
    for part in parts {
        if part != first.part && !others.contains(&part.word()) {
            others.push(part.word());
        }
    }
    if !others.is_empty() {
        text += &format!("; parts too: {}", others.join(", "));
    }
    text
}

fn agreement(compared: &[CheckpointDifference]) -> String {
    let Some(one) = compared.first() else { return String::new() };
    let elements: u64 = one.tensors.iter().map(|tensor| tensor.spread.elements).sum();
    let within: u64 = one.tensors.iter().map(|tensor| tensor.spread.differing).sum();
    let equal = if within > 0 { "agree within the tolerance" } else { "are equal, bit for bit" };
    let tensors = one.tensors.len();
    format!("all {tensors} tensors of {elements} elements and {} other entries {equal}", one.state_compared)
}
