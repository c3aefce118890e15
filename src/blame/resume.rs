//! What a checkpoint forgot: which items to give back next, and what the answers prove. Pure.

use std::collections::BTreeMap;

use crate::model::flight::FlightDivergence;
use crate::model::{Cause, Grade, Stage};

use super::{remedy, summary};

/// The smallest set of items that has to be given back: first all of them, then all but one, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimal {
    /// Items that are still given.
    items: Vec<String>,
    /// The item that the next answer is about; past the end when all were asked for.
    at: usize,
    /// Whether giving everything made the resumed run the straight one.
    whole: Option<bool>,
}

impl Minimal {
    /// Starts with the items that were seen to differ.
    pub fn new(items: Vec<String>) -> Self {
        Self { items, at: 0, whole: None }
    }

    /// The items to give back in the next run; `None` when nothing is left to ask.
    pub fn next_set(&self) -> Option<Vec<String>> {
        if self.items.is_empty() || (self.whole.is_some() && self.at >= self.items.len()) {
            return None;
        }
        let keep = |&(at, _): &(usize, &String)| self.whole.is_none() || at != self.at;
        Some(self.items.iter().enumerate().filter(keep).map(|(_, item)| item.clone()).collect())
    }

    /// Takes the answer of the first run, in which everything was given: was it the straight run?
    pub fn seen_whole(&mut self, cured: bool) {
        self.whole = Some(cured);
    }

    /// Takes the answer of a run without one item: was it the same run as with it?
    pub fn seen_without(&mut self, same: bool) {
        if same {
            self.items.remove(self.at);
        } else {
            self.at += 1;
        }
    }

    /// The items that are needed, as far as was asked.
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// Whether giving them makes the resumed run the straight one.
    pub fn cured(&self) -> bool {
        self.whole == Some(true)
    }
}

/// What was seen of a resumed run that parts from the straight one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forgotten {
    /// Items that have to be given back, each one needed.
    pub needed: Vec<String>,
    /// Whether giving them back makes the resumed run the straight one.
    pub cured: bool,
    /// Items found in a lower precision, and which.
    pub rounded: BTreeMap<String, String>,
    /// For a state that follows the live weights: steps made when it was taken, and when the file was written.
    pub alias: Option<(u64, u64)>,
    /// Where the run still parts from the straight one inside, with all of `needed` given back; `None` where every
    /// step agrees.
    pub rest: Option<FlightDivergence>,
    /// Whether the generators could be looked at, and given back, after loading.
    pub generators_seen: bool,
    /// Whether the inside of both runs was seen at all.
    pub seen_inside: bool,
    /// A step of the straight run, other than the one that the log goes on from, whose weights the checkpoint holds.
    pub weights_of: Option<(usize, usize)>,
}

/// The causes, the proved ones first.
pub fn forgotten(seen: &Forgotten) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    let grade = if seen.cured { Grade::Proved } else { Grade::Likely };
    for item in &seen.needed {
        add(&mut causes, cause_of(seen, item), grade, given_back(seen, item));
    }
    if !seen.cured {
        let (id, grade, evidence) = rest(seen);
        add(&mut causes, id, grade, evidence);
    }
    causes
}

fn add(causes: &mut Vec<Cause>, id: &str, grade: Grade, evidence: Vec<String>) {
    match causes.iter_mut().find(|known| known.id == id) {
        Some(known) => known.evidence.extend(evidence),
        None => causes.push(Cause {
            id: id.to_owned(),
            grade,
            summary: summary(id),
            evidence,
            remedy: remedy(id),
            location: None,
            price: None,
        }),
    }
}

fn cause_of(seen: &Forgotten, item: &str) -> &'static str {
    let lower = seen.rounded.contains_key(item);
    match item {
        "weights" | "optimizer" if seen.alias.is_some() => "alias.state_dict",
        "weights" | "optimizer" if lower => "resume.precision",
        "optimizer" => "resume.optimizer",
        "scheduler" => "resume.scheduler",
        "rng" => "resume.rng",
        "loader" | "position" => "resume.sampler",
        _ => "resume.state",
    }
}

/// The item in plain words.
fn words(item: &str) -> &str {
    match item {
        "weights" => "the weights",
        "optimizer" => "the optimizer's state",
        "scheduler" => "the schedule's state",
        "scaler" => "the gradient scaler's state",
        "rng" => "the states of the global generators",
        "loader" => "the state of the loader's generator",
        "position" => "the place in the epoch",
        other => other,
    }
}

fn given_back(seen: &Forgotten, item: &str) -> Vec<String> {
    let what = words(item);
    let mut lines = vec![format!("loading does not bring back {what} as the interrupted run had it when it saved")];
    if let Some(precision) = seen.rounded.get(item) {
        lines.push(format!("rounding them to {precision} gives exactly what was loaded"));
    }
    if let Some((taken, saved)) = seen.alias {
        lines.push(format!(
            "the state taken after {taken} steps holds what the run had {saved} steps in: it was not copied"
        ));
    }
    lines.push(if seen.cured {
        format!("giving {what} back makes the resumed run the straight one; without, it parts")
    } else {
        format!("giving {what} back changes the resumed run, and does not yet make it the straight one")
    });
    lines
}

/// What remains when everything that can be given back was given back.
fn rest(seen: &Forgotten) -> (&'static str, Grade, Vec<String>) {
    let given = "everything else that a checkpoint should hold was given back, or agrees";
    if !seen.seen_inside {
        return ("unknown", Grade::Suspected, vec!["no step of the resumed run was seen from inside".to_owned()]);
    }
    if let Some((held, goes_on)) = seen.weights_of {
        let line = format!(
            "the checkpoint holds the weights after {held} steps, and the resumed run goes on from step {goes_on}"
        );
        return ("resume.sampler", Grade::Likely, vec![line]);
    }
    let Some(first) = &seen.rest else {
        let line = "every training step after the resume agrees to the bit: only what is evaluated or printed differs";
        return ("resume.state", Grade::Likely, vec![line.to_owned()]);
    };
    let line = format!("{given}; {} step(s) after the resume, `{}` differs first", first.step, first.item);
    let id = match first.stage {
        _ if first.output => "resume.state",
        // The same states, and still another draw: something else was drawn in between, such as an epoch begun anew.
        Stage::Rng if seen.generators_seen => "resume.sampler",
        Stage::Rng => "resume.rng",
        Stage::Batch => "resume.sampler",
        Stage::Optimizer if first.item == "lr" => "resume.scheduler",
        Stage::Optimizer if first.item == "optimizer" => "resume.optimizer",
        _ => "resume.state",
    };
    (id, Grade::Likely, vec![line])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    /// Plays a job that needs exactly `needed` of `differing`.
    fn minimise(differing: &[&str], needed: &[&str]) -> (Vec<String>, usize) {
        let mut minimal = Minimal::new(strings(differing));
        let same = |given: &[String]| strings(needed).into_iter().filter(|item| given.contains(item)).count();
        let mut runs = 0;
        while let Some(given) = minimal.next_set() {
            runs += 1;
            if runs == 1 {
                minimal.seen_whole(same(&given) == needed.len());
            } else {
                minimal.seen_without(same(&given) == needed.len());
            }
        }
        (minimal.items().to_vec(), runs)
    }

    #[test]
    fn keeps_only_what_is_needed() {
        assert_eq!(minimise(&["optimizer", "scheduler", "rng"], &["rng", "optimizer"]).0, ["optimizer", "rng"]);
        assert_eq!(minimise(&["rng"], &["rng"]), (strings(&["rng"]), 2));
        assert_eq!(minimise(&[], &[]), (Vec::new(), 0));
    }

    fn ids(seen: &Forgotten) -> Vec<String> {
        forgotten(seen).into_iter().map(|cause| cause.id).collect()
    }

    fn rest(stage: Stage, item: &str) -> Option<FlightDivergence> {
        Some(FlightDivergence {
            rank: None,
            index: 0,
            step: 0,
            output: false,
            stage,
            item: item.to_owned(),
            differing: Vec::new(),
            live_generators: Vec::new(),
            idle_generators: Vec::new(),
            tensors: Vec::new(),
        })
    }

    #[test]
    fn one_alias_is_one_cause_for_weights_and_moments() {
        let needed = strings(&["weights", "optimizer"]);
        let seen = Forgotten { needed, cured: true, alias: Some((24, 48)), ..Forgotten::default() };
        assert_eq!(ids(&seen), ["alias.state_dict"]);
    }

    #[test]
    fn tells_rounded_weights_from_missing_ones() {
        let seen = Forgotten { needed: strings(&["weights"]), cured: true, ..Forgotten::default() };
        assert_eq!(ids(&seen), ["resume.state"]);
        let rounded = BTreeMap::from([("weights".to_owned(), "float16".to_owned())]);
        assert_eq!(ids(&Forgotten { rounded, ..seen }), ["resume.precision"]);
    }

    #[test]
    fn what_cannot_be_given_back_is_likely_only() {
        let seen = Forgotten { seen_inside: true, rest: rest(Stage::Batch, "inputs"), ..Forgotten::default() };
        let causes = forgotten(&seen);
        assert_eq!((causes[0].id.as_str(), causes[0].grade), ("resume.sampler", Grade::Likely));
        let drawn = Forgotten { seen_inside: true, rest: rest(Stage::Rng, "rng.torch"), ..Forgotten::default() };
        assert_eq!(ids(&drawn), ["resume.rng"]);
        assert_eq!(ids(&Forgotten { generators_seen: true, ..drawn }), ["resume.sampler"]);
        let evaluation = Forgotten { seen_inside: true, ..Forgotten::default() };
        assert_eq!(ids(&evaluation), ["resume.state"]);
        assert_eq!(forgotten(&Forgotten::default())[0].grade, Grade::Suspected);
    }
}
