//! Small verbs for tests: settings without ceremony.

use crate::model::{Level, Levels, ReadBack, Setting, SettingId};

/// A setting that can be held and cures the cause of its own name.
pub(super) fn setting(id: &str) -> Setting {
    Setting {
        id: SettingId::new(id),
        aliases: Vec::new(),
        summary: String::new(),
        levels: Levels::Any,
        needs: Vec::new(),
        reach: Vec::new(),
        read_back: ReadBack::Shim,
        hold: Some(Level::new("on")),
        probe: None,
        cures: vec![id.to_owned()],
        cost: String::new(),
    }
}

/// Settings of these names.
pub(super) fn settings(ids: &[&str]) -> Vec<Setting> {
    ids.iter().map(|id| setting(id)).collect()
}
