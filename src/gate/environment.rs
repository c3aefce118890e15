//! Environments as a baseline keeps them: the facts that can change a value, their fingerprint, and what moved.

use std::collections::BTreeMap;

use super::Entry;
use super::digest::hex;
use crate::model::{Environment, Fnv};

/// Facts that differ from one container to the next and change no value.
const PASSING: [&str; 3] = ["tool", "memory", "os.kernel"];

/// The facts that a baseline keeps.
pub fn kept(environment: &Environment) -> BTreeMap<String, String> {
    let facts = environment.facts.iter().filter(|(name, _)| !PASSING.contains(&name.as_str()));
    facts.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Digest of the facts: the same in every environment that does not differ in one of them.
pub fn fingerprint(facts: &BTreeMap<String, String>) -> String {
    let mut digest = Fnv::default();
    for (name, value) in facts {
        for text in [name, value] {
            digest.add(text.as_bytes());
            digest.add(b"\0");
        }
    }
    hex(digest.0)
}

/// A fact that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub fact: String,
    /// What it was when the record was accepted.
    pub accepted: Option<String>,
    /// What it is now.
    pub now: Option<String>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not there)".to_owned());
        write!(f, "{}: {} → {}", self.fact, text(&self.accepted), text(&self.now))
    }
}

/// Only the facts that changed.
pub fn changes(accepted: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Change> {
    let mut names: Vec<&String> = accepted.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let change = |name: &String| {
        let (was, is) = (accepted.get(name), now.get(name));
        (was != is).then(|| Change { fact: name.clone(), accepted: was.cloned(), now: is.cloned() })
    };
    names.into_iter().filter_map(change).collect()
}

/// The entry for the environment that is most like this one, with what differs; the exact one wherever there is one.
pub fn nearest<'a>(entries: &'a [Entry], now: &BTreeMap<String, String>) -> Option<(&'a Entry, Vec<Change>)> {
    let all = entries.iter().map(|entry| (entry, changes(&entry.environment, now)));
    all.min_by_key(|(_, changes)| changes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(facts: &[(&str, &str)]) -> Entry {
        let environment = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Entry { fingerprint: fingerprint(&environment), environment, treatment: Vec::new() }
    }

    #[test]
    fn only_what_changed_is_named() {
        let accepted = entry(&[("cpu", "A"), ("torch", "2.9"), ("gone", "1")]);
        let now = entry(&[("cpu", "A"), ("torch", "2.13"), ("new", "1")]);
        let told: Vec<String> =
            changes(&accepted.environment, &now.environment).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["gone: 1 → (not there)", "new: (not there) → 1", "torch: 2.9 → 2.13"]);
    }

    #[test]
    fn the_entry_of_this_very_environment_is_found_among_several() {
        let entries = [entry(&[("cpu", "A"), ("torch", "2")]), entry(&[("cpu", "B"), ("torch", "2")])];
        let (found, changes) = nearest(&entries, &entries[1].environment).expect("it is there");
        assert_eq!((found, changes.len()), (&entries[1], 0));
        assert_ne!(entries[0].fingerprint, entries[1].fingerprint);
    }

    #[test]
    fn another_kernel_is_no_other_environment() {
        let facts = [("os.kernel", "6.1"), ("memory", "3 kB"), ("cpu", "A")];
        let environment =
            Environment { facts: facts.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect() };
        assert_eq!(kept(&environment).len(), 1);
    }
}
