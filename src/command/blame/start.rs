//! What a search starts from: the reference runs, and the settings that can be held for this job.

use crate::blame::{Config, Control, Rate};
use crate::model::{Need, Reach, Setting, Treatment};
use crate::probe;

use super::super::campaign::Campaign;
use super::super::order::Batch;
use super::super::request::Request;
use super::super::{without_card, words};
use super::recorded::{Recorded, torch_version};

pub(super) fn confidence(request: &Request) -> f64 {
    request.confidence.unwrap_or(Config::CONFIDENCE)
}

pub(super) fn config(
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
pub(super) fn reference_runs(campaign: &Campaign<'_>, control: &Batch, recorded: &Recorded) -> Vec<String> {
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
