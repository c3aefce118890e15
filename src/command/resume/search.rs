//! The search for what a checkpoint forgot: record the three runs, give back what differs, keep what is needed.

use std::collections::BTreeMap;

use crate::blame::{self, Attempt, Forgotten, Minimal};
use crate::command::order::Recording;
use crate::compare;
use crate::error::Result;
use crate::model::flight::{FlightProcess, SavedCheckpoint};
use crate::model::{Cause, Outcome, Stage, Status};
use crate::probe::Checkpoint;

use super::super::words::CHECKPOINTS;
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
        found.notes.push(format!(
            "the recorded resumed run is not the bare one: it does not repeat, it found what the bare one had left (where runs \
             take the newest checkpoint of a folder, write {CHECKPOINTS} in its place), or recording changed it"
        ));
    }
    let mut seen = look(stages, &recorded);
    found.stage = seen.rest.as_ref().map(|first| first.stage);
    if let Some((whole, attempt)) = together(stages, runs, &recorded, &seen)? {
        seen.rest = part(stages, &recorded, &whole);
        seen.cured = attempt.cured;
        seen.needed = minimise(stages, &recorded, &whole, attempt.items)?;
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
        generators_seen: resumed.given.iter().any(|given| blame::is_generator(&given.item)),
        lasting_workers: resumed.loaders.iter().any(|loader| keeps_workers(loader)),
        seen_inside: !straight.steps.is_empty() && !resumed.steps.is_empty(),
        weights_of: offset(stages, recorded).and_then(|at| weights_of(straight, resumed, at)),
        ..Forgotten::default()
    }
}

/// Whether a loader's workers outlive an epoch, as its arguments say.
fn keeps_workers(arguments: &[(String, String)]) -> bool {
    let said = |name: &str| arguments.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    said("persistent_workers") == Some("true") && said("num_workers").is_some_and(|number| number != "0")
}

fn pair<'s>(
    stages: &'s Stages<'_, '_>,
    recorded: &Recorded,
    resumed: &str,
) -> Option<(&'s FlightProcess, &'s FlightProcess)> {
    Some((stages.trained(&recorded.straight)?, stages.trained(resumed)?))
}

/// How many steps the straight run had made where the resumed one goes on.
fn offset(stages: &Stages<'_, '_>, recorded: &Recorded) -> Option<usize> {
    let resumed = &recorded.resumed;
    let (straight, process) = pair(stages, recorded, resumed)?;
    let finished = |run: &str| stages.status(run) == Some(Status::Finished);
    let saved = recorded.saved.as_ref().map(|saved| saved.taken.unwrap_or(saved.steps));
    // A scaler leaves steps out whose gradients overflow, in other numbers where the runs part.
    let leaves_out = process.given.iter().any(|given| given.item == "scaler");
    let complete = finished(&recorded.straight) && finished(resumed) && !leaves_out;
    compare::resume::offset(straight, process, complete, saved)
}

/// Where a resumed run parts from the straight one inside.
fn part(stages: &Stages<'_, '_>, recorded: &Recorded, resumed: &str) -> Option<crate::model::flight::FlightDivergence> {
    let (straight, process) = pair(stages, recorded, resumed)?;
    // Whatever is given back, it goes on from the same step.
    compare::resume::flights(straight, process, offset(stages, recorded)?)
}

/// The step whose weights the checkpoint holds, where the log goes on from another one.
fn weights_of(straight: &FlightProcess, resumed: &FlightProcess, offset: usize) -> Option<(usize, usize)> {
    let held = compare::resume::steps_with_weights(straight, &compare::resume::weights(resumed)?);
    if held.contains(&offset) { None } else { Some((*held.first()?, offset)) }
}

/// The items that the resumed run has otherwise than the interrupted one.
fn differing(stages: &Stages<'_, '_>, recorded: &Recorded) -> Vec<String> {
    let given = stages.trained(&recorded.resumed).map(|process| process.given.as_slice()).unwrap_or_default();
    given.iter().filter(|given| given.differs).map(|given| given.item.clone()).collect()
}

/// Those of them that matter at the first step that parts: a global generator that no step draws from, or that agrees by
/// then, may be restored later than we could look.
fn matter(stages: &Stages<'_, '_>, recorded: &Recorded, seen: &Forgotten, differing: &[String]) -> Vec<String> {
    let known = offset(stages, recorded).is_some();
    let drawn = |item: &String| seen.rest.as_ref().is_some_and(|rest| draws_from(&rest.live_generators, item));
    let matters = |item: &&String| !known || !blame::is_global_generator(item) || drawn(item);
    differing.iter().filter(matters).cloned().collect()
}

/// Whether an item is among these generators of the record, where each CUDA device is its own: `rng.cuda0`.
fn draws_from(generators: &[String], item: &str) -> bool {
    generators.iter().any(|generator| generator.trim_end_matches(|digit: char| digit.is_ascii_digit()) == item)
}

/// Gives items back together until that makes the resumed run the straight one, or nothing is left to try; gives the
/// run that came furthest.
fn together(
    stages: &mut Stages<'_, '_>,
    runs: &Runs,
    recorded: &Recorded,
    seen: &Forgotten,
) -> Result<Option<(String, Attempt)>> {
    let differing = differing(stages, recorded);
    let matter = matter(stages, recorded, seen, &differing);
    let (mut tried, mut made) = (Vec::new(), Vec::new());
    while let Some(items) = blame::next_attempt(&matter, &differing, &tried) {
        if stages.interrupted() {
            break;
        }
        let run = give_again(stages, recorded, &items)?;
        let first = part(stages, recorded, &run);
        let live = first.as_ref().map(|first| first.live_generators.clone()).unwrap_or_default();
        tried.push(Attempt {
            cured: stages.same_as_straight(&runs.straight, &run),
            parts_at: first.map(|first| first.step),
            live: differing.iter().filter(|item| draws_from(&live, item)).cloned().collect(),
            items,
        });
        made.push(run);
    }
    Ok(blame::best_attempt(&tried).map(|at| (made.swap_remove(at), tried.swap_remove(at))))
}

/// Gives items back, from the same checkpoint as before.
fn give_again(stages: &mut Stages<'_, '_>, recorded: &Recorded, items: &[String]) -> Result<String> {
    stages.say(&format!("giving back {}", items.join(", ")));
    if stages.trained(&recorded.resumed).is_none_or(|process| !process.saves.is_empty()) {
        stages.restore()?;
    }
    give(stages, &recorded.leaving, items.to_vec())
}

/// Leaves one item after the other out; gives those without which the run is another one than `whole`.
fn minimise(stages: &mut Stages<'_, '_>, recorded: &Recorded, whole: &str, items: Vec<String>) -> Result<Vec<String>> {
    let mut minimal = Minimal::new(items);
    while let Some(items) = minimal.next_set() {
        if stages.interrupted() {
            break;
        }
        let run = if items.is_empty() { recorded.resumed.clone() } else { give_again(stages, recorded, &items)? };
        minimal.seen_without(stages.compare(&[whole.to_owned(), run]).outcome == Outcome::Agreed);
    }
    Ok(minimal.items().to_vec())
}
