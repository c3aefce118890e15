//! Runs that the shim enters: what it is told, what it recorded, and whether its levels took effect.

use std::path::PathBuf;

use super::Campaign;
use crate::command::order::Recording;
use crate::command::proof::{Purpose, proof};
use crate::compare;
use crate::error::Result;
use crate::model::flight::Flight;
use crate::model::{Level, SettingId, Status, Trial};
use crate::plan::Applied;
use crate::probe::{self, Instructions, Shim};

impl Campaign<'_> {
    /// Lets the shim into each trial, with its own instructions.
    pub(super) fn enter(&mut self, trials: &mut [Trial], applied: &Applied, recording: Recording) -> Result<()> {
        let shim = match &self.shim {
            Some(shim) => shim.clone(),
            None => Shim::unpack(&self.record.folder().join("shim"))?,
        };
        self.shim = Some(shim.clone());
        let instructions = Instructions {
            detail: recording.detail,
            settings: applied.shim.clone(),
            trace: recording.trace,
            began: Some(self.record.began()),
            drill: recording.drill,
            checkpoint: recording.checkpoint,
            kill: recording.kill,
            disturb: recording.disturbed_from.is_some(),
        };
        for trial in trials {
            let asked = trial.launch.environment.get("PYTHONPATH").cloned();
            let python_path = asked.unwrap_or_else(|| std::env::var("PYTHONPATH").ok());
            // Its folder is made by `begin`; the flight record goes below it, and is put aside with it.
            let folder = self.flight_folder(&trial.run);
            if !self.is_recorded(trial) {
                // What a lost attempt left would be taken for this run's.
                let _ = std::fs::remove_dir_all(&folder);
            }
            let variables = shim.enter(&folder, &instructions, python_path.as_deref())?;
            trial.launch.environment.extend(variables.into_iter().map(|(name, value)| (name, Some(value))));
            trial.launch.flight = Some(folder);
        }
        Ok(())
    }

    /// Where a run's flight record lies.
    pub fn flight_folder(&self, run: &str) -> PathBuf {
        self.record.folder().join("flights").join(run)
    }

    pub(super) fn read_flights(&mut self, trials: &[Trial]) {
        let here = std::env::current_dir().unwrap_or_default();
        for trial in trials {
            let (run, home) = (&trial.run, trial.launch.folder.as_ref().unwrap_or(&here));
            match probe::flight::read(&self.flight_folder(run), home) {
                Ok(flight) => {
                    self.flights.insert(run.clone(), flight);
                }
                Err(error) => self.notes.push(format!("{run}: its flight record could not be read: {error}")),
            }
        }
    }

    /// Takes the losses that were recorded for what a run shows, where it printed no result.
    pub(super) fn read_losses(&mut self, ids: &[String]) {
        for id in ids {
            let silent = self.readings.get(id).is_some_and(|reading| !reading.shows_result());
            let losses = self.flights.get(id).and_then(compare::flight::exact_losses).filter(|_| silent);
            let Some(losses) = losses else { continue };
            let points = self.keep_reading(id, losses);
            self.runs.iter_mut().filter(|run| run.id == *id).for_each(|run| run.points = points);
        }
    }

    /// Enters the levels that are known to be in effect, and gives those that are not, with the reason.
    pub(super) fn read_back(&mut self, ids: &[String], applied: &Applied) -> Vec<(SettingId, String)> {
        let mut failed: Vec<(SettingId, String)> = Vec::new();
        let flights = &self.flights;
        let treatments = &self.request.treatments;
        let purpose = |setting: &SettingId, level: &Level| {
            let typed = treatments.iter().any(|treatment| treatment.settings.get(setting) == Some(level));
            if typed { Purpose::Level } else { Purpose::Hold }
        };
        for run in self.runs.iter_mut().filter(|run| ids.contains(&run.id) && run.status != Status::Skipped) {
            run.read_back.extend(applied.read_back.clone());
            for (setting, level) in &applied.shim {
                let flight = flights.get(&run.id).filter(|flight| flight.entered > 0);
                let purpose = purpose(setting, level);
                // A library that the shim does not know may read the variable: good enough for a hold, which the runs judge.
                let unasked =
                    |flight: &Flight| purpose == Purpose::Hold && flight.read_back(setting.as_str()).next().is_none();
                if let (true, Some(carried)) = (flight.is_none_or(unasked), applied.carried.get(setting)) {
                    run.read_back.insert(setting.clone(), carried.clone());
                    continue;
                }
                match proof(flight, setting, level, purpose) {
                    Ok(level) => {
                        run.read_back.insert(setting.clone(), level);
                    }
                    Err(_) if failed.iter().any(|(known, _)| known == setting) => {}
                    Err(reason) => failed.push((
                        setting.clone(),
                        format!("{setting}={level} did not take effect in {}: {reason}", run.id),
                    )),
                }
            }
        }
        failed
    }
}
