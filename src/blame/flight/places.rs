//! The lines of the user's code that the records of two repeats traced.

use crate::model::flight::{Flight, TracedPlace};

/// The traced places of both records, each line once, the most telling first.
pub(super) struct Places<'a>(Vec<&'a TracedPlace>);

impl<'a> Places<'a> {
    /// All places of two records.
    pub(super) fn of(a: &'a Flight, b: &'a Flight) -> Self {
        let mut sources: Vec<&str> = Vec::new();
        for place in a.processes.iter().chain(&b.processes).flat_map(|process| &process.trace) {
            if !sources.contains(&place.source.as_str()) {
                sources.push(&place.source);
            }
        }
        let mut found: Vec<&TracedPlace> = Vec::new();
        for source in sources {
            for place in a.places(source).into_iter().chain(b.places(source)) {
                let same = |known: &&TracedPlace| {
                    (&known.source, &known.what, &known.at) == (&place.source, &place.what, &place.at)
                };
                if !found.iter().any(same) {
                    found.push(place);
                }
            }
        }
        Self(found)
    }

    /// Those of one source of variation.
    pub(super) fn from(&self, source: &'a str) -> impl Iterator<Item = &'a TracedPlace> {
        self.0.iter().copied().filter(move |place| place.source == source)
    }
}
