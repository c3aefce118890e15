//! Whether a level took effect, as the process itself tells.

use crate::model::flight::{AppliedLevel, Flight};
use crate::model::{Level, SettingId};

/// What a level was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To see what this very level makes of the job: no other one will do.
    Level,
    /// To hold a source of variation still: a fixed level of the job's own does as well.
    Hold,
}

/// The level in effect, as the flight record proves it, or why it is not.
pub fn proof(flight: Option<&Flight>, setting: &SettingId, asked: &Level, purpose: Purpose) -> Result<Level, String> {
    let Some(flight) = flight else {
        return Err("the shim could not enter: the job starts no Python, or one that ignores PYTHONPATH (-I, -E, -S)"
            .to_owned());
    };
    let given_up = flight.processes.iter().flat_map(|process| &process.given_up);
    if let Some((_, error)) = given_up.into_iter().find(|(known, _)| known == setting.as_str()) {
        return Err(format!("the shim could not go on holding it: {error}"));
    }
    let told: Vec<_> = flight.read_back(setting.as_str()).collect();
    let good = |applied: &AppliedLevel| applied.ok || (applied.by_job && purpose == Purpose::Hold);
    if let Some(bad) = told.iter().find(|applied| !good(applied)) {
        return Err(bad.note.clone().unwrap_or_else(|| "the job overrode it".to_owned()));
    }
    match told.first() {
        Some(applied) => Ok(applied.read_back.as_deref().map_or_else(|| asked.clone(), Level::new)),
        None => Err("nothing in the process uses it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flight::FlightProcess;

    fn told(setting: &str) -> FlightProcess {
        let applied = AppliedLevel { setting: setting.to_owned(), ok: true, ..AppliedLevel::default() };
        FlightProcess { applied: vec![applied], ..FlightProcess::default() }
    }

    #[test]
    fn a_hold_that_was_given_up_is_not_in_effect_and_another_one_is() {
        let mut process = told("race");
        process.applied.extend(told("clock").applied);
        process.given_up.push(("race".to_owned(), "hook of threading: ValueError()".to_owned()));
        let flight = Flight { entered: 1, processes: vec![process], notes: Vec::new() };
        let asked =
            |setting: &str| proof(Some(&flight), &SettingId::new(setting), &Level::new("ordered"), Purpose::Hold);
        assert!(asked("race").is_err_and(|why| why.contains("hook of threading")));
        assert!(asked("clock").is_ok());
    }

    #[test]
    fn an_error_of_the_recording_leaves_levels_in_effect() {
        let process = FlightProcess { faults: vec!["batch: RuntimeError()".to_owned()], ..told("race") };
        let flight = Flight { entered: 1, processes: vec![process], notes: Vec::new() };
        assert!(proof(Some(&flight), &SettingId::new("race"), &Level::new("ordered"), Purpose::Level).is_ok());
    }

    #[test]
    fn a_seed_of_the_jobs_own_holds_its_generator_still_but_is_not_the_level() {
        let note = Some("the job seeds it itself at train.py:3".to_owned());
        let applied = AppliedLevel { setting: "seed.torch".to_owned(), by_job: true, note, ..AppliedLevel::default() };
        let process = FlightProcess { applied: vec![applied], ..FlightProcess::default() };
        let flight = Flight { entered: 1, processes: vec![process], notes: Vec::new() };
        let asked = |purpose| proof(Some(&flight), &SettingId::new("seed.torch"), &Level::new("0"), purpose);
        assert!(asked(Purpose::Level).is_err_and(|why| why.contains("train.py:3")));
        assert!(asked(Purpose::Hold).is_ok());
    }
}
