//! `repro-audit run --dry-run`: what would be run, exactly.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::execute::shown_submission;
use crate::plan;
use crate::report::{self, Listing, Planned};

use super::request::{Place, Request};
use super::{without_card, words};

/// The treatments, each with the exact command and the variables that would be set.
pub fn listing(request: &Request) -> Result<Listing> {
    let mut planned = Vec::new();
    for treatment in &request.treatments {
        let applied = plan::apply(&request.command, &request.levels(&treatment.settings)?, request.shim);
        let environment: BTreeMap<String, String> =
            request.variables().into_iter().chain(applied.environment).collect();
        let skipped = without_card::skip(request, treatment).map(|skip| match skip.is_read_back {
            true => format!("{}; one short run reads back whether it reaches the job", skip.why),
            false => skip.why,
        });
        planned.push(Planned {
            treatment: treatment.id.clone(),
            repeats: without_card::runs(request, treatment),
            command: words::command(&applied.command),
            environment: environment.into_iter().collect(),
            inside: applied.shim.into_iter().map(|(id, level)| (id.to_string(), level.as_str().to_owned())).collect(),
            problems: applied.unapplied.into_iter().map(|(_, reason)| reason).chain(skipped).collect(),
        });
    }
    let submission = match &request.place {
        Place::Here => Vec::new(),
        Place::Slurm { ask, .. } => {
            let here = std::env::current_dir().unwrap_or_default();
            shown_submission(ask, &here.join(&request.record).join("AUDIT"), request.times as usize)
        }
    };
    Ok(report::planned(&planned, &submission))
}
