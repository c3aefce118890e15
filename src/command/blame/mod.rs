//! The loop of the search for the cause: try, compare, learn, try again. What to try is for [`crate::blame`] to say.

mod drill;
mod recorded;
mod start;

use std::collections::BTreeMap;

use crate::blame::{self, Answer, Ask, Search, Seen};
use crate::error::Result;
use crate::model::{Blame, Divergence, Grade, Level, OperationProbe, Outcome, SettingId, Stage, Status, Treatment};
use crate::probe;

use super::campaign::Campaign;
use super::leftovers;
use super::order::{Batch, Order};
use super::request::Request;
use super::watch::StopRule;
use drill::{arithmetic, drill, wants_drill};
use recorded::{Recorded, record, shortly_after, torch_version};
use start::{confidence, config, reference_runs};

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

/// What a probe of this machine found of the libtorch that these runs used; nothing where it was never probed.
fn known_operations(campaign: &Campaign<'_>, runs: &[String]) -> OperationProbe {
    match torch_version(campaign, runs).zip(probe::known::folder()) {
        Some((version, folder)) => probe::known::recall(&folder, &probe::machine(), version),
        None => OperationProbe::default(),
    }
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
