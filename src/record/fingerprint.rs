//! A digest of the variables that runs inherit: shows that they moved, tells none of them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use crate::model::Fnv;

/// Variables that differ from shell to shell and mean nothing to a job.
const PASSING: [&str; 10] =
    ["_", "SHLVL", "OLDPWD", "TERM", "COLUMNS", "LINES", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "XDG_SESSION_ID"];

/// Digest of an environment, in 16 hexadecimal digits. The values themselves are kept nowhere: some are secrets.
pub fn fingerprint(variables: impl IntoIterator<Item = (OsString, OsString)>) -> String {
    let mut kept: Vec<(OsString, OsString)> = variables
        .into_iter()
        .filter(|(name, _)| {
            !PASSING.iter().any(|passing| name == passing) && !name.as_bytes().starts_with(b"REPRO_AUDIT_")
        })
        .collect();
    kept.sort();
    let mut digest = Fnv::default();
    for (name, value) in &kept {
        digest.add(name.as_bytes());
        digest.add(b"=");
        digest.add(value.as_bytes());
        digest.add(b"\0");
    }
    format!("{:016x}", digest.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> String {
        fingerprint(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn follows_values_and_not_their_order_or_the_shell() {
        let one = of(&[("A", "1"), ("B", "2")]);
        assert_eq!(one, of(&[("B", "2"), ("SHLVL", "3"), ("A", "1")]));
        assert_ne!(one, of(&[("A", "1"), ("B", "3")]));
        assert_ne!(of(&[("A", "1B=2")]), one);
    }
}
