//! Working folders of the runs' own, where they are not to see what earlier runs left, and the question whether that is why
//! the first run parts from all others.

use std::collections::BTreeMap;
use std::fs;

use crate::blame;
use crate::error::{Error, Result};
use crate::model::{Blame, Evidence, Level, Outcome, Reach, Setting, SettingId, Status, Treatment, Trial};
use crate::record::{Leftovers, Record};

use super::campaign::Campaign;
use super::order::Order;

/// What is to be hidden, where one of the levels asks for it; else the setting, and why it cannot be done.
pub fn hidden(
    record: &Record,
    levels: &[(Setting, Level)],
) -> std::result::Result<Option<Leftovers>, (SettingId, String)> {
    let asks = |(setting, level): &&(Setting, Level)| !level.is_as_is() && setting.reach.contains(&Reach::Folder);
    let Some((setting, level)) = levels.iter().find(asks) else { return Ok(None) };
    let why = |error| (setting.id.clone(), format!("{}={level} cannot be applied: {error}", setting.id));
    record.leftovers().map(Some).map_err(why)
}

/// Makes the folder of a run that is about to start, where it has one.
///
/// # Errors
/// Where it cannot be made.
pub fn make(trial: &Trial, hidden: Option<&Leftovers>) -> Result<()> {
    match (trial.launch.own_folder(), hidden) {
        (Some(folder), Some(hidden)) => hidden.hide(folder).map_err(Error::file("make", folder)),
        _ => Ok(()),
    }
}

/// Removes the folders of runs that have ended: checkpoints would pile up there.
///
/// # Errors
/// Where one cannot be removed.
pub fn remove(trials: &[Trial]) -> Result<()> {
    for folder in trials.iter().filter_map(|trial| trial.launch.own_folder()).filter(|folder| folder.exists()) {
        fs::remove_dir_all(folder).map_err(Error::file("remove", folder))?;
    }
    Ok(())
}

/// Whether all runs but the first agree, or show nothing, and runs left something in the working folder, which the first one
/// did not find.
pub fn may_explain(campaign: &Campaign<'_>, runs: &[String]) -> bool {
    let parts = |runs: &[String]| matches!(campaign.compare(runs).outcome, Outcome::Diverged(_));
    runs.len() > 2 && parts(runs) && !parts(&runs[1..]) && campaign.left_something()
}

/// Whether the first of these runs ended well and all others did not: they may fail over what it left.
pub fn may_be_in_the_way(campaign: &Campaign<'_>, runs: &[String]) -> bool {
    let mut ended_well = campaign
        .runs()
        .iter()
        .filter(|run| runs.contains(&run.id))
        .map(|run| run.status == Status::Finished && run.points > 0);
    ended_well.next() == Some(true) && runs.len() > 1 && ended_well.all(|well| !well) && campaign.left_something()
}

/// Where [`may_explain`] holds for `runs`, those of `base` so far: runs the job where it finds nothing of what earlier runs
/// left. Where these agree with the first run, that is the answer.
///
/// # Errors
/// Where runs cannot be carried out.
pub fn ask(
    campaign: &mut Campaign<'_>,
    base: &Treatment,
    runs: &[String],
    repeats: u32,
    evidence: Option<&Evidence>,
) -> Result<Option<Blame>> {
    if !may_explain(campaign, runs) {
        return Ok(None);
    }
    let hide = (SettingId::new("leftovers"), Level::new("off"));
    let mut settings: BTreeMap<SettingId, Level> = base.settings.clone();
    settings.extend([hide.clone()]);
    let treatment = Treatment { id: super::blame::treatment_id(&settings), settings };
    campaign.say("all runs but the first agree: do others agree with it that find nothing of what earlier runs left?");
    let order = Order { treatment: &treatment, repeats, stop: campaign.stop(), recording: None };
    let batch = campaign.repeat(&order, &runs[..1])?;
    if batch.runs.is_empty() || batch.group.outcome != Outcome::Agreed {
        return Ok(None);
    }
    let read = evidence.and_then(|evidence| evidence.leftovers.first());
    let cause = blame::left_by_the_first(&runs[0], runs.len() - 1, batch.runs.len(), read);
    let history = vec![format!("{}: {} runs agree with {}", treatment.id, batch.runs.len(), runs[0])];
    Ok(Some(Blame { causes: vec![cause], pins: vec![hide], history, ..Blame::default() }))
}
