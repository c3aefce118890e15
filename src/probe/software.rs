//! Versions of the libraries that a job will use, asked of its interpreter: nothing of the job's is imported.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::model::Environment;

/// Tells versions from what is installed, without importing any of it; torch's CUDA version stands in a small text.
const QUESTION: &str = r#"
import sys
print("python", sys.version.split()[0])
from importlib import metadata, util
for name in ("torch", "numpy", "jax", "jaxlib", "tensorflow", "triton", "lightning", "transformers", "accelerate",
             "scikit-learn", "xgboost", "lightgbm", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13"):
    try:
        print(name, metadata.version(name))
    except Exception:
        pass
try:
    import os, re
    spec = util.find_spec("torch")
    text = open(os.path.join(os.path.dirname(spec.origin), "version.py")).read()
    found = re.search(r"cuda[^=\n]*=\s*'([0-9.]+)'", text)
    if found:
        print("cuda", found.group(1))
except Exception:
    pass
"#;

/// Longest time the interpreter may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most of its answer that is read.
const MOST: u64 = 64 * 1024;

/// Versions of the libraries that `command` will use, as its Python interpreter knows them; `None` where it starts no
/// interpreter that can be asked.
pub fn software(command: &[String], variables: &BTreeMap<String, String>) -> Option<Environment> {
    let interpreter = interpreter(command)?;
    let mut asked = Command::new(interpreter);
    asked.args(["-c", QUESTION]).envs(variables).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = asked.spawn().ok()?;
    let started = Instant::now();
    let output = child.stdout.take()?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        // What is no text is no answer.
        let _ = output.take(MOST).read_to_string(&mut text);
        text
    });
    while child.try_wait().ok()?.is_none() {
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let facts = facts(&reader.join().ok()?);
    (!facts.is_empty()).then_some(Environment { facts })
}

/// `name version` lines; whatever else a start-up file of the user's may have printed is left out.
fn facts(answer: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (name, version) = line.split_once(' ')?;
        let plain = |text: &str| {
            !text.is_empty()
                && text.len() < 64
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
        };
        (plain(name) && plain(version)).then(|| (name.to_owned(), version.to_owned()))
    };
    answer.lines().skip_while(|line| !line.starts_with("python ")).filter_map(line).collect()
}

/// The interpreter that a command starts: its program, or that of the program's first line (`torchrun`, `accelerate`).
fn interpreter(command: &[String]) -> Option<PathBuf> {
    let assignment = |word: &&String| word.contains('=') || word.as_str() == "env" || word.as_str() == "/usr/bin/env";
    let program = command.iter().find(|word| !assignment(word))?;
    if is_python(Path::new(program)) {
        return Some(PathBuf::from(program));
    }
    let file = if program.contains('/') { PathBuf::from(program) } else { self::program(program)? };
    let mut first = String::new();
    BufReader::new(std::fs::File::open(file).ok()?.take(512)).read_line(&mut first).ok()?;
    let mut words = first.strip_prefix("#!")?.split_whitespace();
    let path = words.next().filter(|path| !path.ends_with("/env")).or_else(|| words.next())?;
    is_python(Path::new(path)).then(|| PathBuf::from(path))
}

fn is_python(program: &Path) -> bool {
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let version = name.strip_prefix("python");
    version.is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// The file that a program's name stands for, where there is one on the path.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn finds_the_interpreter_of_a_command() {
        for (line, found) in [
            ("python3 train.py", Some("python3")),
            ("env A=1 /opt/bin/python3.11 -m train", Some("/opt/bin/python3.11")),
            ("python-config --x", None),
            ("sh -c python", None),
            ("", None),
        ] {
            assert_eq!(interpreter(&words(line)), found.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn takes_versions_only() {
        let told = facts("welcome home\npython 3.11.7\ntorch 2.9.1+cu130\nrm -rf / x\nevil \u{1b}[2J\n");
        let names: Vec<&str> = told.keys().map(String::as_str).collect();
        assert_eq!(names, ["python", "torch"]);
    }
}
