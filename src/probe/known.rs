//! What probes of this machine have found, kept for later audits: one file per machine and version of libtorch, in the
//! user's cache.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::libtorch::{line, take};
use crate::error::{Error, Result};
use crate::model::{Environment, OperationCheck, OperationProbe};

/// Facts on which results of an operation depend: the processor, its instruction sets, the cards and their driver.
const FACTS: [&str; 5] = ["os.architecture", "cpu.model", "cpu.instruction_sets", "cpu.cores", "driver.nvidia"];
/// Most bytes read of one file.
const MOST: u64 = 32 << 20;

/// Where findings are kept: `$XDG_CACHE_HOME/repro-audit/operations`, or below `~/.cache`; `None` where there is no home.
pub fn folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("repro-audit").join("operations"))
}

/// 16 hexadecimal digits that follow from the facts of a machine that operations depend on.
pub fn fingerprint(machine: &Environment) -> String {
    let counts = |name: &str| FACTS.contains(&name) || name.starts_with("card.");
    let facts = machine.facts.iter().filter(|(name, _)| counts(name));
    // FNV-1a: the standard library's own hash may change from release to release.
    let bytes = facts.flat_map(|(name, value)| name.bytes().chain(*b"=").chain(value.bytes()).chain(*b"\n"));
    let digest = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{digest:016x}")
}

/// Keeps findings in `folder`; of what was checked before, the new answer replaces the old one.
///
/// # Errors
/// Where the file cannot be written.
pub fn keep(folder: &Path, machine: &Environment, probe: &OperationProbe) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    let path = folder.join(format!("{}-{}.jsonl", fingerprint(machine), plain(&probe.library)));
    let mut checks = read(&path).checks;
    checks.retain(|old| !probe.checks.iter().any(|new| same_conditions(old, new)));
    checks.extend(probe.checks.iter().cloned());
    let mut text = format!("{}\n", json!({ "about": { "library": probe.library } }));
    for check in &checks {
        text += &format!("{}\n", line(check));
    }
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    fs::write(&beside, text).map_err(Error::file("write", &beside))?;
    fs::rename(&beside, &path).map_err(Error::file("write", &path))?;
    Ok(path)
}

/// What is known of this machine's libtorch of the version `torch` (`2.13.0+cu130`); nothing where it was never probed.
pub fn recall(folder: &Path, machine: &Environment, torch: &str) -> OperationProbe {
    read(&folder.join(format!("{}-{}.jsonl", fingerprint(machine), plain(&format!("libtorch {torch}")))))
}

/// A name that is safe in any folder.
fn plain(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_ascii_alphanumeric() || ".+-".contains(c) { c } else { '_' }).collect()
}

fn read(path: &Path) -> OperationProbe {
    let mut bytes = Vec::new();
    let mut probe = OperationProbe::default();
    let file = fs::File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut bytes));
    if file.is_err() {
        return probe;
    }
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = serde_json::from_slice::<Value>(line) {
            take(&value, &mut probe);
        }
    }
    probe
}

fn same_conditions(a: &OperationCheck, b: &OperationCheck) -> bool {
    let conditions = |check: &OperationCheck| {
        let OperationCheck { operation, pass, device, threads, switch, dtype, size, .. } = check.clone();
        (operation, pass, device, threads, switch, dtype, size)
    };
    conditions(a) == conditions(b)
}

#[cfg(test)]
mod tests {
    use super::super::libtorch::tests::CHECK;
    use super::*;

    fn machine(model: &str) -> Environment {
        Environment { facts: [("cpu.model".to_owned(), model.to_owned())].into() }
    }

    fn found() -> OperationProbe {
        let mut probe = OperationProbe { library: "libtorch 2.13.0+cpu".to_owned(), ..OperationProbe::default() };
        take(&serde_json::from_str(CHECK).expect("a line"), &mut probe);
        probe
    }

    #[test]
    fn recalls_what_was_kept_for_this_machine_and_version_only() {
        let folder = tempfile::tempdir().expect("a folder");
        keep(folder.path(), &machine("A"), &found()).expect("kept");
        assert_eq!(recall(folder.path(), &machine("A"), "2.13.0+cpu").checks, found().checks);
        assert!(recall(folder.path(), &machine("B"), "2.13.0+cpu").checks.is_empty());
        assert!(recall(folder.path(), &machine("A"), "2.12.0").checks.is_empty());
    }

    #[test]
    fn a_new_answer_replaces_the_old_one_and_others_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        keep(folder.path(), &machine("A"), &found()).expect("kept");
        let mut other = found();
        other.checks[0].threads = 4;
        let mut renewed = found();
        renewed.checks[0].spread.distinct = 3;
        keep(folder.path(), &machine("A"), &other).expect("kept");
        keep(folder.path(), &machine("A"), &renewed).expect("kept");
        let checks = recall(folder.path(), &machine("A"), "2.13.0+cpu").checks;
        let mut seen: Vec<(u32, u32)> = checks.iter().map(|check| (check.threads, check.spread.distinct)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [(2, 3), (4, 7)]);
    }

    #[test]
    fn memory_and_kernel_do_not_make_another_machine() {
        let mut same = machine("A");
        same.facts.insert("memory".to_owned(), "1 GB".to_owned());
        assert_eq!(fingerprint(&same), fingerprint(&machine("A")));
        same.facts.insert("card.0".to_owned(), "H100".to_owned());
        assert_ne!(fingerprint(&same), fingerprint(&machine("A")));
    }
}
