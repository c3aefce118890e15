//! Who started an audit, and how.

use std::path::PathBuf;

use crate::model::{Environment, Tolerance};

/// Who started an audit, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// The audit's id: time and a few random digits. Given by [`super::Record::create`].
    pub audit: String,
    /// Version of repro-audit that wrote it. Given by [`super::Record::create`].
    pub version: String,
    /// When it was started, in UTC: `2026-01-31T09:30:12Z`. Given by [`super::Record::create`].
    pub started: String,
    /// The whole command line of repro-audit.
    pub command_line: Vec<String>,
    /// The job's command, placeholders as typed.
    pub job: Vec<String>,
    /// The folder it was started in.
    pub folder: PathBuf,
    /// The metric asked for, where one was.
    pub metric: Option<String>,
    /// The expression by which values were read, where one was given.
    pub pattern: Option<String>,
    /// What counted as equal.
    pub tolerance: Tolerance,
    /// Points of the primary metric after which runs were to end, where that was asked for.
    pub steps: Option<u64>,
    /// Whether a varied setting that changes the result made the audit fail.
    pub invariant: bool,
    /// Which of the checkpoints that each run saved are compared, where that was asked for.
    pub checkpoints: Option<String>,
    /// Digest of the variables that the runs inherit; see [`fingerprint`](fn@super::fingerprint).
    pub inherited: String,
    /// Machine and software, where they were probed.
    pub environment: Environment,
}
