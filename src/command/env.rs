//! `repro-audit env`: this environment, or only what differs between two recorded ones.

use std::path::Path;

use crate::cli;
use crate::error::Result;
use crate::model::Environment;
use crate::{exit, probe, record, report};

use super::output::Output;

/// Shows one environment or the differences of two. Two that differ are not a divergence: that is for the runs to say.
pub fn env(typed: &cli::Env) -> Result<u8> {
    let output = Output::new(&typed.output)?;
    let listing = match typed.records.as_slice() {
        [] => report::environment(&probe::machine()),
        [one] => report::environment(&recorded(one)?),
        [a, b, ..] => {
            let names = [a.display().to_string(), b.display().to_string()];
            report::environment_differences([&names[0], &names[1]], [&recorded(a)?, &recorded(b)?])
        }
    };
    output.listing(&listing)?;
    Ok(exit::AGREED)
}

/// The environment that a recorded audit saw.
fn recorded(path: &Path) -> Result<Environment> {
    Ok(record::open(path)?.header.environment)
}
