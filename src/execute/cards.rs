//! Cards (GPUs): which there are, and one for each run that goes beside others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::rc::Rc;

use crate::model::Trial;

/// The variable that shows a process some cards and hides the others.
pub const VARIABLE: &str = "CUDA_VISIBLE_DEVICES";

/// The cards that a job started from here would see, as `CUDA_VISIBLE_DEVICES` names them.
pub fn visible_cards() -> Vec<String> {
    match std::env::var(VARIABLE) {
        Ok(list) => named(&list),
        Err(_) => {
            let present = fs::read_dir("/proc/driver/nvidia/gpus").map_or(0, Iterator::count);
            (0..present).map(|card| card.to_string()).collect()
        }
    }
}

/// The cards of a list; what follows an invalid one is not seen by CUDA either.
fn named(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).take_while(|card| !card.is_empty() && *card != "-1").map(str::to_owned).collect()
}

/// How many cards a trial may see: none where they are hidden from it.
pub fn sees_cards(environment: &BTreeMap<String, Option<String>>, present: bool) -> bool {
    match environment.get(VARIABLE) {
        Some(Some(list)) => !named(list).is_empty(),
        _ => present,
    }
}

/// The cards that are free. One without cards hands out nothing and limits nothing.
#[derive(Default)]
pub struct Cards {
    free: Rc<RefCell<Vec<String>>>,
    all: usize,
}

/// A card that goes back when this is dropped.
pub struct Lent {
    card: Option<String>,
    free: Rc<RefCell<Vec<String>>>,
}

impl Cards {
    /// These cards, the first handed out first.
    pub fn new(cards: &[String]) -> Self {
        let free: Vec<String> = cards.iter().rev().cloned().collect();
        Self { all: free.len(), free: Rc::new(RefCell::new(free)) }
    }

    /// How many runs may go side by side; `None` where there is nothing to hand out.
    pub fn limit(&self) -> Option<usize> {
        (self.all > 0).then_some(self.all)
    }

    /// A card for a trial, unless the trial names its cards itself.
    pub fn take(&self, trial: &Trial) -> Lent {
        let card = if trial.launch.environment.contains_key(VARIABLE) { None } else { self.free.borrow_mut().pop() };
        Lent { card, free: Rc::clone(&self.free) }
    }
}

impl Lent {
    /// Its name.
    pub fn name(&self) -> Option<&str> {
        self.card.as_deref()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.free.borrow_mut().extend(self.card.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_runs_hold_one_card() {
        let cards = Cards::new(&["0".to_owned(), "GPU-7".to_owned()]);
        let trial = trial(&[]);
        let (first, second, third) = (cards.take(&trial), cards.take(&trial), cards.take(&trial));
        assert_eq!((first.name(), second.name(), third.name()), (Some("0"), Some("GPU-7"), None));
        drop(second);
        assert_eq!(cards.take(&trial).name(), Some("GPU-7"));
    }

    #[test]
    fn a_trial_that_names_its_cards_gets_no_other() {
        let cards = Cards::new(&["0".to_owned()]);
        assert_eq!(cards.take(&trial(&[(VARIABLE, "")])).name(), None);
    }

    #[test]
    fn hidden_cards_are_no_cards() {
        for (list, expected) in [("0,1", 2), ("", 0), ("-1", 0), ("1,-1,0", 1)] {
            assert_eq!(named(list).len(), expected, "{list:?}");
        }
    }

    fn trial(environment: &[(&str, &str)]) -> Trial {
        let environment = environment.iter().map(|(name, value)| (name.to_string(), Some(value.to_string()))).collect();
        Trial {
            run: "r1".to_owned(),
            treatment: "reference".to_owned(),
            replicate: 1,
            settings: BTreeMap::new(),
            launch: crate::model::Launch { environment, ..Default::default() },
        }
    }
}
