//! One more run, in which the operations of the divergent step are done again: which of them answers differently?

use crate::error::Result;
use crate::model::flight::Drilled;
use crate::model::{Blame, Stage, Treatment};

use super::super::campaign::Campaign;
use super::super::order::{Order, Recording};
use super::super::watch::StopRule;
use super::recorded::{AFTER, Recorded};

/// Whether the runs part first in what the step computes.
pub(super) fn arithmetic(recorded: &Recorded) -> bool {
    let stage = recorded.first.as_ref().map(|first| first.stage);
    matches!(stage, Some(Stage::Loss | Stage::Gradients | Stage::Optimizer | Stage::Output))
}

/// Whether tracing the operations of the divergent step can still add to the answer.
pub(super) fn wants_drill(found: &Blame, recorded: &Recorded) -> bool {
    let asks = ["op.nondeterministic", "uninitialised", "unknown", "cuda.atomics", "cudnn.deterministic", "threads"];
    arithmetic(recorded)
        && found.causes.iter().any(|cause| asks.contains(&cause.id.as_str()) && cause.location.is_none())
}

/// One more run, in which the operations of the divergent step are recorded one by one and each done again: one that then
/// answers differently is guilty.
pub(super) fn drill(campaign: &mut Campaign<'_>, base: &Treatment, recorded: &mut Recorded) -> Result<()> {
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
