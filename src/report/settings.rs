//! The catalogue of settings as a listing.

use serde_json::json;

use super::listing::{Listing, Section};
use crate::model::{Levels, Need, Reach, ReadBack, Setting};

/// The listing of `settings`.
pub fn settings<'a>(settings: impl IntoIterator<Item = &'a Setting>) -> Listing {
    let settings: Vec<&Setting> = settings.into_iter().collect();
    let documents = settings.iter().map(|setting| {
        json!({
            "id": setting.id.as_str(),
            "aliases": setting.aliases,
            "summary": setting.summary,
            "levels": level_words(&setting.levels),
            "needs": setting.needs.iter().map(|need| need_word(*need)).collect::<Vec<_>>(),
            "applied": setting.reach.iter().map(reach_words).collect::<Vec<_>>(),
            "read_back": read_back_words(setting.read_back),
            "hold": setting.hold.as_ref().map(|level| level.as_str()),
            "probe": setting.probe.as_ref().map(|level| level.as_str()),
            "cures": setting.cures,
            "cost": setting.cost,
        })
    });
    let json = json!({ "schema": "repro-audit.settings/1", "settings": documents.collect::<Vec<_>>() });
    let section = Section {
        name: "Settings".to_owned(),
        about: "Every setting also takes `as-is`, which leaves it alone and is the default.".to_owned(),
        head: vec![
            "setting",
            "what it is",
            "levels",
            "applied by",
            "read back from",
            "needs",
            "held at",
            "probed at",
            "cures",
            "cost",
        ],
        rows: settings.iter().map(|setting| row(setting)).collect(),
        right: Vec::new(),
        cards: true,
        notes: Vec::new(),
    };
    Listing { title: "the settings", key: None, sections: vec![section], empty: "The catalogue is empty.", json }
}

fn row(setting: &Setting) -> Vec<String> {
    let needs: Vec<&str> = setting.needs.iter().map(|need| need_word(*need)).collect();
    let reach: Vec<String> = setting.reach.iter().map(reach_words).collect();
    let id = match setting.aliases.is_empty() {
        true => setting.id.to_string(),
        false => format!("{} (also {})", setting.id, setting.aliases.join(", ")),
    };
    vec![
        id,
        setting.summary.clone(),
        level_words(&setting.levels).join(", "),
        reach.join(", "),
        read_back_words(setting.read_back).to_owned(),
        needs.join(", "),
        setting.hold.as_ref().map_or(String::new(), |level| level.to_string()),
        setting.probe.as_ref().map_or(String::new(), |level| level.to_string()),
        setting.cures.join(", "),
        setting.cost.clone(),
    ]
}

fn level_words(levels: &Levels) -> Vec<String> {
    match levels {
        Levels::OnOff => vec!["on".to_owned(), "off".to_owned()],
        Levels::Words(words) => words.clone(),
        Levels::Number(least) => vec![format!("a number from {least} on")],
        Levels::Any => vec!["any text".to_owned()],
    }
}

fn need_word(need: Need) -> &'static str {
    match need {
        Need::Python => "Python",
        Need::Torch => "PyTorch",
        Need::Jax => "JAX",
        Need::Tensorflow => "TensorFlow",
        Need::Cuda => "CUDA card",
    }
}

fn reach_words(reach: &Reach) -> String {
    match reach {
        Reach::Placeholder(name) => format!("{{{name}}} in the command"),
        Reach::Flag(names) => names.join(" or "),
        Reach::Environment(levels) => {
            let mut names: Vec<&str> = Vec::new();
            for (name, _) in levels.iter().flat_map(|(_, variables)| variables) {
                if !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
            match names.len() {
                0..=3 => names.join(", "),
                more => format!("{} and {} more variables", names[0], more - 1),
            }
        }
        Reach::Wrapper(levels) => {
            let words: Vec<String> = levels.iter().map(|(_, words)| words.join(" ")).collect();
            format!("{} in front of the command", words.join(" or "))
        }
        Reach::Folder => "a working folder of its own".to_owned(),
        Reach::Shim => "inside the process".to_owned(),
    }
}

fn read_back_words(read_back: ReadBack) -> &'static str {
    match read_back {
        ReadBack::Command => "the command",
        ReadBack::Environment => "the environment",
        ReadBack::Shim => "inside the process",
    }
}
