//! The operations that are probed: those that torch's documentation lists as not repeating on some device, those that
//! reports name, and their neighbours, so that the answer also shows what does repeat.
//!
//! One operation is one entry of a list: its name in reports, the names by which libtorch calls it (its gradients'
//! kernels included), and how it is called. Every entry is called forward, and backward where it has gradients.

mod accumulate;
mod linear;
mod norm;
mod order;
mod random;
mod reduce;
mod sequence;
mod spatial;

use super::case::{Call, Case};

/// Which of libtorch's switches an operation is called under, one at a time, besides the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switches {
    /// None.
    None,
    /// cuDNN's, on a card.
    Cudnn,
    /// Each attention kernel alone.
    Attention,
}

/// An operation of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name in reports.
    pub name: &'static str,
    /// The names by which libtorch calls it, separated by spaces.
    pub names: &'static str,
    /// The switches that it is called under.
    pub switches: Switches,
    /// Makes its inputs and what is called with them.
    pub make: fn(&mut Case) -> Call,
}

impl Operation {
    const fn under(self, switches: Switches) -> Self {
        Self { switches, ..self }
    }
}

/// An entry without switches.
const fn op(name: &'static str, names: &'static str, make: fn(&mut Case) -> Call) -> Operation {
    Operation { name, names, switches: Switches::None, make }
}

/// The families, in the order in which they are probed.
const FAMILIES: &[&[Operation]] = &[
    accumulate::OPERATIONS,
    reduce::OPERATIONS,
    order::OPERATIONS,
    random::OPERATIONS,
    norm::OPERATIONS,
    linear::OPERATIONS,
    spatial::OPERATIONS,
    sequence::OPERATIONS,
];

/// Every operation.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    FAMILIES.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_operations_and_more_each_with_a_name_of_its_own() {
        let mut names: Vec<&str> = operations().map(|operation| operation.name).collect();
        let count = names.len();
        assert!(count >= 60, "{count}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(operations().all(|operation| !operation.names.trim().is_empty()));
    }
}
