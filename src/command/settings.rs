//! `repro-audit settings`: what can be set and varied.

use crate::cli;
use crate::error::Result;
use crate::plan::Catalogue;
use crate::{exit, report};

use super::output::Output;

/// Lists the catalogue, or one setting of it.
pub fn settings(typed: &cli::Settings) -> Result<u8> {
    let output = Output::new(&typed.output)?;
    let catalogue = Catalogue::built_in()?;
    let listing = match &typed.id {
        Some(id) => report::settings(&[catalogue.find(id)?]),
        None => report::settings(catalogue.settings()),
    };
    output.listing(&listing)?;
    Ok(exit::AGREED)
}
