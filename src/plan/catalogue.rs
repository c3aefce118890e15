//! The catalogue of settings: one JSON file each, built in or the user's, all loaded the same way.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::{Level, Levels, Need, Reach, ReadBack, Setting, SettingId};

macro_rules! built_in {
    ($($id:literal),* $(,)?) => {
        /// The built-in settings' files: (id, text). One new setting is one new file and one line here.
        pub const BUILT_IN: &[(&str, &str)] = &[$(($id, include_str!(concat!("../../settings/", $id, ".json")))),*];
    };
}

built_in![
    "num_workers",
    "batch_size",
    "device",
    "threads",
    "hashseed",
    "seed.python",
    "seed.numpy",
    "seed.numpy_generator",
    "seed.torch",
    "seed.worker",
    "dataloader.generator",
    "order.filesystem",
    "clock",
    "entropy",
    "uninitialised",
    "race",
    "cuda.streams",
    "aslr",
    "leftovers",
    "cudnn.enabled",
    "cudnn.benchmark",
    "cudnn.deterministic",
    "deterministic_algorithms",
    "cublas_workspace",
    "cuda.tf32",
    "sdpa.backend",
    "compile",
    "xla.deterministic_ops",
    "jax.matmul_precision",
    "jax.prng",
    "jax.jit",
    "tf.deterministic_ops",
    "tf.cudnn_deterministic",
    "tf.cudnn_autotune",
    "tf.onednn",
];

/// All settings that can be set or varied.
#[derive(Clone, Debug)]
pub struct Catalogue {
    settings: Vec<Setting>,
}

impl Catalogue {
    /// The built-in settings.
    ///
    /// # Errors
    /// Where a built-in file is malformed, which a test excludes.
    pub fn built_in() -> Result<Self> {
        let settings = BUILT_IN
            .iter()
            .map(|(id, text)| parse(text, Path::new(&format!("settings/{id}.json"))))
            .collect::<Result<_>>()?;
        Ok(Self { settings })
    }

    /// The settings, in the catalogue's order.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Finds a setting by id or alias. `env.NAME` and `arg.NAME` exist for every name.
    ///
    /// # Errors
    /// Where there is none, with the nearest ids.
    pub fn find(&self, name: &str) -> Result<Setting> {
        let known = self.settings.iter().find(|s| s.id.as_str() == name || s.aliases.iter().any(|alias| alias == name));
        if let Some(setting) = known {
            return Ok(setting.clone());
        }
        family(name).ok_or_else(|| Error::Misuse(self.unknown(name)))
    }

    fn unknown(&self, name: &str) -> String {
        let ids = self.settings.iter().map(|s| s.id.as_str());
        let near: Vec<&str> = ids.filter(|id| id.contains(name) || similar(id, name)).collect();
        let hint = if near.is_empty() {
            "`repro-audit settings` lists them; `env.NAME` and `arg.NAME` work for any name".to_owned()
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        format!("there is no setting `{name}`; {hint}")
    }

    /// Checks that `level` is one the setting takes.
    ///
    /// # Errors
    /// Where it is not, with the levels it takes.
    pub fn check_level(setting: &Setting, level: &Level) -> Result<()> {
        if level.is_as_is() {
            return Ok(());
        }
        let text = level.as_str();
        let (fits, takes) = match &setting.levels {
            Levels::OnOff => (matches!(text, "on" | "off"), "on or off".to_owned()),
            Levels::Words(words) => (words.iter().any(|word| word == text), words.join(", ")),
            Levels::Number(least) => {
                (text.parse::<i64>().is_ok_and(|number| number >= *least), format!("a whole number, {least} or more"))
            }
            Levels::Any => (true, String::new()),
        };
        if fits {
            return Ok(());
        }
        Err(Error::Misuse(format!("{} does not take the level `{text}`: it takes {takes}, or as-is", setting.id)))
    }
}

/// The settings that exist for every name: environment variables and placeholders.
fn family(name: &str) -> Option<Setting> {
    let id = SettingId::new(name);
    let (summary, reach, read_back) = if let Some(variable) = id.environment_variable().filter(|v| !v.is_empty()) {
        let assignment = vec![(variable.to_owned(), "{level}".to_owned())];
        let reach = Reach::Environment(vec![("*".to_owned(), assignment)]);
        (format!("environment variable {variable}"), reach, ReadBack::Environment)
    } else {
        let argument = id.argument().filter(|argument| !argument.is_empty())?;
        (format!("the placeholder {{{argument}}}"), Reach::Placeholder(argument.to_owned()), ReadBack::Command)
    };
    Some(Setting {
        id,
        aliases: Vec::new(),
        summary,
        levels: Levels::Any,
        needs: Vec::new(),
        reach: vec![reach],
        read_back,
        hold: None,
        probe: None,
        cures: Vec::new(),
        cost: "none".to_owned(),
    })
}

/// Whether two ids are near enough for a suggestion: the same after `-`, `_`, `.` and case are dropped, or one edit apart.
fn similar(a: &str, b: &str) -> bool {
    let plain =
        |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase() };
    let (a, b) = (plain(a), plain(b));
    let shared = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    a == b || (shared >= 4 && a.len().abs_diff(b.len()) <= 3)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    summary: String,
    levels: FileLevels,
    #[serde(default)]
    needs: Vec<FileNeed>,
    reach: Vec<FileReach>,
    read_back: FileReadBack,
    hold: Option<String>,
    probe: Option<String>,
    #[serde(default)]
    cures: Vec<String>,
    cost: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FileLevels {
    OnOff,
    Words(Vec<String>),
    Number(i64),
    Any,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum FileNeed {
    Python,
    Torch,
    Jax,
    Tensorflow,
    Cuda,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FileReach {
    Placeholder(String),
    Flag(Vec<String>),
    Environment(serde_json::Map<String, serde_json::Value>),
    Wrapper(BTreeMap<String, Vec<String>>),
    Folder,
    Shim,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum FileReadBack {
    Command,
    Environment,
    Shim,
}

fn parse(text: &str, file: &Path) -> Result<Setting> {
    let malformed = |what: String| Error::Malformed { path: file.to_owned(), what };
    let file_shape: File = serde_json::from_str(text).map_err(|e| malformed(format!("not a setting: {e}")))?;
    let reach = file_shape.reach.into_iter().map(reach).collect::<Option<Vec<_>>>();
    Ok(Setting {
        id: SettingId::new(file_shape.id),
        aliases: file_shape.aliases,
        summary: file_shape.summary,
        levels: match file_shape.levels {
            FileLevels::OnOff => Levels::OnOff,
            FileLevels::Words(words) => Levels::Words(words),
            FileLevels::Number(least) => Levels::Number(least),
            FileLevels::Any => Levels::Any,
        },
        needs: file_shape
            .needs
            .into_iter()
            .map(|need| match need {
                FileNeed::Python => Need::Python,
                FileNeed::Torch => Need::Torch,
                FileNeed::Jax => Need::Jax,
                FileNeed::Tensorflow => Need::Tensorflow,
                FileNeed::Cuda => Need::Cuda,
            })
            .collect(),
        reach: reach.ok_or_else(|| malformed("`environment` maps a level to variables with text values".to_owned()))?,
        read_back: match file_shape.read_back {
            FileReadBack::Command => ReadBack::Command,
            FileReadBack::Environment => ReadBack::Environment,
            FileReadBack::Shim => ReadBack::Shim,
        },
        hold: file_shape.hold.map(Level::new),
        probe: file_shape.probe.map(Level::new),
        cures: file_shape.cures,
        cost: file_shape.cost,
    })
}

fn reach(shape: FileReach) -> Option<Reach> {
    Some(match shape {
        FileReach::Placeholder(name) => Reach::Placeholder(name),
        FileReach::Flag(names) => Reach::Flag(names),
        FileReach::Wrapper(levels) => Reach::Wrapper(levels.into_iter().collect()),
        FileReach::Folder => Reach::Folder,
        FileReach::Shim => Reach::Shim,
        FileReach::Environment(levels) => Reach::Environment(
            levels
                .iter()
                .map(|(level, variables)| Some((level.clone(), assignments(variables)?)))
                .collect::<Option<_>>()?,
        ),
    })
}

fn assignments(variables: &serde_json::Value) -> Option<Vec<(String, String)>> {
    variables.as_object()?.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_named_after_its_id_and_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("settings");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        let catalogue = Catalogue::built_in().unwrap();
        let mut ids: Vec<String> = catalogue.settings().iter().map(|s| s.id.to_string()).collect();
        let mut listed: Vec<String> = BUILT_IN.iter().map(|(id, _)| (*id).to_owned()).collect();
        assert_eq!(ids, listed);
        ids.sort();
        listed.sort();
        assert_eq!(ids, files);
    }

    #[test]
    fn finds_by_alias_and_suggests_near_misses() {
        let catalogue = Catalogue::built_in().unwrap();
        assert_eq!(catalogue.find("dataloader.num_workers").unwrap().id.as_str(), "num_workers");
        assert_eq!(catalogue.find("env.FOO").unwrap().read_back, ReadBack::Environment);
        let message = catalogue.find("num-worker").unwrap_err().to_string();
        assert!(message.contains("num_workers"), "{message}");
        assert!(catalogue.find("env.").is_err());
    }

    #[test]
    fn refuses_levels_that_a_setting_does_not_take() {
        let catalogue = Catalogue::built_in().unwrap();
        let workers = catalogue.find("num_workers").unwrap();
        assert!(Catalogue::check_level(&workers, &Level::new("4")).is_ok());
        assert!(Catalogue::check_level(&workers, &Level::as_is()).is_ok());
        for bad in ["-1", "four", ""] {
            assert!(Catalogue::check_level(&workers, &Level::new(bad)).is_err(), "{bad}");
        }
        let benchmark = catalogue.find("cudnn.benchmark").unwrap();
        assert!(Catalogue::check_level(&benchmark, &Level::new("true")).is_err());
    }
}
