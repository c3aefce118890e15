//! The exit codes: a small published table.

use crate::model::Verdict;

/// Something was compared, and it agrees.
pub const AGREED: u8 = 0;
/// It diverged, or determinism regressed against the baseline.
pub const DIVERGED: u8 = 1;
/// The tool failed or was misused.
pub const FAILED: u8 = 2;
/// Unresolved: nothing to compare, a crash or timeout, too few points, a setting that did not take effect.
pub const UNRESOLVED: u8 = 3;

/// The exit code of a verdict.
pub fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Agreed => AGREED,
        Verdict::Diverged => DIVERGED,
        Verdict::Unresolved => UNRESOLVED,
    }
}
