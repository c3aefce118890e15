//! Jobs that print nothing that could be compared: the losses of their steps are read from inside.

use crate::cli::RecordLevel;
use crate::compare;
use crate::error::Result;
use crate::model::Run;

use super::campaign::Campaign;
use super::order::{Batch, Order};
use super::request::Request;

/// Where no run of `batch` printed a result, though all came to their own end, does what was ordered again with recorded runs,
/// and from then on; `None` where that shows no losses either, which one run is enough to tell.
///
/// # Errors
/// Where runs cannot be carried out.
pub fn look(request: &Request, campaign: &mut Campaign<'_>, order: &Order<'_>, batch: &Batch) -> Result<Option<Batch>> {
    let named = request.metric.is_some() || request.reading.pattern.is_some() || request.metric_files;
    let may = request.shim && request.level != Some(RecordLevel::Off) && !named && !campaign.detached();
    let mut runs = campaign.runs().iter().filter(|run| batch.runs.contains(&run.id)).peekable();
    if !may || campaign.looks_inside() || runs.peek().is_none() || !runs.all(Run::is_silent) {
        return Ok(None);
    }
    campaign.say("no result was printed: are there losses inside?");
    campaign.look_inside(true);
    let one = campaign.repeat(&Order { repeats: 1, recording: None, ..*order }, &[])?;
    let seen =
        |run: &String| campaign.flight(run).is_some_and(|flight| compare::flight::exact_losses(flight).is_some());
    if !one.runs.iter().any(seen) {
        campaign.look_inside(false);
        return Ok(None);
    }
    let note =
        "the job prints no result: the losses of its steps were read from inside, so all runs compared were recorded";
    campaign.note(note.to_owned());
    let rest =
        campaign.repeat(&Order { repeats: order.repeats.saturating_sub(1), recording: None, ..*order }, &one.runs)?;
    Ok(Some(Batch { runs: [one.runs, rest.runs].concat(), ..rest }))
}
