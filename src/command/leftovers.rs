//! Working folders of the runs' own, where they are not to see what earlier runs left, and the question whether that is why
//! the first runs part from all others.

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

/// Runs that may part from others because they came first.
pub struct First {
    /// Those that came first, alike as far as they go.
    first: Vec<String>,
    /// All others, alike too.
    later: Vec<String>,
    /// Among how many runs, side by side, the first may have been any.
    beside: usize,
}

/// Whether `runs` are of two kinds, one of which is found only among the first ones, `control`, and runs left something in
/// the working folder, which these did not find.
pub fn first_ones(campaign: &Campaign<'_>, control: usize, runs: &[String]) -> Option<First> {
    let parts = |runs: &[String]| matches!(campaign.compare(runs).outcome, Outcome::Diverged(_));
    let last = runs.last()?;
    let (first, later): (Vec<String>, Vec<String>) =
        runs.iter().cloned().partition(|run| run != last && parts(&[run.clone(), last.clone()]));
    let in_front = runs.starts_with(&first);
    let among = runs[..control.min(runs.len())].iter().filter(|run| first.contains(run)).count();
    let fits = !first.is_empty() && later.len() > 1 && (in_front || among == first.len());
    let found = fits && !parts(&first) && !parts(&later) && campaign.left_something();
    let beside = if in_front { first.len() } else { control };
    found.then_some(First { first, later, beside })
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

/// Names of files that a note has room for.
const MOST_NAMED: usize = 3;

/// What to know of runs that agree, where one left files that a later one read: what it does in a folder of its own may be
/// another thing.
pub fn handed_on(campaign: &Campaign<'_>, treatment: &Treatment, runs: &[String]) -> Option<String> {
    let hides = treatment.settings.iter().any(|(id, level)| id.as_str() == "leftovers" && !level.is_as_is());
    let files = if hides { Vec::new() } else { campaign.handed_on(runs) };
    let named: Vec<String> = files.iter().take(MOST_NAMED).map(|file| file.display().to_string()).collect();
    let more = files.len().checked_sub(MOST_NAMED + 1).map(|more| format!(" and {} more", more + 1));
    (!named.is_empty()).then(|| {
        format!(
            "one run left what a later one read ({}{}), so that they may agree for that alone: `--set leftovers=off` lets \
             each begin without",
            named.join(", "),
            more.unwrap_or_default()
        )
    })
}

/// How many runs the question takes.
pub struct Enough {
    /// At least so many are made,
    pub least: u32,
    /// and as many as leave chance no more than this risk.
    pub risk: f64,
    /// No more than these may be: where they do not do, none is made.
    pub allowed: usize,
}

/// Runs the job of `base` where it finds nothing of what earlier runs left: where these agree with the first ones, that is
/// the answer.
///
/// # Errors
/// Where runs cannot be carried out.
pub fn ask(
    campaign: &mut Campaign<'_>,
    base: &Treatment,
    First { first, later, beside }: &First,
    enough: &Enough,
    evidence: Option<&Evidence>,
) -> Result<Option<Blame>> {
    let hide = (SettingId::new("leftovers"), Level::new("off"));
    let mut settings: BTreeMap<SettingId, Level> = base.settings.clone();
    settings.extend([hide.clone()]);
    let treatment = Treatment { id: super::blame::treatment_id(&settings), settings };
    let repeats = blame::repeats_after(first.len(), later.len(), *beside, enough.least as usize, enough.risk);
    if repeats > enough.allowed {
        return Ok(None);
    }
    campaign.say("later runs agree, and the first do not: do others that find nothing of what earlier runs left?");
    let order = Order {
        treatment: &treatment,
        repeats: u32::try_from(repeats).unwrap_or(u32::MAX),
        stop: campaign.stop(),
        recording: None,
    };
    let batch = campaign.repeat(&order, &[])?;
    // The first ones may have been stopped where they parted from others: they are compared as far as they went.
    let with_first = [first.as_slice(), &batch.runs].concat();
    if batch.group.outcome != Outcome::Agreed || campaign.compare(&with_first).outcome != Outcome::Agreed {
        return Ok(None);
    }
    let read = evidence.and_then(|evidence| evidence.leftovers.first());
    let cause = blame::left_by_the_first(first, later.len(), batch.runs.len(), read);
    let history = vec![format!("{}: {} runs agree with {}", treatment.id, batch.runs.len(), first.join(", "))];
    Ok(Some(Blame { causes: vec![cause], pins: vec![hide], history, ..Blame::default() }))
}
