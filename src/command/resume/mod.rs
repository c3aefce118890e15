//! `repro-audit resume`: a straight run against an interrupted and resumed one, and what the checkpoint forgot.

mod again;
mod aligned;
mod folder;
mod lines;
mod picture;
mod search;
mod stages;

use crate::cli;
use crate::error::Result;
use crate::model::{Audit, Blame, Outcome, Verdict};
use crate::probe::Kill;
use crate::{exit, report};

use super::campaign::Campaign;
use super::findings;
use super::order::Recording;
use super::output::Output;
use lines::Lines;
use stages::Stages;

pub use again::{again, is_one};

/// What runs of an audit are for, as their treatments say: uninterrupted, to leave the checkpoint, to start from it.
const STRAIGHT: &str = "straight";
const FIRST: &str = "first";
const RESUMED: &str = "resumed";

/// Runs an audit of resuming and writes its report.
pub fn resume(typed: &cli::Resume) -> Result<u8> {
    let output = Output::new(&typed.output)?;
    let lines = Lines::new(typed)?;
    let request = lines::request(typed, &lines)?;
    let mut campaign = Campaign::start(&request, output.progress(), None)?;
    let mut stages = Stages::new(&mut campaign, &lines, request.tolerance);
    let mut audit = carry_out(&mut stages, &lines, request.blame)?;
    stages.show(&mut audit);
    stages.finish()?;
    audit.environment = Some(campaign.surroundings().clone());
    audit.record = Some(campaign.folder().to_owned());
    campaign.finish(&report::json_document(&audit))?;
    output.audit(&audit)?;
    Ok(exit::code(audit.verdict))
}

/// The runs of an audit, by what they are for.
struct Runs {
    straight: String,
    first: Option<String>,
    resumed: String,
}

fn carry_out(stages: &mut Stages<'_, '_>, lines: &Lines, blame: bool) -> Result<Audit> {
    let mut audit = Audit::blank("resume");
    let straight = stages.straight(None)?;
    stages.set_apart();
    // A log may show more points than there are steps, or fewer: to sweep over them they are counted.
    let again = stages.straight(lines.end.needs_steps().then(Recording::light))?;
    if stages.interrupted() || !repeats(stages, &mut audit, &straight, &again) {
        return Ok(audit);
    }
    let mut told: Option<Audit> = None;
    let mut not_checked = Vec::new();
    for kill in lines.end.points(stages.steps(&again)) {
        let name = kill.as_ref().map(Kill::words);
        stages.end_at(kill);
        let audit = at_one_point(stages, &straight, blame)?;
        if let (Verdict::Unresolved, Some(name)) = (audit.verdict, name) {
            not_checked.push(format!("interrupted after {name}: {}", audit.reason));
        }
        let better = told.as_ref().is_none_or(|told| told.verdict == Verdict::Unresolved);
        let done = audit.verdict == Verdict::Diverged;
        if better || done {
            told = Some(audit);
        }
        if done || stages.interrupted() {
            break;
        }
    }
    let mut audit = told.unwrap_or(audit);
    audit.not_checked.extend(not_checked);
    Ok(audit)
}

/// The audit of one way to be interrupted.
fn at_one_point(stages: &mut Stages<'_, '_>, straight: &str, blame: bool) -> Result<Audit> {
    let mut audit = Audit::blank("resume");
    let first = stages.leaves_first().then(|| stages.leave(None)).transpose()?;
    if let Some(why) = first.as_deref().and_then(|first| stages.not_interrupted(first)) {
        audit.reason = why;
        return Ok(audit);
    }
    let resumed = stages.resumed(None)?;
    let runs = Runs { straight: straight.to_owned(), first, resumed };
    conclude(stages, &mut audit, &runs);
    if audit.verdict == Verdict::Diverged && !first_parts(stages, &mut audit, &runs) && blame && !stages.interrupted() {
        let found = search::search(stages, &runs)?;
        audit.warnings.extend(found.notes);
        if let Some(divergence) = &mut audit.divergence {
            divergence.stage = found.stage;
        }
        let (runs_used, steps_used) = stages.spent();
        audit.blame = Some(Blame { causes: found.causes, runs_used, steps_used, ..Blame::default() });
    }
    if runs.first.as_deref().is_some_and(|first| stages.went_on(straight, first)) {
        audit.warnings.push("the first run went on to its end although it was interrupted".to_owned());
    }
    let left_out = stages.left_out(&runs.straight, &runs.resumed);
    audit.not_checked.extend(left_out.iter().map(|metric| {
        format!("{metric}: one mean over what a run did itself, which a resumed run takes over its own part")
    }));
    let missing = blame_words(&audit);
    audit.picture = picture::picture(&stages.extent(&runs), audit.divergence.as_ref(), &missing);
    Ok(audit)
}

/// What the checkpoint forgot, in words.
fn blame_words(audit: &Audit) -> Vec<String> {
    let causes = audit.blame.iter().flat_map(|blame| &blame.causes);
    causes.map(|cause| format!("{} ({}, {})", cause.summary, cause.id, cause.grade.word())).collect()
}

/// Whether the straight run repeats itself: without that, no resumed run can be held against it.
fn repeats(stages: &Stages<'_, '_>, audit: &mut Audit, straight: &str, again: &str) -> bool {
    let ids = [straight.to_owned(), again.to_owned()];
    let group = stages.compare(&ids);
    if group.outcome == Outcome::Agreed {
        return true;
    }
    findings::conclude(audit, &group, &stages.compared(&ids));
    aligned::unrepeatable(audit, &group.outcome, again);
    if stages.points(again) == 0 && stages.points(straight) > 0 {
        audit.next.push(
            "let the job keep its checkpoints in {checkpoints}: one that goes on from what an earlier run left does not start \
             from nothing"
                .to_owned(),
        );
    } else if matches!(group.outcome, Outcome::Diverged(_)) {
        audit.next.push(format!("repro-audit run -- {}", stages.straight_line()));
    }
    false
}

/// Verdict and divergence of the resumed run against the straight one.
fn conclude(stages: &Stages<'_, '_>, audit: &mut Audit, runs: &Runs) {
    match stages.aligned(&runs.straight, &runs.resumed) {
        Some(aligned) => aligned.conclude(audit),
        None => audit.reason = format!("the resumed run ({}) left nothing to compare", runs.resumed),
    }
}

/// Whether the interrupted run parts from the straight one already: then the checkpoint is not to blame.
fn first_parts(stages: &Stages<'_, '_>, audit: &mut Audit, runs: &Runs) -> bool {
    let Some(first) = &runs.first else { return false };
    let Some(divergence) = stages.parts_on_the_way(&runs.straight, first) else { return false };
    audit.reason = aligned::parted_before(&runs.straight, first, &divergence);
    true
}
