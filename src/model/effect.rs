//! What changing one setting does.

use super::{Position, Price, SettingId};

/// What changing one setting, all others equal, does.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The setting.
    pub setting: SettingId,
    /// The levels that were compared, the reference's first.
    pub levels: Vec<String>,
    /// Whether replicates agree at one level and part at another; `None` where too little ran to say.
    pub changes_repeatability: Option<bool>,
    /// Whether the result at one level differs from that at another; `None` where noise hides it.
    pub changes_result: Option<bool>,
    /// Where the results of two levels part first.
    pub onset: Option<Position>,
    /// What a step takes at another level than the first, against the first, of every level that ran.
    pub prices: Vec<LevelPrice>,
    /// Settings that always changed together with this one, so that the effect cannot be told apart.
    pub confounded_with: Vec<SettingId>,
}

/// What a step takes at one level of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelPrice {
    /// The level.
    pub level: String,
    /// The price against the setting's first level; why there is none, to follow "not measurable: ".
    pub price: Result<Price, String>,
}
