//! The search for what a checkpoint forgot: record the three runs, give back what differs, keep what is needed.

use std::collections::BTreeMap;

use crate::blame::{self, Forgotten, Minimal};
use crate::command::campaign::Recording;
use crate::compare;
use crate::error::Result;
use crate::model::flight::{FlightProcess, SavedCheckpoint};
use crate::model::{Cause, Outcome, Stage, Status};
use crate::probe::Checkpoint;

use super::Runs;
use super::stages::Stages;

/// What the search gave.
#[derive(Default)]
pub struct Found {
    /// The causes.
    pub causes: Vec<Cause>,
    /// The stage at which the recorded resumed run parts.
    pub stage: Option<Stage>,
    /// What a reader should know, one line each.
    pub notes: Vec<String>,
}

/// The recorded runs.
struct Recorded {
    straight: String,
    leaving: String,
    resumed: String,
    saved: Option<SavedCheckpoint>,
}

/// Finds what the checkpoint forgot.
pub fn search(stages: &mut Stages<'_, '_>, runs: &Runs) -> Result<Found> {
    stages.say("recording the three runs from inside, to see what differs after the resume");
    let recorded = record(stages)?;
    let mut found = Found::default();
    if stages.compare(&[runs.resumed.clone(), recorded.resumed.clone()]).outcome != Outcome::Agreed {
        found.notes.push(
            "the recorded resumed run is not the bare one: it does not repeat, or recording changed it".to_owned(),
        );
    }
    let mut seen = look(stages, &recorded);
    found.stage = seen.rest.as_ref().map(|first| first.stage);
    let mut minimal = Minimal::new(differing(stages, &recorded, &seen));
    let whole = minimise(stages, runs, &recorded, &mut minimal)?;
    seen.needed = minimal.items().to_vec();
    seen.cured = minimal.cured();
    if let Some(whole) = whole {
        seen.rest = part(stages, &recorded, &whole);
    }
    found.causes = blame::forgotten(&seen);
    Ok(found)
}

/// Records the straight run, the one that leaves the checkpoint, and the resumed one.
fn record(stages: &mut Stages<'_, '_>) -> Result<Recorded> {
    let straight = if stages.leaves_first() { Some(stages.straight(Some(Recording::default()))?) } else { None };
    let leaving = stages.leave(Some(keeping(None)))?;
    let straight = straight.unwrap_or_else(|| leaving.clone());
    let resumed = give(stages, &leaving, Vec::new())?;
    let saved = saved(stages, &leaving, &resumed);
    let mut recorded = Recorded { straight, leaving, resumed, saved };
    if let Some(step) = other_step(stages, &recorded) {
        // What the file was meant to hold was there at another time than its last writing.
        recorded.leaving = stages.leave(Some(keeping(Some(step))))?;
        recorded.resumed = give(stages, &recorded.leaving, Vec::new())?;
    }
    Ok(recorded)
}

fn keeping(step: Option<u64>) -> Recording {
    Recording { checkpoint: Some(Checkpoint { keep: true, step, ..Checkpoint::default() }), ..Recording::default() }
}

fn give(stages: &mut Stages<'_, '_>, leaving: &str, items: Vec<String>) -> Result<String> {
    let from = Some(stages.flight_folder(leaving));
    let checkpoint = Some(Checkpoint { from, give: items, ..Checkpoint::default() });
    stages.resumed(Some(Recording { checkpoint, ..Recording::default() }))
}

/// The checkpoint that the resumed run read: by its path, else the last one.
fn saved(stages: &Stages<'_, '_>, leaving: &str, resumed: &str) -> Option<SavedCheckpoint> {
    let saves = &stages.trained(leaving)?.saves;
    let loads = stages.trained(resumed).map(|process| process.loads.as_slice()).unwrap_or_default();
    let read = saves.iter().rev().find(|save| save.path.as_ref().is_some_and(|path| loads.contains(path)));
    read.or(saves.last()).cloned()
}

/// The step whose items are wanted, where it is not that of the last checkpoint.
fn other_step(stages: &Stages<'_, '_>, recorded: &Recorded) -> Option<u64> {
    let saved = recorded.saved.as_ref()?;
    let wanted = saved.taken.unwrap_or(saved.steps);
    let last = stages.trained(&recorded.leaving)?.saves.last()?.steps;
    (wanted != last).then_some(wanted)
}

/// What the recorded runs show before anything is given back.
fn look(stages: &Stages<'_, '_>, recorded: &Recorded) -> Forgotten {
    let Some((straight, resumed)) = pair(stages, recorded, &recorded.resumed) else { return Forgotten::default() };
    let alias = recorded.saved.as_ref().and_then(|saved| Some((saved.taken?, saved.steps)));
    let rounded = resumed.given.iter().filter_map(|given| Some((given.item.clone(), given.rounded.clone()?)));
    Forgotten {
        rounded: rounded.collect::<BTreeMap<_, _>>(),
        alias,
        rest: part(stages, recorded, &recorded.resumed),
        generators_seen: resumed.given.iter().any(|given| given.item == "rng"),
        seen_inside: !straight.steps.is_empty() && !resumed.steps.is_empty(),
        weights_of: offset(stages, recorded, &recorded.resumed).and_then(|at| weights_of(straight, resumed, at)),
        ..Forgotten::default()
    }
}

fn pair<'s>(
    stages: &'s Stages<'_, '_>,
    recorded: &Recorded,
    resumed: &str,
) -> Option<(&'s FlightProcess, &'s FlightProcess)> {
    Some((stages.trained(&recorded.straight)?, stages.trained(resumed)?))
}

fn offset(stages: &Stages<'_, '_>, recorded: &Recorded, resumed: &str) -> Option<usize> {
    let (straight, process) = pair(stages, recorded, resumed)?;
    let finished = |run: &str| stages.status(run) == Some(Status::Finished);
    let saved = recorded.saved.as_ref().map(|saved| saved.taken.unwrap_or(saved.steps));
    compare::resume::offset(straight, process, finished(&recorded.straight) && finished(resumed), saved)
}

/// Where a resumed run parts from the straight one inside.
fn part(stages: &Stages<'_, '_>, recorded: &Recorded, resumed: &str) -> Option<crate::model::flight::FlightDivergence> {
    let (straight, process) = pair(stages, recorded, resumed)?;
    compare::resume::flights(straight, process, offset(stages, recorded, resumed)?)
}

/// The step whose weights the checkpoint holds, where the log goes on from another one.
fn weights_of(straight: &FlightProcess, resumed: &FlightProcess, offset: usize) -> Option<(usize, usize)> {
    let held = compare::resume::steps_with_weights(straight, &compare::resume::weights(resumed)?);
    if held.contains(&offset) { None } else { Some((*held.first()?, offset)) }
}

/// The items that the resumed run has otherwise than the interrupted one. Generators that no step draws from, or that
/// agree by the first step, are not among them: they may be restored later than we could look.
fn differing(stages: &Stages<'_, '_>, recorded: &Recorded, seen: &Forgotten) -> Vec<String> {
    let Some(process) = stages.trained(&recorded.resumed) else { return Vec::new() };
    let drawn = match offset(stages, recorded, &recorded.resumed) {
        Some(_) => seen.rest.as_ref().is_some_and(|rest| !rest.live_generators.is_empty()),
        None => true,
    };
    let differs = process.given.iter().filter(|given| given.differs && (given.item != "rng" || drawn));
    differs.map(|given| given.item.clone()).collect()
}

/// Gives items back until the smallest set is known; gives the run in which all of them were given.
fn minimise(
    stages: &mut Stages<'_, '_>,
    runs: &Runs,
    recorded: &Recorded,
    minimal: &mut Minimal,
) -> Result<Option<String>> {
    let rewrites = stages.trained(&recorded.resumed).is_none_or(|process| !process.saves.is_empty());
    let mut whole: Option<String> = None;
    while let Some(items) = minimal.next_set() {
        if stages.interrupted() {
            break;
        }
        let run = if items.is_empty() {
            recorded.resumed.clone()
        } else {
            stages.say(&format!("giving back {}", items.join(", ")));
            if rewrites {
                stages.leave(None)?;
            }
            give(stages, &recorded.leaving, items)?
        };
        match &whole {
            None => {
                minimal.seen_whole(stages.same_as_straight(&runs.straight, &run));
                whole = Some(run);
            }
            Some(whole) => {
                let ids = [whole.clone(), run];
                minimal.seen_without(stages.compare(&ids).outcome == Outcome::Agreed);
            }
        }
    }
    Ok(whole)
}
