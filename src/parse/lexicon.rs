//! The names of one log with what they mean, each looked into once.

use std::collections::HashMap;

use super::names::{self, Meaning, Split};

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// What it means.
    pub(crate) meaning: Meaning,
    /// The part of the data that it tells.
    pub(crate) split: Split,
    /// Whether it tells nothing else: `Train`, `Test set`.
    pub(crate) only_split: bool,
}

/// A memory of names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lexicon {
    known: HashMap<Box<[u8]>, Known>,
}

impl Lexicon {
    /// What `name` is known as.
    pub(crate) fn of(&mut self, name: &[u8]) -> Known {
        if let Some(&known) = self.known.get(name) {
            return known;
        }
        let known = look_up(name);
        // A log that never repeats a name must not fill the memory.
        if self.known.len() < 8192 {
            self.known.insert(name.into(), known);
        }
        known
    }
}

fn look_up(name: &[u8]) -> Known {
    let name = String::from_utf8_lossy(name);
    let tokens = names::tokens(&name);
    let told = |t: &String| names::split(std::slice::from_ref(t)) != Split::Unsaid || t == "set" || t == "epoch";
    Known {
        meaning: names::meaning(&name),
        split: names::split(&tokens),
        only_split: !tokens.is_empty() && tokens.len() <= 2 && tokens.iter().all(told),
    }
}
