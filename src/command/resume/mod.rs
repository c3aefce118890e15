//! `repro-audit resume`: a straight run against an interrupted and resumed one, and what the checkpoint forgot.

mod folder;
mod lines;
mod picture;
mod search;
mod stages;

use crate::cli;
use crate::error::Result;
use crate::model::{Audit, Blame, Kind, Outcome, Status, Verdict};
use crate::probe::Kill;
use crate::{exit, probe, report};

use super::campaign::Campaign;
use super::findings;
use super::order::Recording;
use super::output::Output;
use lines::Lines;
use stages::Stages;

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
    audit.environment = Some(probe::machine());
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
    findings::conclude(audit, &group, &stages.compared(&ids));
    match &group.outcome {
        Outcome::Agreed => {
            *audit = Audit::blank("resume");
            return true;
        }
        Outcome::Diverged(_) => {
            audit.reason = format!(
                "the straight run does not repeat itself ({}): that is no fault of resuming",
                audit.reason.replacen("it parts", &format!("{again} parts"), 1)
            );
            audit.next.push(format!("repro-audit run -- {}", stages.straight_line()));
        }
        Outcome::Unresolved(why) => audit.reason = format!("the straight run: {why}"),
    }
    audit.verdict = Verdict::Unresolved;
    false
}

/// Verdict and divergence of the resumed run against the straight one.
fn conclude(stages: &Stages<'_, '_>, audit: &mut Audit, runs: &Runs) {
    let aligned = stages.aligned(&runs.straight, &runs.resumed);
    let group = aligned.group();
    findings::conclude(audit, &group, &aligned.compared());
    let failed = stages.status(&runs.resumed) != Some(Status::Finished);
    match &group.outcome {
        Outcome::Diverged(divergence) => {
            let how = if divergence.kind == Kind::Length && failed { " (it failed there)" } else { "" };
            audit.reason = format!(
                "the resumed run ({}) parts from the straight one ({}) first in {} at {}{how}",
                runs.resumed,
                runs.straight,
                divergence.metric,
                findings::place(divergence)
            );
        }
        Outcome::Agreed if failed => {
            audit.verdict = Verdict::Unresolved;
            audit.reason = format!("the resumed run ({}) failed; the points it has agree", runs.resumed);
        }
        Outcome::Agreed => {
            audit.reason =
                format!("the resumed run is the straight one: all {} points that both show are equal", group.points);
        }
        Outcome::Unresolved(why) if failed => {
            audit.reason = format!("the resumed run ({}) failed: {why}", runs.resumed);
        }
        Outcome::Unresolved(_) => {
            audit.reason = format!(
                "the straight run ({}) and the resumed one ({}) show no step in common",
                runs.straight, runs.resumed
            );
        }
    }
}

/// Whether the interrupted run parts from the straight one already: then the checkpoint is not to blame.
fn first_parts(stages: &Stages<'_, '_>, audit: &mut Audit, runs: &Runs) -> bool {
    let Some(first) = &runs.first else { return false };
    let Some(divergence) = stages.parts_on_the_way(&runs.straight, first) else { return false };
    audit.reason = format!(
        "the first run ({first}) parts from the straight one ({}) before it is interrupted, in {} at {}: the checkpoint is \
         not to blame; give both the same options (a schedule often depends on the number of epochs)",
        runs.straight,
        divergence.metric,
        findings::place(&divergence)
    );
    true
}
