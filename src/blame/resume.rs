//! What a checkpoint forgot: which items to give back next, and what the answers prove. Pure.

use std::collections::BTreeMap;

use crate::model::flight::FlightDivergence;
use crate::model::{Cause, Grade, Stage};

use super::{remedy, summary};

/// One run in which items were given back together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The items.
    pub items: Vec<String>,
    /// Whether that made the resumed run the straight one.
    pub cured: bool,
    /// The step inside at which it still parts; `None` where every step agrees.
    pub parts_at: Option<u64>,
    /// Generators that still differ there, and that training draws from.
    pub live: Vec<String>,
}

/// Items that a job may bring back by a way of its own, which giving them would spoil.
const DOUBTFUL: [&str; 2] = ["sampler", "position"];

/// The next items to give back together: first those that were seen to matter, without the doubtful ones; with the
/// generators that come to matter later; then with all doubtful ones, and with one of them. `None` when that is all.
pub fn next_attempt(matter: &[String], differing: &[String], tried: &[Attempt]) -> Option<Vec<String>> {
    let doubtful = |item: &&String| DOUBTFUL.contains(&item.as_str());
    let sure = |items: &[String]| items.iter().filter(|item| !doubtful(item)).cloned().collect::<Vec<_>>();
    let base = match tried.last() {
        None => sure(matter),
        Some(last) if last.cured => return None,
        Some(last) => {
            let more = |item: &&String| last.live.contains(item) && !last.items.contains(item);
            let more: Vec<String> = differing.iter().filter(more).cloned().collect();
            if !more.is_empty() {
                return Some(last.items.iter().cloned().chain(more).collect());
            }
            sure(&last.items)
        }
    };
    let doubt: Vec<String> = matter.iter().filter(doubtful).cloned().collect();
    let mut sets = vec![Vec::new(), doubt.clone()];
    sets.extend(doubt.into_iter().map(|item| vec![item]));
    let mut wider = sets.into_iter().map(|set| base.iter().cloned().chain(set).collect::<Vec<_>>());
    wider.find(|items| !items.is_empty() && tried.iter().all(|attempt| attempt.items != *items))
}

/// The attempt that came furthest: the one that cured it, else the one that parts last.
pub fn best_attempt(tried: &[Attempt]) -> Option<usize> {
    let far = |attempt: &Attempt| (attempt.cured, attempt.parts_at.unwrap_or(u64::MAX));
    (0..tried.len()).rev().max_by_key(|at| tried.get(*at).map(far))
}

/// The smallest set of items that has to be given back: all but one, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimal {
    /// Items that are still given.
    items: Vec<String>,
    /// The item that the next answer is about; past the end when all were asked for.
    at: usize,
}

impl Minimal {
    /// Starts with the items that were given together.
    pub fn new(items: Vec<String>) -> Self {
        Self { items, at: 0 }
    }

    /// The items to give back in the next run; `None` when nothing is left to ask.
    pub fn next_set(&self) -> Option<Vec<String>> {
        let keep = |&(at, _): &(usize, &String)| at != self.at;
        let rest = self.items.iter().enumerate().filter(keep).map(|(_, item)| item.clone()).collect();
        (self.at < self.items.len()).then_some(rest)
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
    /// Whether a loader of the resumed run keeps its workers over epochs.
    pub lasting_workers: bool,
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
        "weights" | "buffers" | "optimizer" if seen.alias.is_some() => "alias.state_dict",
        "weights" | "buffers" | "averages" | "optimizer" if lower => "resume.precision",
        "optimizer" => "resume.optimizer",
        "scheduler" => "resume.scheduler",
        "loader" | "sampler" | "position" => "resume.sampler",
        _ if is_generator(item) => "resume.rng",
        _ => "resume.state",
    }
}

/// Whether an item is the state of a generator other than a loader's.
pub fn is_generator(item: &str) -> bool {
    item.starts_with("rng.")
}

/// Whether an item is the state of a generator whose draws the record follows.
pub fn is_global_generator(item: &str) -> bool {
    is_generator(item) && item != "rng.own"
}

/// The item in plain words.
fn words(item: &str) -> &str {
    match item {
        "weights" => "the weights",
        "buffers" => "the buffers of the model, such as the running averages of a normalisation",
        "averages" => "the weights that no optimizer trains, such as averaged ones",
        "optimizer" => "the optimizer's state",
        "scheduler" => "the schedule's state",
        "scaler" => "the gradient scaler's state",
        "gradients" => "the gradients added up so far",
        "rng.python" => "the state of Python's random",
        "rng.numpy" => "the state of NumPy's global generator",
        "rng.torch" => "the state of torch's generator",
        "rng.cuda" => "the states of the generators of the CUDA devices",
        "rng.own" => "the states of the job's own generators",
        "loader" => "the state of the loader's own generator",
        "sampler" => "what the sampler counts, such as its epoch",
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
    let at = match first.step {
        0 => "at the first step after the resume".to_owned(),
        step => format!("{step} steps after the resume"),
    };
    let mut lines = vec![format!("{given}; {at} `{}` differs first", first.item)];
    if matches!(first.stage, Stage::Batch | Stage::Rng) && seen.lasting_workers {
        lines.push(
            "the loader's workers live on over epochs, and what their generators came to is in no checkpoint: without \
             persistent_workers each epoch's workers are seeded from torch's generator"
                .to_owned(),
        );
        return ("resume.rng", Grade::Likely, lines);
    }
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
    (id, Grade::Likely, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    /// Plays a job that needs exactly `needed` of `given`.
    fn minimise(given: &[&str], needed: &[&str]) -> (Vec<String>, usize) {
        let mut minimal = Minimal::new(strings(given));
        let mut runs = 0;
        while let Some(given) = minimal.next_set() {
            runs += 1;
            minimal.seen_without(strings(needed).iter().all(|item| given.contains(item)));
        }
        (minimal.items().to_vec(), runs)
    }

    #[test]
    fn keeps_only_what_is_needed() {
        let found = minimise(&["optimizer", "scheduler", "rng.numpy"], &["rng.numpy", "optimizer"]);
        assert_eq!(found, (strings(&["optimizer", "rng.numpy"]), 3));
        assert_eq!(minimise(&["rng.torch"], &["rng.torch"]), (strings(&["rng.torch"]), 1));
        assert_eq!(minimise(&[], &[]), (Vec::new(), 0));
    }

    fn attempt(items: &[&str], parts_at: u64, live: &[&str]) -> Attempt {
        Attempt { items: strings(items), cured: false, parts_at: Some(parts_at), live: strings(live) }
    }

    #[test]
    fn gives_back_generators_that_come_to_matter_only_later() {
        let (matter, differing) = (strings(&["optimizer"]), strings(&["optimizer", "rng.python", "rng.numpy"]));
        let mut tried = Vec::new();
        assert_eq!(next_attempt(&matter, &differing, &tried), Some(matter.clone()));
        tried.push(attempt(&["optimizer"], 7, &["rng.python"]));
        let wider = strings(&["optimizer", "rng.python"]);
        assert_eq!(next_attempt(&matter, &differing, &tried), Some(wider.clone()));
        tried.push(Attempt { items: wider, cured: true, ..Attempt::default() });
        assert_eq!((next_attempt(&matter, &differing, &tried), best_attempt(&tried)), (None, Some(1)));
    }

    #[test]
    fn gives_the_place_back_only_where_the_rest_is_not_enough() {
        let all = strings(&["rng.torch", "sampler", "position"]);
        let mut tried = Vec::new();
        let orders: [&[&str]; 4] = [
            &["rng.torch"],
            &["rng.torch", "sampler", "position"],
            &["rng.torch", "sampler"],
            &["rng.torch", "position"],
        ];
        for (at, items) in orders.into_iter().enumerate() {
            assert_eq!(next_attempt(&all, &all, &tried), Some(strings(items)));
            tried.push(attempt(items, if at == 2 { 5 } else { 3 }, &[]));
        }
        assert_eq!((next_attempt(&all, &all, &tried), best_attempt(&tried)), (None, Some(2)));
        let place = strings(&["position"]);
        assert_eq!(next_attempt(&place, &place, &[]), Some(place.clone()));
        assert_eq!(next_attempt(&place, &place, &[attempt(&["position"], 0, &[])]), None);
        assert_eq!(next_attempt(&[], &[], &[]), None);
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
        assert_eq!(ids(&Forgotten { lasting_workers: true, ..seen }), ["resume.rng"]);
        let drawn = Forgotten { seen_inside: true, rest: rest(Stage::Rng, "rng.torch"), ..Forgotten::default() };
        assert_eq!(ids(&drawn), ["resume.rng"]);
        assert_eq!(ids(&Forgotten { generators_seen: true, ..drawn }), ["resume.sampler"]);
        let evaluation = Forgotten { seen_inside: true, ..Forgotten::default() };
        assert_eq!(ids(&evaluation), ["resume.state"]);
        assert_eq!(forgotten(&Forgotten::default())[0].grade, Grade::Suspected);
    }
}
