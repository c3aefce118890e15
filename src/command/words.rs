//! What was typed to what it means: small parsers of option values.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, Result};
pub use crate::model::shell;
use crate::model::{Level, Setting, Tolerance};
use crate::plan::Catalogue;

/// What stands for a folder of checkpoints in a command line.
pub const CHECKPOINTS: &str = "{checkpoints}";

/// `exact`, `ulps=N`, `rel=X` or `abs=X`; exact where nothing was typed.
///
/// # Errors
/// Where it is none of these, or the number is negative or no number.
pub fn tolerance(typed: Option<&str>) -> Result<Tolerance> {
    let text = typed.unwrap_or("exact");
    text.parse().map_err(|()| Error::Misuse(format!("--tolerance takes exact, ulps=N, rel=X or abs=X, not `{text}`")))
}

/// `90`, `90s`, `15m`, `2h`, `1.5h`.
///
/// # Errors
/// Where it is no positive time.
pub fn duration(text: &str) -> Result<Duration> {
    let wrong = || Error::Misuse(format!("--timeout takes a time such as 90s, 15m or 2h, not `{text}`"));
    let (digits, unit) = match text.trim_end_matches(|c: char| c.is_ascii_alphabetic()) {
        digits if digits.len() == text.len() => (digits, 1.0),
        digits => match &text[digits.len()..] {
            "ms" => (digits, 0.001),
            "s" => (digits, 1.0),
            "m" | "min" => (digits, 60.0),
            "h" => (digits, 3600.0),
            _ => return Err(wrong()),
        },
    };
    let seconds = digits.parse::<f64>().map_err(|_| wrong())? * unit;
    if seconds <= 0.0 {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// `ID=LEVEL` of `--set`.
///
/// # Errors
/// Where the setting is not known or does not take the level.
pub fn set(text: &str, catalogue: &Catalogue) -> Result<(Setting, Level)> {
    let (setting, mut levels) = assignment("--set", text, catalogue)?;
    match (levels.pop(), levels.is_empty()) {
        (Some(level), true) => Ok((setting, level)),
        _ => Err(Error::Misuse(format!("--set takes one level; `--vary {text}` runs at each of several"))),
    }
}

/// `ID=L1,L2,...` of `--vary`.
///
/// # Errors
/// Where the setting is not known, does not take a level, or has fewer than two.
pub fn vary(text: &str, catalogue: &Catalogue) -> Result<(Setting, Vec<Level>)> {
    let (setting, levels) = assignment("--vary", text, catalogue)?;
    let mut distinct = levels.clone();
    distinct.sort();
    distinct.dedup();
    if distinct.len() != levels.len() {
        return Err(Error::Misuse(format!("--vary {text} names a level twice")));
    }
    if levels.len() < 2 {
        return Err(Error::Misuse(format!("--vary needs at least two levels; `--set {text}` holds a setting at one")));
    }
    Ok((setting, levels))
}

fn assignment(option: &str, text: &str, catalogue: &Catalogue) -> Result<(Setting, Vec<Level>)> {
    let (id, levels) =
        text.split_once('=').ok_or_else(|| Error::Misuse(format!("{option} takes ID=LEVEL, not `{text}`")))?;
    let setting = catalogue.find(id)?;
    let levels: Vec<Level> = levels.split(',').map(Level::new).collect();
    for level in &levels {
        Catalogue::check_level(&setting, level)?;
    }
    Ok((setting, levels))
}

/// `NAME=VALUE` of `--env`, all of them.
///
/// # Errors
/// Where one has no `=` or no name.
pub fn variables(texts: &[String]) -> Result<BTreeMap<String, String>> {
    texts
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Error::Misuse(format!("--env takes NAME=VALUE, not `{text}`"))),
        })
        .collect()
}

/// A command as one line that a shell takes.
pub fn command(words: &[String]) -> String {
    words.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times() {
        assert_eq!(duration("90").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("1.5h").unwrap(), Duration::from_secs(5400));
        for bad in ["", "0", "-1s", "5 fortnights", "nan", "inf", "1e300h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn quotes_what_a_shell_would_take_apart() {
        let words = ["a b", "it's", "--x=1", ""].map(str::to_owned);
        assert_eq!(command(&words), r"'a b' 'it'\''s' --x=1 ''");
    }

    #[test]
    fn reads_settings_and_explains_mistakes() {
        let catalogue = Catalogue::built_in().unwrap();
        assert_eq!(vary("num_workers=0,4", &catalogue).unwrap().1.len(), 2);
        assert_eq!(set("env.X=", &catalogue).unwrap().1.as_str(), "");
        for bad in ["num_workers", "num_workers=0", "num_workers=0,0", "nonsense=1,2", "num_workers=0,x"] {
            assert!(vary(bad, &catalogue).is_err(), "{bad}");
        }
        assert!(set("num_workers=0,1", &catalogue).is_err());
    }
}
