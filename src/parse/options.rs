//! What the user may prescribe: a metric, or a pattern of one's own.

use regex::bytes::Regex;

use crate::error::{Error, Result};

/// How a log is to be read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The metric to compare, by name.
    pub metric: Option<String>,
    /// A regular expression that overrules detection.
    pub pattern: Option<Pattern>,
}

/// A regular expression with the named groups `step`, `epoch`, `value` and `metric`.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub(crate) regex: Regex,
}

impl Pattern {
    /// Compiles `text`; it must name a group `value`, or have exactly one unnamed group, which is then the value.
    pub fn new(text: &str) -> Result<Self> {
        let regex = Regex::new(text).map_err(|e| Error::Misuse(format!("--pattern: {e}")))?;
        let names: Vec<&str> = regex.capture_names().flatten().collect();
        if let Some(odd) = names.iter().find(|n| !["step", "epoch", "value", "metric"].contains(n)) {
            return Err(Error::Misuse(format!(
                "--pattern: no group may be called `{odd}`; the names are step, epoch, value and metric"
            )));
        }
        if !names.contains(&"value") && regex.captures_len() != 2 {
            let what = "--pattern: name the group that holds the number, as in `loss (?P<value>[0-9.]+)`";
            return Err(Error::Misuse(what.into()));
        }
        Ok(Self { regex })
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }
}
