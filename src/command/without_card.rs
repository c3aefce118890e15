//! Treatments that need a card, on a machine without one: said to be skipped, and set once where that shows whether their
//! levels reach the job.

use crate::error::Result;
use crate::model::{SettingId, Status, Treatment, TreatmentResult};
use crate::{plan, probe};

use super::campaign::Campaign;
use super::order::{Batch, Order};
use super::request::{Place, Request};
use super::watch::StopRule;

/// Why a treatment is skipped here.
pub struct Skip {
    /// The setting that needs a card.
    pub setting: SettingId,
    /// One sentence.
    pub why: String,
    /// Whether its levels can be set all the same, so that one short run reads them back.
    pub is_read_back: bool,
}

/// Whether runs may see a card. What the nodes of a cluster have cannot be seen from where jobs are submitted.
pub fn may_have_card(request: &Request) -> bool {
    request.place != Place::Here || probe::machine::has_card()
}

/// Whether a treatment makes no sense here, because there is no card.
pub fn skip(request: &Request, treatment: &Treatment) -> Option<Skip> {
    if may_have_card(request) {
        return None;
    }
    let reference = request.treatments.first()?;
    let (id, level) = plan::without_card(treatment, reference, &|id| request.catalogue.find(id).ok())?;
    Some(Skip {
        setting: SettingId::new(id),
        why: format!("{id}={level} was skipped: no CUDA device"),
        is_read_back: id != "device" && request.shim,
    })
}

/// How many runs a treatment takes.
pub fn runs(request: &Request, treatment: &Treatment) -> u32 {
    skip(request, treatment).map_or(request.times, |skip| u32::from(skip.is_read_back))
}

/// What comes of a skipped treatment. Nothing is compared; where its levels can be set without a card, though they cannot
/// matter there, one short run tells whether they reach the job.
///
/// # Errors
/// As `Campaign::repeat`.
pub fn carry_out(
    request: &Request,
    campaign: &mut Campaign<'_>,
    treatment: &Treatment,
    skip: Skip,
) -> Result<(Batch, TreatmentResult)> {
    let mut notes = vec![skip.why.clone()];
    let mut batch = Batch::skipped(skip.setting, &skip.why);
    if skip.is_read_back && !campaign.detached() {
        let (runs, told) = read_back(request, campaign, treatment)?;
        batch.runs = runs;
        notes.push(told);
    }
    let result = TreatmentResult { outcome: None, notes, ..campaign.result(treatment, &batch) };
    Ok((batch, result))
}

fn read_back(request: &Request, campaign: &mut Campaign<'_>, treatment: &Treatment) -> Result<(Vec<String>, String)> {
    let stop = StopRule { after_divergence: None, after_points: Some(1), ..request.stop };
    let tried = campaign.repeat(&Order { treatment, repeats: 1, stop, recording: None }, &[])?;
    let ended = tried.runs.iter().find_map(|id| campaign.runs().iter().find(|run| run.id == *id)).map(|run| run.status);
    let told = match (tried.not_applied.first(), ended) {
        (Some((_, why)), _) => format!("one run was made to read it back: {why}"),
        (None, Some(Status::Finished | Status::Stopped)) => {
            "one run was made to read it back: it took effect".to_owned()
        }
        (None, _) => "the run that was to read it back did not come to a result".to_owned(),
    };
    Ok((tried.runs, told))
}

/// Levels of an audit that mean nothing here, because there is no card, one line each.
pub fn not_checked(request: &Request, results: &[TreatmentResult]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if may_have_card(request) {
        return lines;
    }
    for result in results {
        for (id, level) in &result.treatment.settings {
            let needs_card = request.catalogue.find(id.as_str()).is_ok_and(|setting| plan::needs_card(&setting, level));
            let line = match result.outcome {
                None => format!("{id}={level}: skipped, no CUDA device"),
                Some(_) => format!("{id}={level}: no CUDA device, so it could not matter"),
            };
            if needs_card && !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}
