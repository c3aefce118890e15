//! The one redactor: what differs from machine to machine or from day to day becomes a placeholder.

use regex::{Captures, Regex};

/// What stands instead of a match.
type Replace = fn(&Captures) -> String;

/// Our own version, where it is named as such.
const OUR_VERSION: &str = concat!(r#"(ersion": |repro-audit )"?"#, env!("CARGO_PKG_VERSION"), r#"\b"#);

/// Replaces times, process ids, temporary paths, hosts and our own version in expected output.
///
/// A placeholder is as wide as what it replaces where columns have to line up.
pub fn redact(text: &str) -> String {
    let rules: [(&str, Replace); 5] = [
        (r"/tmp/[^\s:'<>&)]+|/var/folders/[^\s:'<>&)]+", |_| "[path]".to_owned()),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?", |found| "T".repeat(found[0].len())),
        (r"\b(after|in) \d+\.\d s\b", |found| {
            format!("{} {:>width$} s", &found[1], "#.#", width = found[0].len() - found[1].len() - 3)
        }),
        (r"\b(process|pid) \d+\b", |found| format!("{} [pid]", &found[1])),
        (OUR_VERSION, |found| found[0].replace(env!("CARGO_PKG_VERSION"), "[version]")),
    ];
    let mut text = match hostname() {
        Some(host) => text.replace(&host, "[host]"),
        None => text.to_owned(),
    };
    for (pattern, replace) in rules {
        text = Regex::new(pattern).expect("the rules are constant").replace_all(&text, replace).into_owned();
    }
    text
}

/// This machine's name, where it is long enough not to be an ordinary word.
fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_owned();
    (name.len() > 5 && name != "localhost").then_some(name)
}
