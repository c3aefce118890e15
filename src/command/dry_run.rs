//! `repro-audit run --dry-run`: what would be run, exactly.

use crate::error::Result;
use crate::plan;
use crate::report::{self, Listing, Planned};

use super::request::Request;
use super::words;

/// The treatments, each with the exact command and the variables that would be set.
pub fn listing(request: &Request) -> Result<Listing> {
    let mut planned = Vec::new();
    for treatment in &request.treatments {
        let applied = plan::apply(&request.command, &request.levels(&treatment.settings)?, false);
        let environment: Vec<(String, String)> =
            request.environment.iter().chain(&applied.environment).map(|(n, v)| (n.clone(), v.clone())).collect();
        planned.push(Planned {
            treatment: treatment.id.clone(),
            repeats: request.times,
            command: words::command(&applied.command),
            environment,
            problems: applied.unapplied.into_iter().map(|(_, reason)| reason).collect(),
        });
    }
    Ok(report::planned(&planned))
}
