//! Levels that mean nothing without a card.

use crate::model::{Level, Need, Setting, Treatment};

/// Whether a level of a setting means something on a machine with a card only.
pub fn needs_card(setting: &Setting, level: &Level) -> bool {
    let on_card = setting.id.as_str() == "device" && level.as_str().starts_with("cuda");
    !level.is_as_is() && (on_card || setting.needs.contains(&Need::Cuda))
}

/// The level for which a treatment makes no sense without a card: one that puts the job on a card, or one that needs a
/// card and is not the reference's, so that the two treatments could not differ.
pub fn without_card<'t>(
    treatment: &'t Treatment,
    reference: &Treatment,
    find: &dyn Fn(&str) -> Option<Setting>,
) -> Option<(&'t str, &'t Level)> {
    let pointless = |id: &str, level: &Level| {
        let same = reference.settings.iter().any(|(known, held)| known.as_str() == id && held == level);
        find(id).is_some_and(|setting| needs_card(&setting, level) && (!same || setting.id.as_str() == "device"))
    };
    let mut levels = treatment.settings.iter().map(|(id, level)| (id.as_str(), level));
    levels.find(|(id, level)| pointless(id, level))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SettingId;
    use crate::plan::Catalogue;

    fn treatment(id: &str, levels: &[(&str, &str)]) -> Treatment {
        let settings = levels.iter().map(|(id, level)| (SettingId::new(*id), Level::new(*level))).collect();
        Treatment { id: id.to_owned(), settings }
    }

    fn skipped(reference: &[(&str, &str)], other: &[(&str, &str)]) -> Option<String> {
        let catalogue = Catalogue::built_in().unwrap();
        let (reference, other) = (treatment("reference", reference), treatment("other", other));
        without_card(&other, &reference, &|id| catalogue.find(id).ok()).map(|(id, level)| format!("{id}={level}"))
    }

    #[test]
    fn a_treatment_on_a_card_needs_one() {
        assert_eq!(skipped(&[("device", "cpu")], &[("device", "cuda:1")]).as_deref(), Some("device=cuda:1"));
        assert_eq!(skipped(&[("device", "cuda")], &[("device", "cuda")]).as_deref(), Some("device=cuda"));
        assert_eq!(skipped(&[("device", "cuda")], &[("device", "cpu")]), None);
    }

    #[test]
    fn varying_a_switch_of_the_card_needs_one_and_holding_it_does_not() {
        let off = ("cudnn.benchmark", "off");
        assert_eq!(skipped(&[off], &[("cudnn.benchmark", "on")]).as_deref(), Some("cudnn.benchmark=on"));
        assert_eq!(skipped(&[off], &[off]), None);
        assert_eq!(skipped(&[off], &[off, ("num_workers", "4")]), None);
    }
}
