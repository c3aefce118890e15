//! The Python shim: unpacked into the record of an audit, told what to do, and let in through the environment.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::{Error, Result};
use crate::model::{Level, SettingId};

/// A file of the package: its path below the unpacked folder, and its text.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shim/", $path)))),*]
    };
}

/// The package, every file listed: a test compares the list with the folder.
const FILES: &[(&str, &str)] = files![
    "sitecustomize.py",
    "repro_audit_shim/__init__.py",
    "repro_audit_shim/alerts.py",
    "repro_audit_shim/card.py",
    "repro_audit_shim/chain.py",
    "repro_audit_shim/core.py",
    "repro_audit_shim/digest.py",
    "repro_audit_shim/disturb.py",
    "repro_audit_shim/drill.py",
    "repro_audit_shim/entry.py",
    "repro_audit_shim/finish.py",
    "repro_audit_shim/frames.py",
    "repro_audit_shim/generators.py",
    "repro_audit_shim/guards.py",
    "repro_audit_shim/hashorder.py",
    "repro_audit_shim/hooks.py",
    "repro_audit_shim/interrupt.py",
    "repro_audit_shim/items.py",
    "repro_audit_shim/kernel.py",
    "repro_audit_shim/kept.py",
    "repro_audit_shim/launches.py",
    "repro_audit_shim/loaders.py",
    "repro_audit_shim/outputs.py",
    "repro_audit_shim/own.py",
    "repro_audit_shim/plan.py",
    "repro_audit_shim/position.py",
    "repro_audit_shim/record.py",
    "repro_audit_shim/resume.py",
    "repro_audit_shim/seeds.py",
    "repro_audit_shim/steps.py",
    "repro_audit_shim/sums.ptx",
    "repro_audit_shim/trace.py",
    "repro_audit_shim/training.py",
    "repro_audit_shim/settings/__init__.py",
    "repro_audit_shim/settings/clock.py",
    "repro_audit_shim/settings/entropy.py",
    "repro_audit_shim/settings/files.py",
    "repro_audit_shim/settings/flags.py",
    "repro_audit_shim/settings/loader.py",
    "repro_audit_shim/settings/memory.py",
    "repro_audit_shim/settings/progress.py",
    "repro_audit_shim/settings/race.py",
    "repro_audit_shim/settings/seeds.py",
    "repro_audit_shim/settings/streams.py",
    "repro_audit_shim/settings/turns.py",
    "repro_audit_shim/settings/variables.py",
];

/// The native digest for the machine this binary was built for; empty where it did not compile.
const DIGEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/repro_audit_digest.bin"));

/// The name under which the package looks for its digest.
const DIGEST_NAME: &str = if cfg!(target_os = "macos") {
    "librepro_audit_digest.dylib"
} else if cfg!(windows) {
    "repro_audit_digest.dll"
} else {
    "librepro_audit_digest.so"
};

/// The name of the instructions in a run's record folder.
const INSTRUCTIONS: &str = "instructions.json";

/// How much is recorded of each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Nothing: levels are applied and read back.
    Off,
    /// Generators, batch, loss and learning rates.
    Light,
    /// Everything.
    #[default]
    Full,
}

impl Detail {
    /// The word in the instructions and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Light => "light",
            Self::Full => "full",
        }
    }
}

/// What the shim is to do in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instructions {
    /// How much is recorded.
    pub detail: Detail,
    /// The levels to apply from inside.
    pub settings: BTreeMap<SettingId, Level>,
    /// Sources of variation whose lines in the user's code are wanted.
    pub trace: Vec<String>,
    /// A file that was written when the audit began: what changed since is what its runs left.
    pub began: Option<PathBuf>,
    /// The step, counted from 0, whose operations are wanted one by one.
    pub drill: Option<u64>,
    /// What to keep at a checkpoint, and what to give back after one.
    pub checkpoint: Option<Checkpoint>,
    /// When to end the process.
    pub kill: Option<Kill>,
    /// Whether generators get other seeds than the job or a level asks for.
    pub disturb: bool,
}

/// What the shim keeps of a run that leaves a checkpoint, and what it gives back to one that starts from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Keep every item at each checkpoint.
    pub keep: bool,
    /// Keep them around this step instead.
    pub step: Option<u64>,
    /// The record folder of the run whose kept items are compared and given back.
    pub from: Option<PathBuf>,
    /// The items to give back.
    pub give: Vec<String>,
}

/// When the process is to be ended, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// `step`, `checkpoint`, `epoch`, or `backward`: the first backward pass after so many steps.
    pub at: &'static str,
    /// After how many of them.
    pub number: u64,
    /// `TERM`, `KILL` or `INT`.
    pub signal: &'static str,
}

impl Kill {
    /// The point in words: `step 20`.
    pub fn words(&self) -> String {
        match self.at {
            "backward" => format!("a backward pass after step {}", self.number),
            at => format!("{at} {}", self.number),
        }
    }
}

/// The shim on disk, unpacked once per audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shim {
    folder: PathBuf,
}

impl Shim {
    /// Unpacks the package into `folder`, which only this user may enter.
    pub fn unpack(folder: &Path) -> Result<Self> {
        private_folder(folder)?;
        private_folder(&folder.join("repro_audit_shim"))?;
        private_folder(&folder.join("repro_audit_shim/settings"))?;
        for (path, text) in FILES {
            private_file(&folder.join(path), text.as_bytes())?;
        }
        if !DIGEST.is_empty() {
            private_file(&folder.join("repro_audit_shim").join(DIGEST_NAME), DIGEST)?;
        }
        let folder = fs::canonicalize(folder).map_err(Error::file("find", folder))?;
        Ok(Self { folder })
    }

    /// Writes the instructions of one run into `record` and gives the variables that let the shim into its job.
    ///
    /// `python_path` is the `PYTHONPATH` that the job would have had.
    pub fn enter(
        &self,
        record: &Path,
        instructions: &Instructions,
        python_path: Option<&str>,
    ) -> Result<BTreeMap<String, String>> {
        private_folder(record)?;
        let record = fs::canonicalize(record).map_err(Error::file("find", record))?;
        let path = record.join(INSTRUCTIONS);
        private_file(&path, written(&record, instructions).as_bytes())?;
        let own = self.folder.display().to_string();
        let separator = if cfg!(windows) { ';' } else { ':' };
        let python_path = match python_path {
            Some(rest) if !rest.is_empty() => format!("{own}{separator}{rest}"),
            _ => own,
        };
        Ok(BTreeMap::from([
            ("PYTHONPATH".to_owned(), python_path),
            ("REPRO_AUDIT_SHIM".to_owned(), path.display().to_string()),
        ]))
    }
}

/// Fails where Python could not find the package below `record`, an audit's folder or one of audits.
///
/// # Errors
/// Where the path holds what separates paths in `PYTHONPATH`, or is no UTF-8.
pub fn can_be_found(record: &Path) -> Result<()> {
    let whole = std::path::absolute(record).map_err(Error::file("find", record))?;
    match whole.to_str() {
        Some(path) if !path.contains(':') => Ok(()),
        _ => Err(Error::Misuse(format!(
            "{} has a `:` or other bytes than UTF-8 in its path, so Python would not find what enters the process there: \
             --record names another folder, or --no-shim keeps out of the process",
            whole.display()
        ))),
    }
}

/// Whether the instructions of a run, whose flight record lies in `folder`, ask for a recording and not only for levels.
pub fn asks_for_recording(folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join(INSTRUCTIONS)).unwrap_or_default();
    let instructions: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    instructions["level"].as_str().is_some_and(|level| level != Detail::Off.word())
}

/// The instructions as the shim reads them.
fn written(record: &Path, instructions: &Instructions) -> String {
    let settings: BTreeMap<String, String> =
        instructions.settings.iter().map(|(id, level)| (id.to_string(), level.to_string())).collect();
    json!({
        "version": 1,
        "record": record.display().to_string(),
        "level": instructions.detail.word(),
        "settings": settings,
        "trace": instructions.trace,
        "began": instructions.began.as_ref().map(|file| file.display().to_string()),
        "drill": instructions.drill.map(|step| json!({ "step": step })),
        "resume": instructions.checkpoint.as_ref().map(|asked| json!({
            "keep": asked.keep,
            "step": asked.step,
            "from": asked.from.as_ref().map(|folder| folder.display().to_string()),
            "give": asked.give,
        })),
        "kill": instructions.kill.as_ref().map(|kill| json!({ "at": kill.at, "n": kill.number, "signal": kill.signal })),
        "disturb": instructions.disturb,
    })
    .to_string()
}

/// Creates a folder that only this user may enter.
fn private_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(Error::file("create", path))
}

/// Writes a new file that only this user may read, replacing an older one of the same name.
fn private_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = || -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.write_all(bytes)
    };
    written().map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package_files(folder: &Path, below: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("the shim's folder is there") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() && name != "__pycache__" {
                package_files(&path, &format!("{below}{name}/"), found);
            } else if name.ends_with(".py") || name.ends_with(".ptx") {
                found.push(format!("{below}{name}"));
            }
        }
    }

    #[test]
    fn carries_every_file_of_the_package() {
        let mut found = Vec::new();
        package_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("shim"), "", &mut found);
        found.sort();
        let mut listed: Vec<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        listed.sort();
        assert_eq!(listed, found);
    }

    #[test]
    fn keeps_the_users_python_path_behind_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let shim = Shim::unpack(&folder.path().join("shim")).expect("unpacked");
        let variables = shim
            .enter(&folder.path().join("r1"), &Instructions::default(), Some("/opt/lib"))
            .expect("instructions written");
        assert!(variables["PYTHONPATH"].ends_with("shim:/opt/lib"));
        assert!(Path::new(&variables["REPRO_AUDIT_SHIM"]).is_file());
    }

    #[test]
    fn knows_a_recording_from_levels_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let shim = Shim::unpack(&folder.path().join("shim")).expect("unpacked");
        for (detail, asks) in [(Detail::Off, false), (Detail::Light, true), (Detail::Full, true)] {
            let place = folder.path().join(detail.word());
            shim.enter(&place, &Instructions { detail, ..Instructions::default() }, None).expect("written");
            assert_eq!(asks_for_recording(&place), asks, "{}", detail.word());
        }
        assert!(!asks_for_recording(&folder.path().join("nowhere")));
    }

    #[cfg(unix)]
    #[test]
    fn lets_nobody_else_read_what_it_unpacks() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("shim");
        Shim::unpack(&place).expect("unpacked");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&place), 0o700);
        assert_eq!(mode(&place.join("sitecustomize.py")), 0o600);
    }
}
