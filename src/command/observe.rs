//! What recorded runs show of a job whose printed digits agree, and whether recording changes the job.

use crate::cli::RecordLevel;
use crate::compare::{End, Member};
use crate::error::Result;
use crate::model::flight::Flight;
use crate::model::{Audit, Divergence, Outcome, Resolution, Run, Series, Source, Tolerance, Treatment, Verdict};
use crate::probe::Detail;
use crate::{blame, compare};

use super::campaign::Campaign;
use super::order::{Batch, Order, Recording};
use super::outputs;
use super::request::Request;

/// Records two runs where that was asked for (`--level`, `--check-observer`) and the printed digits of the reference
/// agree: compares their exact bits, and each with the runs that were not recorded.
pub fn observe(request: &Request, campaign: &mut Campaign<'_>, audit: &mut Audit, batches: &[Batch]) -> Result<()> {
    let detail = match request.level {
        Some(RecordLevel::Full) => Detail::Full,
        Some(RecordLevel::Light) => Detail::Light,
        None if request.check_observer => Detail::Full,
        Some(RecordLevel::Off) | None => {
            one_value(request, campaign, audit, batches);
            return Ok(());
        }
    };
    let (Some(reference), Some(control)) = (request.treatments.first(), batches.first()) else { return Ok(()) };
    if control.group.outcome != Outcome::Agreed || campaign.interrupted().is_some() {
        if request.check_observer {
            audit
                .not_checked
                .push("the observer: only a job that repeats can show whether recording changes it".to_owned());
        }
        return Ok(());
    }
    let recorded = record(request, campaign, reference, detail)?;
    if !entered(campaign, &recorded) {
        audit.not_checked.push("exact bits: the job could not be entered".to_owned());
        if request.check_observer {
            unresolve(audit, "recording was to be checked, and the job could not be entered");
        }
        return Ok(());
    }
    if !campaign.looks_inside() {
        compare_with_control(campaign, audit, control, &recorded);
    } else if request.check_observer {
        unresolve(audit, "recording was to be checked, and the job prints nothing by which that could be seen");
    }
    compare_bits(campaign, audit, &recorded);
    Ok(())
}

/// One value for a whole run, such as that of a bar drawn once at the end, says little of the steps before it, and so do
/// results without any loss.
fn one_value(request: &Request, campaign: &Campaign<'_>, audit: &mut Audit, batches: &[Batch]) {
    let agreed = batches.first().filter(|batch| batch.group.outcome == Outcome::Agreed);
    let Some(batch) = agreed.filter(|_| request.shim) else { return };
    let one = |run: &Run| run.points == 1;
    let named = request.metric.is_some() || request.reading.pattern.is_some();
    let is_loss = |series: &Series| outputs::is_loss(series.role);
    let lossless = !named && !campaign.compared(&batch.runs).iter().any(|run| run.reading.series.iter().any(is_loss));
    let little = if campaign.runs().iter().filter(|run| batch.runs.contains(&run.id)).all(one) {
        "each run printed one value only, so nothing that came before it was compared"
    } else if lossless {
        "no loss was printed, and other results may agree where losses do not"
    } else {
        return;
    };
    audit.warnings.push(format!("{little}; --level full compares every step of a PyTorch job from inside"));
}

fn record(request: &Request, campaign: &mut Campaign<'_>, reference: &Treatment, detail: Detail) -> Result<Batch> {
    campaign.say("recording two runs from inside, to compare exact bits");
    let recording = Recording { detail, ..Recording::default() };
    campaign.repeat(&Order { treatment: reference, repeats: 2, stop: request.stop, recording: Some(recording) }, &[])
}

fn entered(campaign: &Campaign<'_>, recorded: &Batch) -> bool {
    let entered = |id: &String| campaign.flight(id).is_some_and(|flight| flight.entered > 0);
    recorded.runs.iter().all(entered) && !recorded.runs.is_empty()
}

/// Recording must not change what the job prints.
fn compare_with_control(campaign: &Campaign<'_>, audit: &mut Audit, control: &Batch, recorded: &Batch) {
    let ids: Vec<String> = control.runs.iter().take(1).chain(&recorded.runs).cloned().collect();
    match campaign.compare(&ids).outcome {
        Outcome::Agreed => {
            audit.warnings.push("runs with the shim equal those without it, in every value printed".to_owned());
        }
        Outcome::Diverged(divergence) => unresolve(
            audit,
            &format!("recording changed the outcome: {} parts from the runs that were not recorded", divergence.metric),
        ),
        Outcome::Unresolved(reason) => unresolve(audit, &format!("the recorded runs cannot be compared: {reason}")),
    }
}

/// Exact bits decide where printed digits agree.
fn compare_bits(campaign: &Campaign<'_>, audit: &mut Audit, recorded: &Batch) {
    let flights: Vec<_> = recorded.runs.iter().filter_map(|id| campaign.flight(id)).collect();
    let [a, b] = flights.as_slice() else { return };
    let looked: usize = a.trained().map(|process| process.steps.len() + process.outputs.len()).sum();
    if looked == 0 {
        audit
            .not_checked
            .push("exact bits: no optimizer step and no output of a module was seen from inside".to_owned());
        return;
    }
    let note = format!("{looked} steps were compared to the bit");
    audit.resolution = Some(Resolution { source: Source::Exact, decimals: None, note });
    audit.warnings.extend(blame::by_rank(&compare::flight::by_rank(a, b)));
    if let Some(first) = compare::flight::flights(a, b) {
        audit.verdict = Verdict::Diverged;
        audit.reason = format!("the printed digits agree, and below them the runs part: {}", blame::sentence(&first));
        let [one, other] = recorded.runs.as_slice() else { return };
        audit.divergence =
            exact_divergence([one, other], a, b).map(|parts| Divergence { stage: Some(first.stage), ..parts });
    }
}

/// Where the losses of two recorded runs, given by their ids and records, part to the bit.
pub(super) fn exact_divergence(runs: [&str; 2], a: &Flight, b: &Flight) -> Option<Divergence> {
    let (one, other) = compare::flight::exact_losses(a).zip(compare::flight::exact_losses(b))?;
    let readings = runs.into_iter().zip([&one, &other]);
    // A recorded run may be ended early: what counts is how far both go.
    let members: Vec<Member<'_>> =
        readings.map(|(run, reading)| Member { name: run, reading, end: End::Cut }).collect();
    compare::group(&members, Tolerance::Exact, None).outcome.divergence().cloned()
}

fn unresolve(audit: &mut Audit, reason: &str) {
    audit.verdict = Verdict::Unresolved;
    reason.clone_into(&mut audit.reason);
}
