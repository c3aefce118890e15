//! Two checkpoints to how they differ: tensor by tensor in the order of the reference, then the other state.
//!
//! Bytes are read in blocks as they are compared, so that memory does not grow with the files.

mod bytes;
mod element;
mod minifloat;
mod pairs;
mod part;
mod sentence;
mod state;
mod tally;
mod tensor;
mod walk;

use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::model::{Checkpoint, CheckpointDifference, Match, Tensor, TensorMatch, Tolerance};

/// Most threads that read.
const THREADS: usize = 4;

/// One side of a comparison: a checkpoint with its files open.
pub(crate) struct Side<'a> {
    checkpoint: &'a Checkpoint,
    files: Vec<File>,
}

impl<'a> Side<'a> {
    fn open(checkpoint: &'a Checkpoint) -> Result<Self> {
        let open = |path: &std::path::PathBuf| File::open(path).map_err(Error::file("read", path));
        Ok(Self { checkpoint, files: checkpoint.files.iter().map(open).collect::<Result<_>>()? })
    }
}

/// Compares a checkpoint with the reference; the names are shown in reports.
///
/// # Errors
/// Where a file cannot be read any more.
pub fn compare(
    (reference_name, reference): (&str, &Checkpoint),
    (other_name, other): (&str, &Checkpoint),
    tolerance: Tolerance,
) -> Result<CheckpointDifference> {
    let (a, b) = (Side::open(reference)?, Side::open(other)?);
    let tensors = tensors(&a, &b, tolerance);
    let (state_compared, state) = state::compare(&reference.state, &other.state, tolerance);
    let mut not_understood = reference.not_understood.clone();
    not_understood.extend(other.not_understood.iter().filter(|note| !reference.not_understood.contains(note)).cloned());
    Ok(CheckpointDifference {
        reference: reference_name.to_owned(),
        other: other_name.to_owned(),
        formats: (reference.format.to_owned(), other.format.to_owned()),
        tensors,
        state_compared,
        state,
        not_understood,
    })
}

/// Every tensor of both, compared; those that only the other has stand last.
fn tensors(a: &Side<'_>, b: &Side<'_>, tolerance: Tolerance) -> Vec<TensorMatch> {
    let paired = pairs::pair(a, b);
    let compared = in_parallel(&paired.both, |(x, y)| tensor::compare((a, x), (b, y), tolerance));
    let mut matches: Vec<(usize, TensorMatch)> = paired.positions.iter().copied().zip(compared).collect();
    matches.extend(paired.missing.iter().map(|(at, tensor)| (*at, alone(tensor, Match::Missing))));
    matches.sort_by_key(|(at, _)| *at);
    let mut matches: Vec<TensorMatch> = matches.into_iter().map(|(_, of)| of).collect();
    matches.extend(paired.extra.iter().map(|tensor| alone(tensor, Match::Extra)));
    matches
}

/// A tensor that only one side has.
fn alone(tensor: &Tensor, kind: Match) -> TensorMatch {
    let (dtype, shape) = (Some(tensor.dtype), Some(tensor.shape.clone()));
    let missing = kind == Match::Missing;
    let side = if missing { "only the reference has it" } else { "the reference lacks it" };
    TensorMatch {
        name: tensor.name.clone(),
        other_name: None,
        part: part::of(&tensor.name),
        kind,
        dtypes: if missing { (dtype, None) } else { (None, dtype) },
        shapes: if missing { (shape, None) } else { (None, shape) },
        spread: Default::default(),
        sentence: side.to_owned(),
    }
}

/// The results of `work` on each item, in order, by as many threads as the machine has processors for.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(items.len());
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    if let Ok(mut done) = done.lock() {
                        done.push((index, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
