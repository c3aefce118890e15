//! Which tensor of one checkpoint belongs to which of the other: by name, then by content, then by the end of the name.

use std::collections::{HashMap, VecDeque};

use super::{Side, tensor};
use crate::model::{Dtype, Tensor};

/// Bytes at the beginning of a tensor by which those of the same content are looked for.
const SAMPLE: usize = 4 << 10;

/// Tensors that belong together.
#[derive(Debug, Default)]
pub struct Paired<'a> {
    /// Those that both have, perhaps under two names.
    pub both: Vec<(&'a Tensor, &'a Tensor)>,
    /// Where each of them stands in the reference.
    pub positions: Vec<usize>,
    /// Those that only the reference has, with where they stand.
    pub missing: Vec<(usize, &'a Tensor)>,
    /// Those that the reference lacks.
    pub extra: Vec<&'a Tensor>,
}

/// Pairs the tensors of two checkpoints.
pub fn pair<'a>(a: &Side<'a>, b: &Side<'a>) -> Paired<'a> {
    let mut paired = Paired::default();
    let mut by_name: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, tensor) in b.checkpoint.tensors.iter().enumerate() {
        by_name.entry(&tensor.name).or_default().push_back(at);
    }
    let mut taken = vec![false; b.checkpoint.tensors.len()];
    for (at, tensor) in a.checkpoint.tensors.iter().enumerate() {
        match by_name.get_mut(tensor.name.as_str()).and_then(VecDeque::pop_front) {
            Some(other) => {
                taken[other] = true;
                paired.both.push((tensor, &b.checkpoint.tensors[other]));
                paired.positions.push(at);
            }
            None => paired.missing.push((at, tensor)),
        }
    }
    let left = b.checkpoint.tensors.iter().zip(taken).filter(|(_, taken)| !taken);
    paired.extra = left.map(|(tensor, _)| tensor).collect();
    if !paired.missing.is_empty() && !paired.extra.is_empty() {
        by_content(a, b, &mut paired);
        by_ending(&mut paired);
    }
    paired
}

impl<'a> Paired<'a> {
    /// Takes pairs out of those without a partner; `partner` gives the index of one among the extra tensors.
    fn join(&mut self, mut partner: impl FnMut(&'a Tensor, &[Option<&'a Tensor>]) -> Option<usize>) {
        let mut extra: Vec<Option<&Tensor>> = self.extra.drain(..).map(Some).collect();
        for (at, tensor) in std::mem::take(&mut self.missing) {
            let other = partner(tensor, &extra).and_then(|index| extra.get_mut(index)?.take());
            match other {
                Some(other) => {
                    self.both.push((tensor, other));
                    self.positions.push(at);
                }
                None => self.missing.push((at, tensor)),
            }
        }
        self.extra = extra.into_iter().flatten().collect();
    }
}

type Looks<'a> = (Dtype, &'a [u64], Vec<u8>);

/// Joins tensors of the same type, shape and content; of several those with the same last word of their name first.
fn by_content<'a>(a: &Side<'a>, b: &Side<'a>, paired: &mut Paired<'a>) {
    let mut alike: HashMap<Looks<'a>, Vec<usize>> = HashMap::new();
    for (index, tensor) in paired.extra.iter().enumerate() {
        if let Ok(sample) = tensor::beginning(b, tensor, SAMPLE) {
            alike.entry((tensor.dtype, &tensor.shape, sample)).or_default().push(index);
        }
    }
    paired.join(|tensor, extra| {
        let sample = tensor::beginning(a, tensor, SAMPLE).ok()?;
        // Zeros look like any other zeros: then the name has to say it too.
        let telling = sample.iter().any(|byte| *byte != 0);
        let looks = (tensor.dtype, tensor.shape.as_slice(), sample);
        let candidates = alike.get(&looks)?;
        let here = candidates.iter().filter_map(|index| Some((*index, (*extra.get(*index)?)?)));
        let mut ranked: Vec<(usize, &Tensor)> = here.collect();
        ranked.sort_by_key(|(_, other)| std::cmp::Reverse(shared_ending(&tensor.name, &other.name)));
        ranked.retain(|(_, other)| telling || shared_ending(&tensor.name, &other.name) > 0);
        let same = |other: &Tensor| tensor::same((a, tensor), (b, other)).unwrap_or(false);
        ranked.into_iter().find(|(_, other)| same(other)).map(|(index, _)| index)
    });
}

/// How many words at the end two names share.
fn shared_ending(a: &str, b: &str) -> usize {
    a.rsplit('.').zip(b.rsplit('.')).take_while(|(a, b)| a == b).count()
}

/// Joins tensors of which one name is the other behind a prefix, such as `module.`, where only one fits.
fn by_ending(paired: &mut Paired<'_>) {
    paired.join(|tensor, extra| {
        let fits = |other: &Tensor| {
            let behind = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('.'));
            behind(&tensor.name, &other.name) || behind(&other.name, &tensor.name)
        };
        let mut fitting = extra.iter().enumerate().filter(|(_, other)| other.is_some_and(fits));
        let (index, _) = fitting.next()?;
        fitting.next().is_none().then_some(index)
    });
}
