//! The Python that has torch, for tests of real jobs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter of `.venv`, or the one that `REPRO_PYTHON` names; `None`, said aloud, where neither has torch.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub fn with_torch() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = [std::env::var_os("REPRO_PYTHON").map(PathBuf::from), Some(root.join(".venv/bin/python"))];
    let has_torch = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", "import torch"]).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    let found = known.into_iter().flatten().find(has_torch);
    if found.is_none() {
        eprintln!("skipped: no .venv/bin/python with torch (scripts/setup makes one), and no REPRO_PYTHON");
    }
    found
}
