//! The rule that turns varied settings into treatments.

use std::collections::BTreeMap;

use crate::model::{Level, SettingId, Treatment};

/// Which combinations of levels become treatments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Design {
    /// The reference, and each other level of each setting alone.
    #[default]
    OneAtATime,
    /// Every combination of levels.
    Full,
}

/// The treatments of an audit, the reference first.
///
/// `set` holds in every treatment. The first level listed for a varied setting is the reference's.
pub fn treatments(set: &[(SettingId, Level)], vary: &[(SettingId, Vec<Level>)], design: Design) -> Vec<Treatment> {
    let mut base: BTreeMap<SettingId, Level> = set.iter().cloned().collect();
    base.extend(vary.iter().filter_map(|(id, levels)| Some((id.clone(), levels.first()?.clone()))));
    let changes: Vec<Vec<(SettingId, Level)>> = match design {
        Design::OneAtATime => one_at_a_time(vary),
        Design::Full => full(vary, &base),
    };
    let mut treatments = vec![treatment(&base, &[])];
    treatments.extend(changes.iter().map(|change| treatment(&base, change)));
    treatments
}

fn one_at_a_time(vary: &[(SettingId, Vec<Level>)]) -> Vec<Vec<(SettingId, Level)>> {
    vary.iter().flat_map(|(id, levels)| levels.iter().skip(1).map(|level| vec![(id.clone(), level.clone())])).collect()
}

/// Every combination, each as its differences from the reference, the reference itself left out.
fn full(vary: &[(SettingId, Vec<Level>)], base: &BTreeMap<SettingId, Level>) -> Vec<Vec<(SettingId, Level)>> {
    let mut combinations: Vec<Vec<(SettingId, Level)>> = vec![Vec::new()];
    for (id, levels) in vary {
        combinations = combinations
            .iter()
            .flat_map(|sofar| {
                levels.iter().map(move |level| {
                    let mut next = sofar.clone();
                    if base.get(id) != Some(level) {
                        next.push((id.clone(), level.clone()));
                    }
                    next
                })
            })
            .collect();
    }
    combinations.retain(|change| !change.is_empty());
    combinations
}

fn treatment(base: &BTreeMap<SettingId, Level>, change: &[(SettingId, Level)]) -> Treatment {
    let id = match change {
        [] => Treatment::REFERENCE.to_owned(),
        change => change.iter().map(|(id, level)| format!("{id}={level}")).collect::<Vec<_>>().join(","),
    };
    let mut settings = base.clone();
    settings.extend(change.iter().cloned());
    settings.retain(|_, level| !level.is_as_is());
    Treatment { id, settings }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vary(id: &str, levels: &[&str]) -> (SettingId, Vec<Level>) {
        (SettingId::new(id), levels.iter().map(|level| Level::new(*level)).collect())
    }

    fn ids(design: Design) -> Vec<String> {
        let vary = [vary("num_workers", &["0", "2", "4"]), vary("threads", &["as-is", "1"])];
        treatments(&[], &vary, design).into_iter().map(|t| t.id).collect()
    }

    #[test]
    fn one_at_a_time_changes_one_setting_from_the_reference() {
        assert_eq!(ids(Design::OneAtATime), ["reference", "num_workers=2", "num_workers=4", "threads=1"]);
    }

    #[test]
    fn full_combines_all_levels_once() {
        let expected = [
            "reference",
            "threads=1",
            "num_workers=2",
            "num_workers=2,threads=1",
            "num_workers=4",
            "num_workers=4,threads=1",
        ];
        assert_eq!(ids(Design::Full), expected);
    }

    #[test]
    fn the_first_level_is_the_references_and_as_is_is_not_listed() {
        let all = treatments(&[], &[vary("threads", &["as-is", "1"])], Design::OneAtATime);
        assert!(all[0].settings.is_empty());
        assert_eq!(all[1].settings[&SettingId::new("threads")].as_str(), "1");
    }
}
