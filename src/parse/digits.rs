//! Which digits of a line an expression tells from other digits: where those stay, lines that differ in the rest match alike.
//!
//! The expression's automaton is walked over the line with every digit taken for any digit: forwards for the states that it may
//! be in, backwards for those that may still end in a match. A digit matters where it decides whether such a state is
//! reached. Both walks take every assertion (`^`, `\b`) as true, so at worst too many digits matter.

use regex_automata::nfa::thompson::{NFA, State, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

/// Most states times bytes that are walked over for one line.
const MOST: usize = 1 << 20;
const DIGITS: [u8; 10] = *b"0123456789";

/// The automaton of an expression.
#[derive(Clone, Debug)]
pub(super) struct Digits {
    nfa: NFA,
    /// For each state, whether digits lead to different states.
    splits: Vec<bool>,
    /// For each state, those that lead to it without taking a byte.
    before: Vec<Vec<StateID>>,
}

impl Digits {
    /// The automaton of `pattern`; `None` where it is too large.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        let config = NFA::config().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(MOST));
        let nfa = NFA::compiler().configure(config).syntax(syntax::Config::new().utf8(false)).build(pattern).ok()?;
        let mut before = vec![Vec::new(); nfa.states().len()];
        for (index, state) in nfa.states().iter().enumerate() {
            each_free(state, |next| before[next.as_usize()].push(StateID::must(index)));
        }
        let splits =
            nfa.states().iter().map(|state| DIGITS.iter().any(|&digit| target(state, digit) != target(state, b'0')));
        Some(Self { splits: splits.collect(), nfa, before })
    }

    /// For each byte of `text`, whether another digit in its place might change what matches; `None` where that takes too long
    /// to find out.
    pub(super) fn that_matter(&self, text: &[u8]) -> Option<Vec<bool>> {
        let mut matter = vec![false; text.len()];
        if !self.splits.contains(&true) {
            return Some(matter);
        }
        if self.splits.len().saturating_mul(text.len()) > MOST {
            return None;
        }
        let reached = self.reached(text);
        let mut live = self.ends();
        for (at, &byte) in text.iter().enumerate().rev() {
            let leads = |&state: &StateID| {
                let state = self.nfa.state(state);
                targets(state, byte).any(|next| live[next.as_usize()])
            };
            let leading: Vec<StateID> = reached[at].iter().copied().filter(leads).collect();
            matter[at] = byte.is_ascii_digit() && leading.iter().any(|state| self.splits[state.as_usize()]);
            live = self.ends();
            for state in leading {
                self.spread_back(state, &mut live);
            }
        }
        Some(matter)
    }

    /// The states that may be reached before each byte, a match beginning anywhere.
    fn reached(&self, text: &[u8]) -> Vec<Vec<StateID>> {
        let mut seen = vec![usize::MAX; self.splits.len()];
        let mut next = Vec::new();
        let mut all = Vec::with_capacity(text.len());
        for (at, &byte) in text.iter().enumerate() {
            next.push(self.nfa.start_anchored());
            let mut here = Vec::new();
            while let Some(state) = next.pop() {
                if std::mem::replace(&mut seen[state.as_usize()], at) != at {
                    here.push(state);
                    each_free(self.nfa.state(state), |free| next.push(free));
                }
            }
            next.extend(here.iter().flat_map(|&state| targets(self.nfa.state(state), byte)));
            all.push(here);
        }
        all
    }

    /// The states from which a match is reached without another byte.
    fn ends(&self) -> Vec<bool> {
        let mut live = vec![false; self.splits.len()];
        for (index, state) in self.nfa.states().iter().enumerate() {
            if matches!(state, State::Match { .. }) {
                self.spread_back(StateID::must(index), &mut live);
            }
        }
        live
    }

    fn spread_back(&self, state: StateID, live: &mut [bool]) {
        let mut next = vec![state];
        while let Some(state) = next.pop() {
            if !std::mem::replace(&mut live[state.as_usize()], true) {
                next.extend(&self.before[state.as_usize()]);
            }
        }
    }
}

/// The state that a byte leads to.
fn target(state: &State, byte: u8) -> Option<StateID> {
    match state {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(transitions) => transitions.matches_byte(byte),
        State::Dense(transitions) => transitions.matches_byte(byte),
        _ => None,
    }
}

/// The states that a byte leads to, where a digit stands for any digit.
fn targets(state: &State, byte: u8) -> impl Iterator<Item = StateID> {
    let others = DIGITS.into_iter().filter(move |&digit| byte.is_ascii_digit() && digit != byte);
    others.chain([byte]).filter_map(move |byte| target(state, byte))
}

/// Calls `each` with the states that follow without a byte.
fn each_free(state: &State, mut each: impl FnMut(StateID)) {
    match state {
        State::Look { next, .. } | State::Capture { next, .. } => each(*next),
        State::Union { alternates } => alternates.iter().copied().for_each(each),
        State::BinaryUnion { alt1, alt2 } => {
            each(*alt1);
            each(*alt2);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with the digits that matter marked.
    fn marked(pattern: &str, text: &str) -> String {
        let matter = Digits::of(pattern).expect(pattern).that_matter(text.as_bytes()).expect(text);
        text.chars().zip(matter).map(|(shown, matters)| if matters { '#' } else { shown }).collect()
    }

    #[test]
    fn only_a_digit_that_decides_a_match_matters() {
        for (pattern, text) in [
            (r"Train.*Loss: ?([-+\d.eE]+)", "Train 1 Loss: 2.5"),
            (r"1 \[\d+/.*Loss: ([\d.]+)", "Train Epoch: # [1/20] 1 Loss: 2.5, 1"),
            (r"loss1: (\d+)", "loss#: 10, loss#: 11, loss: 1"),
            (r"loss ([1-9]\d*)", "1 loss #05 loss x1"),
            (r"(?:rank 0|all) (\d+)", "rank # 10, rank x 0"),
            (r"^10 (.*)$", "## 10"),
            (r"(?i)[^0]x(\d+)", "7 #X10 0y"),
        ] {
            let plain = text.replace('#', "3");
            assert_eq!(marked(pattern, &plain), text, "{pattern}");
        }
    }

    #[test]
    fn where_in_doubt_a_digit_matters() {
        assert_eq!(marked(r"(\d|7)x{2}", "7xx7"), "#xx7", "another digit would match as well");
        assert_eq!(marked(r"[0-4].*end(\d)", "7 8 end1 9"), "# # end1 9");
    }
}
