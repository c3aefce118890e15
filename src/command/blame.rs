//! The loop of the search for the cause: try, compare, learn, try again. What to try is for [`crate::blame`] to say.

use std::collections::BTreeMap;

use crate::blame::{self, Answer, Ask, Config, Control, Rate, Search, Seen};
use crate::error::Result;
use crate::model::flight::{Drilled, FlightDivergence};
use crate::model::{
    Blame, Divergence, Evidence, Grade, Kind, Level, Need, OperationProbe, Outcome, Reach, Setting, SettingId, Stage,
    Status, Treatment,
};
use crate::probe::Detail;
use crate::{compare, probe};

use super::campaign::Campaign;
use super::leftovers;
use super::order::{Batch, Order, Recording};
use super::request::Request;
use super::watch::StopRule;
use super::{without_card, words};

/// What the search for the cause gave.
pub struct Found {
    /// The causes, with what it took to find them.
    pub blame: Blame,
    /// The stage at which recorded runs part.
    pub stage: Option<Stage>,
    /// Where the losses of two recorded runs part to the bit.
    pub exact: Option<Divergence>,
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
    exact: Option<Divergence>,
    entered: bool,
    runs: Vec<String>,
    notes: Vec<String>,
}

/// Searches for what makes the runs of `base` part; `control` are its repeats.
pub fn search(request: &Request, campaign: &mut Campaign<'_>, base: &Treatment, control: &Batch) -> Result<Found> {
    let mut recorded = match request.shim {
        true => record(request, campaign, base, control)?,
        false => Recorded::default(),
    };
    // On a card most operations that add up in no fixed order have a setting of their own: the search is told which.
    let drilled = recorded.evidence.as_ref().is_some_and(|evidence| evidence.cuda && arithmetic(&recorded));
    if drilled {
        drill(campaign, base, &mut recorded)?;
    }
    let so_far = reference_runs(campaign, control, &recorded);
    let mut search = Search::new(config(request, campaign, base, control, &recorded));
    let mut tried = vec![(base.settings.clone(), so_far.clone())];
    let enough = leftovers::Enough {
        least: request.times,
        risk: 1.0 - confidence(request),
        allowed: search.budget().saturating_sub(campaign.runs().len()),
    };
    let left = match leftovers::first_ones(campaign, control.runs.len(), &so_far) {
        Some(first) => leftovers::ask(campaign, base, &first, &enough, recorded.evidence.as_ref())?,
        None => None,
    };
    let mut found = match left {
        Some(found) => {
            recorded.notes.clear(); // that recorded runs agree is no riddle any more
            found
        }
        None => ask_all(campaign, &mut search, control, request.stop, &mut tried)?,
    };
    let may_run_more = campaign.interrupted().is_none() && campaign.runs().len() < search.budget();
    if !drilled && may_run_more && wants_drill(&found, &recorded) {
        drill(campaign, base, &mut recorded)?;
    }
    if let Some(evidence) = &recorded.evidence {
        blame::guilty_operation(&mut found, evidence);
        blame::locate(&mut found, evidence);
        blame::known(&mut found, evidence, &known_operations(campaign, &recorded.runs));
    }
    add_prices(&mut found, campaign, base, &control.runs, &tried);
    found.runs_used = campaign.runs().iter().filter(|run| run.status != Status::Skipped).count();
    found.steps_used = campaign.runs().iter().map(|run| run.points as u64).sum();
    Ok(Found {
        blame: found,
        stage: recorded.first.as_ref().map(|first| first.stage),
        exact: recorded.exact,
        notes: recorded.notes,
        not_checked: search.not_checked(),
    })
}

/// The treatments that the search asked for, with the runs of each.
type Tried = Vec<(BTreeMap<SettingId, Level>, Vec<String>)>;

/// Runs what the search asks for until it has an answer.
fn ask_all(
    campaign: &mut Campaign<'_>,
    search: &mut Search,
    control: &Batch,
    stop: StopRule,
    tried: &mut Tried,
) -> Result<Blame> {
    let divergence = control.group.outcome.divergence();
    let mut confirmed = false;
    loop {
        match search.next_ask() {
            Ask::Done(found) => return Ok(*found),
            Ask::Run { treatment, repeats, full_length, all, against, why } => {
                campaign.say(&why);
                let enough = divergence.filter(|_| !full_length).map(|parts| shortly_after(campaign, parts, stop));
                let stop =
                    StopRule { after_divergence: Some(0), first_divergence_ends_all: !all, ..enough.unwrap_or(stop) };
                let mut answer =
                    ask(campaign, &control.runs, treatment.clone(), (repeats, stop), against.as_ref(), tried)?;
                if answer.seen == Seen::Agreed && !confirmed && campaign.interrupted().is_none() {
                    let made = tried.iter().find(|(known, _)| *known == treatment);
                    let runs = made.map(|(_, runs)| runs.clone()).unwrap_or_default();
                    if search.runs_used() + answer.runs < search.budget() && may_share_files(campaign, &runs) {
                        campaign.say("these went side by side in one folder, and files changed there: one more, alone");
                        let alone = ask(campaign, &control.runs, treatment, (1, stop), against.as_ref(), tried)?;
                        answer = together(&answer, alone);
                    }
                    confirmed = answer.seen == Seen::Agreed;
                }
                if campaign.interrupted().is_some() {
                    return Ok(search.interrupted());
                }
                search.seen(answer);
            }
        }
    }
}

/// Runs side by side that agreed, and one alone. Where that parts from them, they say no more than a single run.
fn together(beside: &Answer, alone: Answer) -> Answer {
    let seen = match alone.seen {
        Seen::Parted { onset, .. } => Seen::Parted { onset, groups: vec![1, 1] },
        other => other,
    };
    Answer { seen, runs: beside.runs + alone.runs, steps: beside.steps + alone.steps }
}

/// Whether these runs agree, perhaps, because they went side by side and found one another's files.
fn may_share_files(campaign: &Campaign<'_>, runs: &[String]) -> bool {
    campaign.overlapped(runs) && campaign.changed_something()
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

/// Records runs until two of them part, and reads what those two show. Where no two reference runs agree a pair is enough,
/// made up to shortly after the point at which the job parts; where it parts only sometimes, there may be many pairs, and
/// each goes to its end.
fn record(request: &Request, campaign: &mut Campaign<'_>, base: &Treatment, control: &Batch) -> Result<Recorded> {
    campaign.say("recording two runs from inside, to see where in a step they part");
    let divergence = control.group.outcome.divergence();
    let whole = Rate::of_groups(&control.group.classes).is_some()
        || divergence.is_some_and(|divergence| divergence.kind == Kind::Length);
    let stop = StopRule { after_points: None, ..campaign.stop() };
    let stop = divergence.filter(|_| !whole).map_or(stop, |divergence| shortly_after(campaign, divergence, stop));
    let most = request.max_runs.unwrap_or(Config::MAX_RUNS_SOMETIMES) / SHARE;
    let mut runs: Vec<String> = Vec::new();
    loop {
        let batch = pair(campaign, base, stop)?;
        runs.extend(batch.runs);
        let known = campaign.compare(&[control.runs.as_slice(), &runs].concat()).classes;
        let parting = parting_pair(campaign, &runs);
        let enough = runs.len() + 2 > blame::recordings(&known, confidence(request), most);
        let entered = runs.iter().all(|run| campaign.flight(run).is_some_and(|flight| flight.entered > 0));
        let so_far = [control.runs.as_slice(), &runs].concat();
        let left = leftovers::first_ones(campaign, control.runs.len(), &so_far).is_some();
        if parting.is_some() || enough || left || !entered || campaign.interrupted().is_some() {
            return Ok(shown(campaign, runs, parting));
        }
    }
}

/// At most this share of the budget goes into recording.
const SHARE: usize = 4;

/// The first two recorded runs that part.
fn parting_pair(campaign: &Campaign<'_>, runs: &[String]) -> Option<[usize; 2]> {
    let parts = |a: &String, b: &String| {
        let flights = campaign.flight(a).zip(campaign.flight(b));
        flights.is_some_and(|(a, b)| compare::flight::flights(a, b).is_some())
            || matches!(campaign.compare(&[a.clone(), b.clone()]).outcome, Outcome::Diverged(_))
    };
    let first = runs.first()?;
    runs.iter().skip(1).position(|run| parts(first, run)).map(|at| [0, at + 1])
}

/// What recorded runs show: the two that part, or the first two.
fn shown(campaign: &Campaign<'_>, runs: Vec<String>, parting: Option<[usize; 2]>) -> Recorded {
    let [one, other] = parting.unwrap_or([0, 1]);
    let flights = runs.get(one).zip(runs.get(other)).and_then(|(a, b)| campaign.flight(a).zip(campaign.flight(b)));
    let Some((a, b)) = flights else { return Recorded { runs, ..Recorded::default() } };
    if a.entered == 0 || b.entered == 0 {
        let note = "the job could not be entered, so nothing is known from inside: it starts no Python, or one that \
                    ignores PYTHONPATH (-I, -E, -S)";
        return Recorded { runs, notes: vec![note.to_owned()], ..Recorded::default() };
    }
    let first = compare::flight::flights(a, b);
    let mut notes = Vec::new();
    match &first {
        Some(first) => {
            notes.push(blame::sentence(first));
            notes.extend(blame::by_rank(&compare::flight::by_rank(a, b)));
        }
        None if parting.is_none() => notes.push(format!(
            "the {} recorded runs agree although others part: it parts only sometimes, or recording changed the outcome",
            runs.len()
        )),
        None => {}
    }
    let evidence = blame::evidence(a, b, first.as_ref(), None);
    let exact = super::observe::exact_divergence([&runs[one], &runs[other]], a, b);
    Recorded { exact, evidence: Some(evidence), first, entered: true, runs, notes }
}

/// A rule that lets runs go on to shortly after the point at which others part.
fn shortly_after(campaign: &Campaign<'_>, divergence: &Divergence, rule: StopRule) -> StopRule {
    let after_points = Some((divergence.index + 1 + AFTER) as u64);
    StopRule { after_points, counted: campaign.stream_of(&divergence.metric), ..rule }
}

fn pair(campaign: &mut Campaign<'_>, base: &Treatment, stop: StopRule) -> Result<Batch> {
    let recording = Recording {
        detail: Detail::Full,
        trace: blame::SOURCES.iter().map(|source| (*source).to_owned()).collect(),
        ..Recording::default()
    };
    let stop = StopRule { after_divergence: None, ..stop };
    campaign.repeat(&Order { treatment: base, repeats: 2, stop, recording: Some(recording) }, &[])
}

fn confidence(request: &Request) -> f64 {
    request.confidence.unwrap_or(Config::CONFIDENCE)
}

fn config(
    request: &Request,
    campaign: &Campaign<'_>,
    base: &Treatment,
    control: &Batch,
    recorded: &Recorded,
) -> Config {
    let runs = campaign.runs();
    let groups = campaign.compare(&reference_runs(campaign, control, recorded)).classes;
    Config {
        repeats: request.times as usize,
        max_runs: request.max_runs,
        confidence: confidence(request),
        settings: candidates(request, campaign, recorded),
        reference: base.settings.clone(),
        shorten: Rate::of_groups(&groups).is_none() && worth_shortening(campaign, control),
        control: Control {
            groups,
            onset: control.group.outcome.divergence().map(|divergence| divergence.position),
            runs: runs.len(),
            steps: runs.iter().map(|run| run.points as u64).sum(),
        },
        evidence: recorded.evidence.clone(),
        command: words::command(&request.command),
    }
}

/// The runs of the reference that tell how often it parts. Recorded runs end soon after the first difference, where two
/// that part later still agree: where no two of the repeats agree and the recorded ones part to the bit, only the repeats
/// count, or a job that never repeats would be taken for one that sometimes does.
fn reference_runs(campaign: &Campaign<'_>, control: &Batch, recorded: &Recorded) -> Vec<String> {
    let repeats = campaign.compare(&control.runs).classes;
    if recorded.first.is_some() && repeats.iter().all(|&size| size == 1) {
        return control.runs.clone();
    }
    [control.runs.as_slice(), &recorded.runs].concat()
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
    let others = match &recorded.evidence {
        Some(evidence) => evidence.frameworks.clone(),
        None => other_libraries(request),
    };
    let torch = recorded.evidence.is_none() || torch_version(campaign, &recorded.runs).is_some();
    let uses = |name: &str| others.iter().any(|other| other == name);
    let card = recorded.evidence.as_ref().is_some_and(|evidence| evidence.cuda)
        || (!others.is_empty() && without_card::may_have_card(request));
    let there = |need: &Need| match need {
        Need::Cuda => card,
        Need::Jax => uses("jax"),
        Need::Tensorflow => uses("tensorflow"),
        Need::Torch => torch,
        Need::Python => true,
    };
    let left = recorded.evidence.as_ref().is_some_and(|evidence| !evidence.leftovers.is_empty());
    let reachable = |setting: &&Setting| {
        let Some(level) = setting.hold.as_ref().or(setting.probe.as_ref()) else { return false };
        let applied = crate::plan::apply(&request.command, &[((*setting).clone(), level.clone())], recorded.entered);
        let started = |way: &Reach| match way {
            Reach::Wrapper(levels) => {
                levels.iter().filter_map(|(_, words)| words.first()).all(|program| probe::program(program).is_some())
            }
            Reach::Folder => left,
            _ => true,
        };
        applied.unapplied.is_empty() && setting.reach.iter().all(started) && setting.needs.iter().all(there)
    };
    request.catalogue.settings().iter().filter(reachable).cloned().collect()
}

/// Frameworks other than torch that a job which was not recorded may use: what its interpreter has.
fn other_libraries(request: &Request) -> Vec<String> {
    let installed = probe::software(&request.command, &request.environment).unwrap_or_default();
    ["jax", "tensorflow"].into_iter().filter(|name| installed.facts.contains_key(*name)).map(str::to_owned).collect()
}

/// Runs what the search asks for; runs made earlier under the same levels count as well.
fn ask(
    campaign: &mut Campaign<'_>,
    control: &[String],
    settings: BTreeMap<SettingId, Level>,
    (repeats, stop): (usize, StopRule),
    against: Option<&BTreeMap<SettingId, Level>>,
    tried: &mut Tried,
) -> Result<Answer> {
    let treatment = Treatment { id: treatment_id(&settings), settings };
    let runs_of = |settings: &BTreeMap<SettingId, Level>| {
        tried.iter().find(|(known, _)| known == settings).map(|(_, runs)| runs.clone()).unwrap_or_default()
    };
    let (beside, baseline) = (runs_of(&treatment.settings), against.map(runs_of).unwrap_or_default());
    let order =
        Order { treatment: &treatment, repeats: u32::try_from(repeats).unwrap_or(u32::MAX), stop, recording: None };
    let batch = campaign.repeat(&order, &beside)?;
    let made = |run: &&crate::model::Run| batch.runs.contains(&run.id) && run.status != Status::Skipped;
    let own = [beside.as_slice(), &batch.runs].concat();
    let answer = Answer {
        seen: seen(campaign, control, &batch, &own, &baseline),
        runs: campaign.runs().iter().filter(made).count(),
        steps: campaign.runs().iter().filter(made).map(|run| run.points as u64).sum(),
    };
    match tried.iter_mut().find(|(known, _)| *known == treatment.settings) {
        Some((_, runs)) => runs.extend(batch.runs),
        None => tried.push((treatment.settings, batch.runs)),
    }
    Ok(answer)
}

/// What the ids of the search's treatments begin with.
pub const HELD: &str = "held ";

/// The id of the treatment that holds these levels.
pub fn treatment_id(settings: &BTreeMap<SettingId, Level>) -> String {
    let levels: Vec<String> = settings.iter().map(|(id, level)| format!("{id}={level}")).collect();
    format!("{HELD}{}", levels.join(","))
}

/// What came of a question: `own` are all runs of its treatment, `baseline` those that they are compared against.
fn seen(campaign: &Campaign<'_>, control: &[String], batch: &Batch, own: &[String], baseline: &[String]) -> Seen {
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
    // A single run has only those to be compared with.
    let alone = (own.len() == 1 && !baseline.is_empty()).then(|| campaign.compare(&[baseline, own].concat()).outcome);
    match alone.as_ref().unwrap_or(&batch.group.outcome) {
        Outcome::Diverged(_) if alone.is_some() => Seen::Changed,
        Outcome::Agreed | Outcome::Unresolved(_) if campaign.all_nan(&batch.runs) && !campaign.all_nan(control) => {
            Seen::Degenerate("every loss became NaN".to_owned())
        }
        Outcome::Agreed if alone.is_none() && differs(campaign, own, baseline) => Seen::Changed,
        Outcome::Agreed => Seen::Agreed,
        Outcome::Diverged(divergence) => {
            Seen::Parted { onset: Some(divergence.position), groups: batch.group.classes.clone() }
        }
        Outcome::Unresolved(reason) => Seen::Unresolved { reason: reason.clone(), not_applied: Vec::new() },
    }
}

/// Whether runs that agree with one another part from those they are compared against.
fn differs(campaign: &Campaign<'_>, own: &[String], baseline: &[String]) -> bool {
    !baseline.is_empty() && matches!(campaign.compare(&[baseline, own].concat()).outcome, Outcome::Diverged(_))
}

/// Whether the runs part first in what the step computes.
fn arithmetic(recorded: &Recorded) -> bool {
    let stage = recorded.first.as_ref().map(|first| first.stage);
    matches!(stage, Some(Stage::Loss | Stage::Gradients | Stage::Optimizer | Stage::Output))
}

/// Whether tracing the operations of the divergent step can still add to the answer.
fn wants_drill(found: &Blame, recorded: &Recorded) -> bool {
    let asks = ["op.nondeterministic", "uninitialised", "unknown", "cuda.atomics", "cudnn.deterministic", "threads"];
    arithmetic(recorded)
        && found.causes.iter().any(|cause| asks.contains(&cause.id.as_str()) && cause.location.is_none())
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
        let fault = drilled.and_then(|process| process.faults.first()).map(String::as_str);
        recorded.notes.push(none_was_seen(first.step, drilled.and_then(|process| process.drilled.as_ref()), fault));
        return Ok(());
    };
    recorded.notes.push(format!(
        "an operation of step {}, {}, gives different outputs for equal inputs",
        first.step, guilty.operation
    ));
    if let Some(evidence) = &mut recorded.evidence {
        let device = guilty.device.unwrap_or_else(|| if evidence.cuda { "cuda" } else { "cpu" }.to_owned());
        evidence.operation = Some(crate::model::Operation { name: guilty.operation, device, location: guilty.at });
    }
    Ok(())
}

/// That no operation of a step answered differently, and how far they were asked; `fault` is what stopped the recording.
fn none_was_seen(step: u64, drilled: Option<&Drilled>, fault: Option<&str>) -> String {
    let none = format!("no operation of step {step} was seen to give different outputs for equal inputs");
    let Some(drilled) = drilled else {
        return match fault {
            Some(fault) => format!("{none}: they could not be done again: {fault}"),
            None => format!("{none}: the run ended before they had been done again"),
        };
    };
    let mut told = format!("{none}, of {} that were done again", drilled.again);
    if drilled.late > 0 {
        told += &format!("; for {} there was no time", drilled.late);
    }
    if drilled.failed > 0 {
        let error = drilled.error.as_deref().unwrap_or("an error");
        told += &format!("; {} could not be: {error}", drilled.failed);
    }
    told
}

/// What the pins cost, measured on the runs already made: those with all pins held against the reference's.
fn add_prices(found: &mut Blame, campaign: &Campaign<'_>, base: &Treatment, control: &[String], tried: &Tried) {
    let steps = |ids: &[String]| -> Vec<_> { ids.iter().map(|id| campaign.step_times(id)).collect() };
    let mut pins = base.settings.clone();
    pins.extend(found.pins.iter().cloned());
    if pins == base.settings {
        return;
    }
    let pinned = tried.iter().find(|(settings, _)| *settings == pins).map(|(_, runs)| steps(runs)).unwrap_or_default();
    let price = blame::price(&pinned, &steps(control));
    let together = found.pins.len() > 1;
    for cause in found.causes.iter_mut().filter(|cause| cause.price.is_none() && cause.grade != Grade::Suspected) {
        match &price {
            Ok(price) => cause.price = Some(price.clone()),
            Err(why) => cause.evidence.push(format!("its price is not measurable: {why}")),
        }
        if together && price.is_ok() {
            cause.evidence.push("its price is that of all pins together".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_that_saw_nothing_says_how_far_it_went() {
        assert!(none_was_seen(3, None, None).ends_with("the run ended before they had been done again"));
        assert!(
            none_was_seen(3, None, Some("drill: no module"))
                .ends_with("they could not be done again: drill: no module")
        );
        let all = Drilled { again: 40, ..Drilled::default() };
        assert!(none_was_seen(3, Some(&all), None).ends_with("for equal inputs, of 40 that were done again"));
        let some = Drilled { again: 40, late: 7, failed: 2, error: Some("out of memory".to_owned()) };
        assert!(
            none_was_seen(3, Some(&some), None)
                .ends_with("of 40 that were done again; for 7 there was no time; 2 could not be: out of memory")
        );
    }
}
