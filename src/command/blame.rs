//! The loop of the search for the cause: try, compare, learn, try again. What to try is for [`crate::blame`] to say.

use std::collections::BTreeMap;

use crate::blame::{self, Answer, Ask, Config, Control, Search, Seen};
use crate::error::Result;
use crate::model::flight::{Flight, FlightDivergence};
use crate::model::{
    Blame, Divergence, Evidence, Kind, Level, Need, OperationProbe, Outcome, Price, Setting, SettingId, Stage, Status,
    Treatment,
};
use crate::probe::Detail;
use crate::{compare, probe};

use super::campaign::{Batch, Campaign, Order, Recording};
use super::request::Request;
use super::watch::StopRule;
use super::words;

/// What the search for the cause gave.
pub struct Found {
    /// The causes, with what it took to find them.
    pub blame: Blame,
    /// The stage at which recorded runs part.
    pub stage: Option<Stage>,
    /// What the recorded runs showed, one sentence each.
    pub notes: Vec<String>,
    /// What could not be tried, one line each.
    pub not_checked: Vec<String>,
}

/// What a pair of recorded runs showed.
#[derive(Default)]
struct Recorded {
    evidence: Option<Evidence>,
    first: Option<FlightDivergence>,
    entered: bool,
    runs: Vec<String>,
    notes: Vec<String>,
}

/// Searches for what makes the runs of `base` part; `control` are its repeats.
pub fn search(request: &Request, campaign: &mut Campaign<'_>, base: &Treatment, control: &Batch) -> Result<Found> {
    let divergence = control.group.outcome.divergence().cloned();
    let mut recorded = match request.shim {
        true => record(campaign, base, divergence.as_ref())?,
        false => Recorded::default(),
    };
    let mut search = Search::new(config(request, campaign, base, control, &recorded)?);
    let mut tried: Vec<(BTreeMap<SettingId, Level>, Vec<String>)> = Vec::new();
    let mut found = loop {
        match search.next_ask() {
            Ask::Done(found) => break *found,
            Ask::Run { treatment, repeats, full_length, all, why } => {
                campaign.say(&why);
                let enough = divergence.as_ref().filter(|_| !full_length).map(|parts| (parts.index + 1 + AFTER) as u64);
                let stop = StopRule {
                    after_divergence: Some(0),
                    first_divergence_ends_all: !all,
                    after_points: enough.or(request.stop.after_points),
                    ..request.stop
                };
                let answer = ask(campaign, &control.runs, treatment, (repeats, stop), &mut tried)?;
                if campaign.interrupted().is_some() {
                    break Blame { history: vec!["the search was interrupted".to_owned()], ..Blame::default() };
                }
                search.seen(answer);
            }
        }
    };
    if wants_drill(&found, &recorded) && campaign.runs().len() < request.max_runs {
        drill(campaign, base, &mut recorded)?;
    }
    if let Some(evidence) = &recorded.evidence {
        blame::locate(&mut found, evidence);
        add_operation(&mut found, evidence);
        blame::known(&mut found, evidence, &known_operations(campaign, &recorded.runs));
    }
    add_prices(&mut found, campaign, &control.runs, &tried);
    found.runs_used = campaign.runs().iter().filter(|run| run.status != Status::Skipped).count();
    found.steps_used = campaign.runs().iter().map(|run| run.points as u64).sum();
    Ok(Found {
        blame: found,
        stage: recorded.first.as_ref().map(|first| first.stage),
        notes: recorded.notes,
        not_checked: search.not_checked(),
    })
}

/// What a probe of this machine found of the libtorch that these runs used; nothing where it was never probed.
fn known_operations(campaign: &Campaign<'_>, runs: &[String]) -> OperationProbe {
    match torch_version(campaign, runs).zip(probe::known::folder()) {
        Some((version, folder)) => probe::known::recall(&folder, &probe::machine(), version),
        None => OperationProbe::default(),
    }
}

/// The version of torch that recorded runs trained with.
fn torch_version<'c>(campaign: &'c Campaign<'_>, runs: &[String]) -> Option<&'c str> {
    let mut processes = runs.iter().filter_map(|run| campaign.flight(run)).flat_map(|flight| &flight.processes);
    processes
        .find_map(|process| process.facts.iter().find(|(name, _)| name == "torch"))
        .map(|(_, version)| version.as_str())
}

/// Points that recorded runs go on after the divergence, so that what follows from it shows as well.
const AFTER: usize = 2;

/// Records two runs, up to shortly after the point at which the job parts, and reads what they show.
fn record(campaign: &mut Campaign<'_>, base: &Treatment, divergence: Option<&Divergence>) -> Result<Recorded> {
    campaign.say("recording two runs from inside, to see where in a step they part");
    let recording = Recording {
        detail: Detail::Full,
        trace: blame::SOURCES.iter().map(|source| (*source).to_owned()).collect(),
        ..Recording::default()
    };
    let length_only = divergence.is_some_and(|divergence| divergence.kind == Kind::Length);
    let after_points = divergence.filter(|_| !length_only).map(|divergence| (divergence.index + 1 + AFTER) as u64);
    let batch = pair(campaign, base, recording, after_points)?;
    let Some([a, b]) = flights(campaign, &batch) else { return Ok(Recorded::default()) };
    if a.entered == 0 || b.entered == 0 {
        let note = "the job could not be entered, so nothing is known from inside: it starts no Python, or one that \
                    ignores PYTHONPATH (-I, -E, -S)";
        return Ok(Recorded { notes: vec![note.to_owned()], ..Recorded::default() });
    }
    let first = compare::flight::flights(a, b);
    let mut notes = Vec::new();
    match &first {
        Some(first) => notes.push(blame::sentence(first)),
        None if batch.group.outcome == Outcome::Agreed => notes.push(
            "the two recorded runs agree although the others part: it parts only sometimes, or recording changed the outcome"
                .to_owned(),
        ),
        None => {}
    }
    let evidence = blame::evidence(a, b, first.as_ref(), None);
    Ok(Recorded { evidence: Some(evidence), first, entered: true, runs: batch.runs, notes })
}

fn pair(
    campaign: &mut Campaign<'_>,
    base: &Treatment,
    recording: Recording,
    after_points: Option<u64>,
) -> Result<Batch> {
    let stop = StopRule { after_divergence: None, after_points, ..campaign.stop() };
    campaign.repeat(&Order { treatment: base, repeats: 2, stop, recording: Some(recording) }, &[])
}

fn flights<'c>(campaign: &'c Campaign<'_>, batch: &Batch) -> Option<[&'c Flight; 2]> {
    let [a, b] = batch.runs.as_slice() else { return None };
    Some([campaign.flight(a)?, campaign.flight(b)?])
}

fn config(
    request: &Request,
    campaign: &Campaign<'_>,
    base: &Treatment,
    control: &Batch,
    recorded: &Recorded,
) -> Result<Config> {
    let runs = campaign.runs();
    Ok(Config {
        repeats: request.times as usize,
        max_runs: request.max_runs,
        confidence: request.confidence.unwrap_or(Config::CONFIDENCE),
        settings: candidates(request, campaign, recorded),
        reference: base.settings.clone(),
        control: Control {
            groups: reference_groups(campaign, control, recorded),
            onset: control.group.outcome.divergence().map(|divergence| divergence.position),
            runs: runs.len(),
            steps: runs.iter().map(|run| run.points as u64).sum(),
        },
        evidence: recorded.evidence.clone(),
        command: words::command(&request.command),
        shorten: worth_shortening(campaign, control),
    })
}

/// Sizes of the groups of identical runs of the reference. Recorded runs end soon after the first difference, where two
/// that part later still agree: where no two of the repeats agree and the recorded ones part to the bit, only the repeats
/// count, or a job that never repeats would be taken for one that sometimes does.
fn reference_groups(campaign: &Campaign<'_>, control: &Batch, recorded: &Recorded) -> Vec<usize> {
    let repeats = campaign.compare(&control.runs).classes;
    if recorded.first.is_some() && repeats.iter().all(|&size| size == 1) {
        return repeats;
    }
    campaign.compare(&[control.runs.as_slice(), &recorded.runs].concat()).classes
}

/// Whether questions on the way are worth asking of shortened runs: the job takes long and parts in its first quarter.
fn worth_shortening(campaign: &Campaign<'_>, control: &Batch) -> bool {
    const LONG: std::time::Duration = std::time::Duration::from_secs(60);
    let Some(divergence) = control.group.outcome.divergence() else { return false };
    let longest = campaign.runs().iter().filter(|run| control.runs.contains(&run.id)).max_by_key(|run| run.points);
    longest.is_some_and(|run| run.duration > LONG && divergence.index * 4 < run.points)
}

/// The settings that can be held for this job: all of them where it can be entered, else those that its command or
/// environment can carry. Settings for a card are left out where there is none, and those of a library that the job does
/// not use.
fn candidates(request: &Request, campaign: &Campaign<'_>, recorded: &Recorded) -> Vec<Setting> {
    let others = match torch_version(campaign, &recorded.runs) {
        Some(_) => Vec::new(),
        None => other_libraries(request),
    };
    let card = recorded.evidence.as_ref().is_some_and(|evidence| evidence.cuda)
        || (!others.is_empty() && probe::machine::has_card());
    let there = |need: &Need| match need {
        Need::Cuda => card,
        Need::Jax => others.contains(&"jax"),
        Need::Tensorflow => others.contains(&"tensorflow"),
        Need::Python | Need::Torch => true,
    };
    let reachable = |setting: &&Setting| {
        let Some(level) = &setting.hold else { return false };
        let applied = crate::plan::apply(&request.command, &[((*setting).clone(), level.clone())], recorded.entered);
        applied.unapplied.is_empty() && setting.needs.iter().all(there)
    };
    request.catalogue.settings().iter().filter(reachable).cloned().collect()
}

/// Libraries other than torch that a job may use: what its interpreter has.
fn other_libraries(request: &Request) -> Vec<&'static str> {
    let installed = probe::software(&request.command, &request.environment).unwrap_or_default();
    ["jax", "tensorflow"].into_iter().filter(|name| installed.facts.contains_key(*name)).collect()
}

/// Runs what the search asks for; runs made earlier under the same levels count as well.
fn ask(
    campaign: &mut Campaign<'_>,
    control: &[String],
    settings: BTreeMap<SettingId, Level>,
    (repeats, stop): (usize, StopRule),
    tried: &mut Vec<(BTreeMap<SettingId, Level>, Vec<String>)>,
) -> Result<Answer> {
    let treatment = Treatment { id: treatment_id(&settings), settings };
    let known = tried.iter().position(|(settings, _)| *settings == treatment.settings);
    let beside = known.and_then(|at| tried.get(at)).map(|(_, runs)| runs.clone()).unwrap_or_default();
    let order =
        Order { treatment: &treatment, repeats: u32::try_from(repeats).unwrap_or(u32::MAX), stop, recording: None };
    let batch = campaign.repeat(&order, &beside)?;
    let made = |run: &&crate::model::Run| batch.runs.contains(&run.id) && run.status != Status::Skipped;
    let answer = Answer {
        seen: seen(campaign, control, &batch),
        runs: campaign.runs().iter().filter(made).count(),
        steps: campaign.runs().iter().filter(made).map(|run| run.points as u64).sum(),
    };
    match known.and_then(|at| tried.get_mut(at)) {
        Some((_, runs)) => runs.extend(batch.runs),
        None => tried.push((treatment.settings, batch.runs)),
    }
    Ok(answer)
}

/// What the ids of the search's treatments begin with.
pub const HELD: &str = "held ";

fn treatment_id(settings: &BTreeMap<SettingId, Level>) -> String {
    let levels: Vec<String> = settings.iter().map(|(id, level)| format!("{id}={level}")).collect();
    format!("{HELD}{}", levels.join(","))
}

fn seen(campaign: &Campaign<'_>, control: &[String], batch: &Batch) -> Seen {
    if !batch.not_applied.is_empty() {
        let not_applied = batch.not_applied.iter().map(|(id, _)| id.clone()).collect();
        // Each setting is named by the search itself; what they share is said once.
        let mut reasons: Vec<&str> = batch
            .not_applied
            .iter()
            .map(|(_, reason)| reason.split_once(": ").map_or(reason.as_str(), |(_, why)| why))
            .collect();
        reasons.sort_unstable();
        reasons.dedup();
        return Seen::Unresolved { reason: format!("did not take effect: {}", reasons.join("; ")), not_applied };
    }
    match &batch.group.outcome {
        Outcome::Agreed if campaign.all_nan(&batch.runs) && !campaign.all_nan(control) => {
            Seen::Degenerate("every loss became NaN".to_owned())
        }
        Outcome::Agreed => Seen::Agreed,
        Outcome::Diverged(divergence) => {
            Seen::Parted { onset: Some(divergence.position), groups: batch.group.classes.clone() }
        }
        Outcome::Unresolved(reason) => Seen::Unresolved { reason: reason.clone(), not_applied: Vec::new() },
    }
}

/// Whether tracing the operations of the divergent step can still add to the answer.
fn wants_drill(found: &Blame, recorded: &Recorded) -> bool {
    let arithmetic = matches!(
        recorded.first.as_ref().map(|first| first.stage),
        Some(Stage::Loss | Stage::Gradients | Stage::Optimizer | Stage::Output)
    );
    let asks = ["op.nondeterministic", "uninitialised", "unknown", "cuda.atomics", "cudnn.deterministic", "threads"];
    arithmetic && found.causes.iter().any(|cause| asks.contains(&cause.id.as_str()) && cause.location.is_none())
}

/// One more run, in which the operations of the divergent step are recorded one by one and each done again: one that then
/// answers differently is guilty.
fn drill(campaign: &mut Campaign<'_>, base: &Treatment, recorded: &mut Recorded) -> Result<()> {
    let Some(first) = &recorded.first else { return Ok(()) };
    campaign.say("doing the operations of the step at which the runs part again and again");
    let recording = Recording { drill: Some(first.step), ..Recording::default() };
    let after_points = Some(first.step + 1 + AFTER as u64);
    let stop = StopRule { after_divergence: None, after_points, ..campaign.stop() };
    let batch = campaign.repeat(&Order { treatment: base, repeats: 1, stop, recording: Some(recording) }, &[])?;
    let drilled = batch.runs.first().and_then(|run| campaign.flight(run)?.trained().next());
    let Some(guilty) = drilled.and_then(|process| process.alerts.first()).cloned() else {
        let note = format!("no operation of step {} was seen to give different outputs for equal inputs", first.step);
        recorded.notes.push(note);
        return Ok(());
    };
    recorded.notes.push(format!(
        "an operation of step {}, {}, gives different outputs for equal inputs",
        first.step, guilty.operation
    ));
    if let Some(evidence) = &mut recorded.evidence {
        let device = if evidence.cuda { "cuda" } else { "cpu" }.to_owned();
        evidence.operation = Some(crate::model::Operation { name: guilty.operation, device, location: guilty.at });
    }
    Ok(())
}

/// Names the guilty operation with the causes that it explains.
fn add_operation(found: &mut Blame, evidence: &Evidence) {
    let Some(operation) = &evidence.operation else { return };
    for cause in found
        .causes
        .iter_mut()
        .filter(|cause| ["op.nondeterministic", "uninitialised", "unknown"].contains(&cause.id.as_str()))
    {
        cause.evidence.push(format!("{} gives different outputs for equal inputs", operation.name));
    }
}

/// What the pins cost, measured on the runs already made: those with all pins held against the reference's.
fn add_prices(
    found: &mut Blame,
    campaign: &Campaign<'_>,
    control: &[String],
    tried: &[(BTreeMap<SettingId, Level>, Vec<String>)],
) {
    let long = |ids: &[String]| -> Vec<Vec<std::time::Duration>> {
        ids.iter().map(|id| campaign.step_times(id)).filter(|times| times.len() >= 10).collect()
    };
    let pinned = tried.iter().find(|(settings, _)| {
        !found.pins.is_empty()
            && found.pins.iter().all(|(id, level)| settings.get(id) == Some(level))
            && settings.len() == found.pins.len()
    });
    let price: Option<Price> = pinned.and_then(|(_, runs)| blame::price(&long(runs), &long(control)));
    if let Some(price) = price {
        for cause in found.causes.iter_mut().filter(|cause| cause.price.is_none()) {
            cause.price = Some(price.clone());
        }
    }
}
