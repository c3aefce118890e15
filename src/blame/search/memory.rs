//! What is known of each set of held settings.

use std::collections::{BTreeMap, BTreeSet};

/// A set of held candidates, by their place in the list.
pub(super) type Held = BTreeSet<usize>;

/// What was seen of one set.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sighting {
    agreed: usize,
    at_full_length: usize,
    /// One run was made, and it differs from runs with more held.
    changed: bool,
    /// That run is taken for a parting until the proof.
    hint: bool,
    parted: bool,
    unresolved: Option<String>,
}

/// What is known of each set of held settings. One parting outweighs any number of agreeing runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Memory(BTreeMap<Held, Sighting>);

impl Memory {
    pub fn parted(&mut self, held: Held) {
        self.0.entry(held).or_default().parted = true;
    }

    pub fn add_agreed(&mut self, held: Held, runs: usize, full_length: bool) {
        let seen = self.0.entry(held).or_default();
        seen.hint = false;
        seen.agreed += runs;
        seen.at_full_length += if full_length { runs } else { 0 };
    }

    /// A single run was made under this set, and it differs from runs with more held; as a `hint`, it is taken for a
    /// parting until [`Memory::drop_hints`].
    pub fn changed(&mut self, held: Held, hint: bool) {
        let seen = self.0.entry(held).or_default();
        (seen.changed, seen.hint) = (true, hint);
    }

    /// Whether anything rests on single runs.
    pub fn has_hints(&self) -> bool {
        self.0.values().any(|seen| seen.hint && !seen.parted)
    }

    /// Takes no single run for a parting any more.
    pub fn drop_hints(&mut self) {
        self.0.values_mut().for_each(|seen| seen.hint = false);
    }

    /// Whether all that is known of exactly this set is one run that differs from runs with more held.
    pub fn only_changed(&self, held: &Held) -> bool {
        self.0.get(held).is_some_and(|seen| seen.changed && seen.agreed == 0 && !seen.parted)
    }

    /// How many runs under exactly this set are known and part from none of the others.
    pub fn made(&self, held: &Held) -> usize {
        self.0.get(held).filter(|seen| !seen.parted).map_or(0, |seen| seen.agreed + usize::from(seen.changed))
    }

    pub fn unresolved(&mut self, held: Held, reason: &str) {
        self.0.entry(held).or_default().unresolved = Some(reason.to_owned());
    }

    /// How many runs agreed under exactly this set; none where any two parted.
    pub fn agreed(&self, held: &Held) -> usize {
        self.0.get(held).filter(|seen| !seen.parted).map_or(0, |seen| seen.agreed)
    }

    /// How many of those runs were made at full length.
    pub fn agreed_at_full_length(&self, held: &Held) -> usize {
        self.0.get(held).filter(|seen| !seen.parted).map_or(0, |seen| seen.at_full_length)
    }

    /// How many sets were seen to agree or to part, the reference left out.
    pub fn judged_sets(&self) -> usize {
        self.0.iter().filter(|(held, seen)| !held.is_empty() && (seen.agreed > 0 || seen.parted)).count()
    }

    /// How many sets were seen to part.
    pub fn parting_sets(&self) -> usize {
        self.0.values().filter(|seen| seen.parted).count()
    }

    /// Whether runs were seen to part under exactly this set.
    pub fn seen_parting(&self, held: &Held) -> bool {
        self.0.get(held).is_some_and(|seen| seen.parted)
    }

    /// Whether runs part under this set, as seen or hinted at or because they part even with more held.
    pub fn parts(&self, held: &Held) -> bool {
        self.0.iter().any(|(set, seen)| (seen.parted || seen.hint) && held.is_subset(set))
    }

    /// Why nothing could be said of this set, where that was so.
    pub fn why_unresolved(&self, held: &Held) -> Option<&str> {
        self.0.get(held).and_then(|seen| seen.unresolved.as_deref())
    }

    /// Whether anything could be said of this set.
    pub fn is_resolved(&self, held: &Held) -> bool {
        self.parts(held) || self.agreed(held) > 0
    }

    /// Forgets every set that includes this member.
    pub fn forget(&mut self, member: usize) {
        self.0.retain(|held, _| !held.contains(&member));
    }

    /// Forgets what agreed: some of it agreed by luck, or would have parted later.
    pub fn forget_agreements(&mut self) {
        for seen in self.0.values_mut() {
            (seen.agreed, seen.at_full_length, seen.changed, seen.hint) = (0, 0, false, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holding_less_than_a_set_that_parts_parts_too() {
        let mut memory = Memory::default();
        memory.parted(Held::from([1, 2]));
        assert!(memory.parts(&Held::from([1])));
        assert!(!memory.seen_parting(&Held::from([1])));
        assert!(!memory.parts(&Held::from([1, 3])));
    }

    #[test]
    fn one_parting_outweighs_agreeing_runs() {
        let mut memory = Memory::default();
        memory.add_agreed(Held::from([1]), 5, true);
        assert_eq!(memory.agreed(&Held::from([1])), 5);
        memory.parted(Held::from([1]));
        assert_eq!(memory.agreed(&Held::from([1])), 0);
    }
}
