//! Whether a level took effect, as the process itself tells.

use crate::model::flight::Flight;
use crate::model::{Level, SettingId};

/// The level in effect, as the flight record proves it, or why it is not.
pub fn proof(flight: Option<&Flight>, setting: &SettingId, asked: &Level) -> Result<Level, String> {
    let Some(flight) = flight else {
        return Err("the shim could not enter: the job starts no Python, or one that ignores PYTHONPATH (-I, -E, -S)"
            .to_owned());
    };
    let told: Vec<_> = flight.read_back(setting.as_str()).collect();
    if let Some(bad) = told.iter().find(|applied| !applied.ok) {
        return Err(bad.note.clone().unwrap_or_else(|| "the job overrode it".to_owned()));
    }
    match told.first() {
        Some(applied) => Ok(applied.read_back.as_deref().map_or_else(|| asked.clone(), Level::new)),
        None => Err("nothing in the process uses it".to_owned()),
    }
}
