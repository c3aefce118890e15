//! Before a pass is printed: a disturbed copy of a run, and a run with disturbed seeds, have to be noticed.

use crate::compare::distance;
use crate::error::Result;
use crate::gate::canary::{self, disturb, late};
use crate::gate::{Entry, Policy, Seen, envelope};
use crate::model::flight::DisturbedSeed;
use crate::model::{Audit, Outcome, Point, Run, Source, Tolerance, Treatment, TreatmentResult, Verdict};

use super::super::campaign::Campaign;
use super::super::order::{Order, Recording};
use super::super::watch::StopRule;

/// The id of the treatment whose seeds are disturbed: it is none of the audit's.
pub const CANARY: &str = "disturbed seeds";

/// Whether the gate could have failed.
#[derive(Debug, Default)]
pub struct Proof {
    /// What was disturbed and noticed, one line each.
    pub told: Vec<String>,
    /// What could not be disturbed, one line each.
    pub not_checked: Vec<String>,
    /// What was disturbed and not noticed.
    pub blind: Option<String>,
}

impl Proof {
    fn noticed(what: &str) -> Self {
        Self { told: vec![format!("proved that this gate can fail: {what}")], ..Self::default() }
    }

    fn blind(why: String) -> Self {
        Self { blind: Some(why), ..Self::default() }
    }

    fn not_checked(why: &str) -> Self {
        Self { not_checked: vec![format!("disturbed seeds: {why}")], ..Self::default() }
    }

    /// Both together.
    pub fn and(mut self, other: Self) -> Self {
        self.told.extend(other.told);
        self.not_checked.extend(other.not_checked);
        self.blind = self.blind.or(other.blind);
        self
    }
}

/// What is disturbed, and by which rule the gate compares.
pub struct Looked<'a> {
    /// What makes the gate fail.
    pub policy: Policy,
    /// What counts as equal.
    pub tolerance: Tolerance,
    /// The runs.
    pub campaign: &'a Campaign<'a>,
}

impl Looked<'_> {
    /// Disturbs a value in a copy of a run of every treatment.
    pub fn proof(&self, seen: &[Seen<'_>], results: &[TreatmentResult], accepted: Option<&Entry>) -> Proof {
        let folder = self.campaign.folder().file_name().unwrap_or_default().to_string_lossy();
        let seed = canary::seed(&folder);
        let one = |(seen, result): (&Seen<'_>, &TreatmentResult)| {
            let id = &result.treatment.id;
            let what = if self.policy == Policy::Envelope {
                let known = accepted.and_then(|entry| entry.treatment.iter().find(|known| known.id == *id));
                let known = known.ok_or_else(|| "no band was learned".to_owned());
                known.and_then(|known| envelope::can_fail(known, &seen.primaries(), seed))
            } else {
                self.disturbed(seen, &result.runs, seed)
            };
            match what {
                Ok(what) => Proof::noticed(&format!("{what}, and it was noticed ({id})")),
                Err(why) => Proof::blind(why),
            }
        };
        seen.iter().zip(results).map(one).fold(Proof::default(), Proof::and)
    }

    fn disturbed(&self, seen: &Seen<'_>, runs: &[String], seed: u64) -> std::result::Result<String, String> {
        let (Some(first), Some(last), Some(name)) = (seen.readings.first(), seen.readings.last(), runs.last()) else {
            return Err("no run left anything to compare".to_owned());
        };
        let points = last.primary().map_or(0, |series| series.points.len());
        let range = match seen.outcome.divergence() {
            Some(divergence) if divergence.index == 0 => {
                return Err("it parts from its first point, so that it cannot part earlier".to_owned());
            }
            Some(divergence) => 0..divergence.index.min(points),
            None => late(points),
        };
        let tolerance = self.tolerance;
        let equal = move |a: &Point, b: &Point| distance::equal(a, b, tolerance, Source::Printed);
        let canary = disturb(last, first, (range, seed), (tolerance, &equal))?;
        let outcome = self.campaign.compare_instead(runs, name, &canary.reading);
        if canary.caught(&outcome) {
            return Ok(format!("{} in a copy of {name}", canary.what));
        }
        Err(format!("{} in a copy of {name}, and the comparison did not notice", canary.what))
    }
}

/// One more run of the first treatment whose job was entered, with every seed given otherwise than asked for: it has to
/// part from the others, and ends where it does. Nothing is run where the audit does not agree anyway.
///
/// # Errors
/// As a run of the job.
pub fn disturbed_seeds(policy: Policy, campaign: &mut Campaign<'_>, audit: &Audit) -> Result<Proof> {
    if policy.lets_runs_part() || audit.verdict != Verdict::Agreed || campaign.interrupted().is_some() {
        return Ok(Proof::default());
    }
    let entered = |run: &Run| campaign.flight(&run.id).is_some_and(|flight| flight.entered > 0);
    let of = |result: &&TreatmentResult| {
        campaign.runs().iter().any(|run| run.treatment == result.treatment.id && entered(run))
    };
    let found = audit.treatments.iter().find(of);
    let Some((result, reference)) = found.and_then(|result| Some((result, result.runs.first()?))) else {
        return Ok(Proof::not_checked("the runs compared are bare, no shim in them (--level light enters the job)"));
    };
    campaign.say("one more run, with disturbed seeds, which has to be noticed");
    let treatment = Treatment { id: CANARY.to_owned(), settings: result.treatment.settings.clone() };
    let recording = Recording { disturbed_from: Some(reference.clone()), ..Recording::none() };
    let stop = StopRule { after_divergence: Some(0), ..campaign.stop() };
    let order = Order { treatment: &treatment, repeats: 1, stop, recording: Some(recording) };
    let batch = campaign.repeat(&order, &[])?;
    let flight = batch.runs.first().and_then(|run| campaign.flight(run));
    let seed = flight.and_then(|flight| flight.processes.iter().find_map(|process| process.disturbed.first()));
    let Some(what) = seed.map(told) else {
        return Ok(Proof::not_checked("the job gives no generator a seed that could be disturbed"));
    };
    let runs: Vec<String> = std::iter::once(reference).chain(&batch.runs).cloned().collect();
    Ok(match campaign.compare(&runs).outcome {
        Outcome::Diverged(divergence) => {
            let place = divergence.position.told(divergence.index);
            Proof::noticed(&format!("{what}, and {} parts at {place} ({})", divergence.metric, result.treatment.id))
        }
        Outcome::Agreed => Proof::blind(format!("{what}, and no value that the job logs changed")),
        Outcome::Unresolved(why) => Proof::blind(format!("{what}, and nothing came of it: {why}")),
    })
}

fn told(seed: &DisturbedSeed) -> String {
    let DisturbedSeed { how, asked, given, at } = seed;
    let place = at.as_ref().map(|at| format!(" ({}:{})", at.file.display(), at.line)).unwrap_or_default();
    format!("in a run of its own {how} was given {given} instead of {asked}{place}")
}

#[cfg(test)]
mod tests {
    use crate::command;
    use crate::compare::replicates::blindness::IS_BLIND;

    /// Thirty lines that follow from nothing but their number.
    const JOB: &str = "i=0; while [ $i -lt 30 ]; do echo \"step=$i loss=1.$((i * 37 % 89))\"; i=$((i + 1)); done\n";
    /// The same, with a value near the end that is another one each time.
    const PARTS: &str =
        "i=0; while [ $i -lt 30 ]; do echo \"step=$i loss=1.$((i > 27 ? $$ : i * 37 % 89))\"; i=$((i + 1)); done\n";

    #[test]
    fn a_comparison_that_was_disabled_is_found_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let gate = |more: &[&str]| {
            let (baseline, record, report) = (path("b.toml"), path("record"), format!("json={}", path("report.json")));
            let common = ["--quiet", "--no-blame", "--baseline", &baseline, "--record", &record, "--output", &report];
            let words = ["repro-audit", "gate"].iter().chain(&common).chain(more).map(Into::into);
            let code = command::main(words.collect::<Vec<std::ffi::OsString>>()).expect("it runs");
            (code, std::fs::read_to_string(path("report.json")).unwrap_or_default())
        };
        std::fs::write(path("job.sh"), JOB).expect("written");
        let accepted = gate(&["--accept", "--times", "2", "--", "sh", &path("job.sh")]);
        assert_eq!(accepted.0, 0, "{}", accepted.1);
        assert_eq!(gate(&[]).0, 0);

        IS_BLIND.set(true);
        for job in [JOB, PARTS] {
            std::fs::write(path("job.sh"), job).expect("written");
            let (code, report) = gate(&[]);
            assert!(report.contains("the gate cannot fail") && report.contains("did not notice"), "{report}");
            assert_eq!(code, 3);
        }
        IS_BLIND.set(false);
        assert_eq!(gate(&[]).0, 1, "the comparison that sees finds what parts");
    }
}
