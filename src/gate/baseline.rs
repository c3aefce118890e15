//! The accepted record, as it stands in version control.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Policy;
use super::text;

/// The version of the format that is written, and the newest that can be read.
pub const FORMAT: i64 = 1;

/// The last line: a file without it was cut off.
pub const LAST_LINE: &str = "# end of the baseline";

/// Everything that was accepted.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The version of the format.
    pub format: i64,
    /// The jobs, by name.
    #[serde(default)]
    pub job: BTreeMap<String, JobRecord>,
}

/// What was accepted of one job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRecord {
    /// What makes the gate fail.
    pub policy: Policy,
    /// The job's command.
    pub command: Vec<String>,
    /// The options that decide what is run and compared, as typed.
    #[serde(default)]
    pub options: BTreeMap<String, toml::Value>,
    /// What was accepted, one entry for each environment.
    #[serde(default)]
    pub accepted: Vec<Entry>,
}

/// What was accepted in one environment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Digest of the environment, for the reader: the facts themselves decide.
    pub fingerprint: String,
    /// The facts of the environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The treatments.
    #[serde(default)]
    pub treatment: Vec<Accepted>,
}

/// What was accepted of one treatment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// `reference`, or what differs from it.
    pub id: String,
    /// Its levels.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Runs that were compared.
    pub runs: usize,
    /// Whether the runs agreed.
    pub outcome: AcceptedOutcome,
    /// Where they part, where they are known to.
    #[serde(default)]
    pub parts: Option<Parts>,
    /// Points that were compared, over all metrics and runs.
    pub points: usize,
    /// The metric that was compared first.
    pub series: SeriesRecord,
    /// Every other metric.
    #[serde(default)]
    pub others: Vec<SeriesRecord>,
}

/// Whether runs agreed when they were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AcceptedOutcome {
    /// All agreed.
    Agrees,
    /// They parted, which was accepted.
    Parts,
}

/// Where the runs of a treatment are known to part.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    /// The metric.
    pub metric: String,
    /// Index of the point, from 0.
    pub index: usize,
    /// The step, where the log shows steps.
    #[serde(default)]
    pub step: Option<i64>,
}

/// A digest and a sketch of one metric.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesRecord {
    /// The metric, as the log spells it.
    pub metric: String,
    /// Its points in the first run.
    pub points: usize,
    /// What the log shows: `exact bits`, or the number of decimals.
    pub digits: Digits,
    /// FNV-1a (64 bits) over each point's position and the bits of its value; none where the log shows a sample of the
    /// steps only.
    #[serde(default)]
    pub digest: Option<String>,
    /// A few points, the first and the last among them.
    #[serde(default)]
    pub sketch: Vec<SketchPoint>,
}

/// What a log shows of its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "toml::Value")]
pub enum Digits {
    /// Every bit.
    #[default]
    Exact,
    /// That many decimals.
    Decimals(u32),
}

impl From<toml::Value> for Digits {
    fn from(value: toml::Value) -> Self {
        let decimals = value.as_integer().and_then(|decimals| u32::try_from(decimals).ok());
        decimals.map_or(Self::Exact, Self::Decimals)
    }
}

/// One point of a sketch.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SketchPoint {
    /// Index of the point, from 0.
    pub index: usize,
    /// The step, where the log shows steps.
    #[serde(default)]
    pub step: Option<i64>,
    /// The value as printed.
    pub value: String,
    /// Digest of the series up to and including this point.
    #[serde(default)]
    pub through: Option<String>,
    /// Mean of the accepted runs, where a band was learned.
    #[serde(default)]
    pub mean: Option<f64>,
    /// Standard deviation of the accepted runs, where a band was learned.
    #[serde(default)]
    pub deviation: Option<f64>,
}

impl Baseline {
    /// A baseline that holds nothing yet.
    pub fn empty() -> Self {
        Self { format: FORMAT, job: BTreeMap::new() }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// In words, where it is no whole baseline of a known version. The file itself is for the caller to leave alone.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(line) = conflict(text) {
            return Err(format!(
                "line {line} is a merge conflict mark: settle the conflict, or take one side and accept again; {UNTOUCHED}"
            ));
        }
        let table: toml::Table = text.parse().map_err(|why| broken(text, &why))?;
        match table.get("format").and_then(toml::Value::as_integer) {
            Some(FORMAT) => {}
            Some(format) if format > FORMAT => {
                return Err(format!(
                    "it is in format {format}, and this repro-audit reads up to format {FORMAT}: use a newer one; \
                     {UNTOUCHED}"
                ));
            }
            _ => return Err(format!("it is no baseline: it has no `format = {FORMAT}`; {UNTOUCHED}")),
        }
        if !text.trim_end().ends_with(LAST_LINE) {
            return Err(format!("it was cut off: its last line, `{LAST_LINE}`, is not there; {UNTOUCHED}"));
        }
        toml::from_str(text).map_err(|why| broken(text, &why))
    }

    /// Takes a job's new record in. Entries for other environments stay, unless another command or other options make
    /// them records of another job: how many went is what comes back.
    pub fn renew(&mut self, name: &str, record: JobRecord) -> usize {
        match self.job.get_mut(name) {
            Some(known) if known.command == record.command && known.options == record.options => {
                known.policy = record.policy;
                record.accepted.into_iter().for_each(|entry| known.accept(entry));
                0
            }
            known => {
                let others = |entry: &&Entry| record.accepted.iter().all(|new| new.environment != entry.environment);
                let gone = known.map_or(0, |known| known.accepted.iter().filter(others).count());
                self.job.insert(name.to_owned(), record);
                gone
            }
        }
    }

    /// Jobs whose runs part, and whose policy accepts no such job.
    pub fn forbidden(&self) -> Vec<&str> {
        let parts = |record: &&JobRecord| {
            let mut treatments = record.accepted.iter().flat_map(|entry| &entry.treatment);
            !record.policy.lets_runs_part() && treatments.any(|one| one.outcome == AcceptedOutcome::Parts)
        };
        self.job.iter().filter(|(_, record)| parts(record)).map(|(name, _)| name.as_str()).collect()
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        text::baseline(self)
    }
}

const UNTOUCHED: &str = "the file was left as it is";

fn broken(text: &str, why: &toml::de::Error) -> String {
    let cut = if text.trim_end().ends_with(LAST_LINE) { "" } else { " (it may be cut off)" };
    let line = why.span().map_or(0, |span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
    format!("line {line} cannot be read{cut}: {}; {UNTOUCHED}", why.message())
}

/// The number of the first line that a merge left behind.
fn conflict(text: &str) -> Option<usize> {
    let mark = |line: &str| line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>") || line.trim_end() == "=======";
    text.lines().position(mark).map(|at| at + 1)
}

impl JobRecord {
    /// Puts `entry` in the place of the one for the same environment, or beside those for others.
    pub fn accept(&mut self, entry: Entry) {
        match self.accepted.iter_mut().find(|known| known.environment == entry.environment) {
            Some(known) => *known = entry,
            None => self.accepted.push(entry),
        }
        self.accepted.sort_by(|a, b| a.environment.cmp(&b.environment));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Baseline::parse(text).expect_err("it is broken")
    }

    #[test]
    fn says_what_is_wrong_with_a_broken_file() {
        assert!(error("").contains("no baseline"));
        assert!(error("format = 1\n").contains("cut off"));
        assert!(error("format = 7\n").contains("newer"));
        assert!(error("format = 1\n<<<<<<< HEAD\n").contains("line 2 is a merge conflict mark"));
        assert!(error("format = 1\n[job.x]\ncomm").contains("cut off"));
        assert!(error(&format!("format = 1\nnonsense = 2\n{LAST_LINE}\n")).contains("nonsense"));
    }

    #[test]
    fn an_entry_takes_the_place_of_one_for_the_same_environment_only() {
        let entry = |cpu: &str, fingerprint: &str| Entry {
            fingerprint: fingerprint.to_owned(),
            environment: BTreeMap::from([("cpu".to_owned(), cpu.to_owned())]),
            treatment: Vec::new(),
        };
        let mut record = JobRecord::default();
        record.accept(entry("b", "1"));
        record.accept(entry("a", "2"));
        record.accept(entry("b", "3"));
        let prints: Vec<&str> = record.accepted.iter().map(|entry| entry.fingerprint.as_str()).collect();
        assert_eq!(prints, ["2", "3"]);
    }
}
