//! Runs recorded from inside until two of them part, and what those two show.

use crate::blame::{self, Config, Rate};
use crate::compare;
use crate::error::Result;
use crate::model::flight::FlightDivergence;
use crate::model::{Divergence, Evidence, Kind, Outcome, Treatment};
use crate::probe::Detail;

use super::super::campaign::Campaign;
use super::super::leftovers;
use super::super::observe;
use super::super::order::{Batch, Order, Recording};
use super::super::request::Request;
use super::super::watch::StopRule;
use super::confidence;

/// What a pair of recorded runs showed.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) evidence: Option<Evidence>,
    pub(super) first: Option<FlightDivergence>,
    pub(super) exact: Option<Divergence>,
    pub(super) entered: bool,
    pub(super) runs: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Points that recorded runs go on after the divergence, so that what follows from it shows as well.
pub(super) const AFTER: usize = 2;

/// Records runs until two of them part, and reads what those two show. Where no two reference runs agree a pair is enough,
/// made up to shortly after the point at which the job parts; where it parts only sometimes, there may be many pairs, and
/// each goes to its end.
pub(super) fn record(
    request: &Request,
    campaign: &mut Campaign<'_>,
    base: &Treatment,
    control: &Batch,
) -> Result<Recorded> {
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
    let exact = observe::exact_divergence([&runs[one], &runs[other]], a, b);
    Recorded { exact, evidence: Some(evidence), first, entered: true, runs, notes }
}

/// A rule that lets runs go on to shortly after the point at which others part.
pub(super) fn shortly_after(campaign: &Campaign<'_>, divergence: &Divergence, rule: StopRule) -> StopRule {
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

/// The version of torch that recorded runs trained with.
pub(super) fn torch_version<'c>(campaign: &'c Campaign<'_>, runs: &[String]) -> Option<&'c str> {
    let mut processes = runs.iter().filter_map(|run| campaign.flight(run)).flat_map(|flight| &flight.processes);
    processes
        .find_map(|process| process.facts.iter().find(|(name, _)| name == "torch"))
        .map(|(_, version)| version.as_str())
}
