//! The machine and software facts that a run saw.

use std::collections::BTreeMap;

/// The machine and software facts that a run saw: `os`, `cpu`, `python`, `torch`, `cuda`, `card.0`, …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Fact by name; sorted, so that two environments compare line by line.
    pub facts: BTreeMap<String, String>,
}
