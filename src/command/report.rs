//! `repro-audit report`: renders a recorded audit again.

use std::path::Path;

use crate::cli;
use crate::compare::{self, End, Member};
use crate::error::{Error, Result};
use crate::model::{Audit, Outcome, Reading, Run, Status, Tolerance, TreatmentResult, Verdict};
use crate::record::{self, Recorded};
use crate::{blame, exit, parse, probe};

use super::blame::HELD;
use super::findings::{self, Compared};
use super::gate::CANARY;
use super::judge::judge;
use super::output::Output;
use super::request::reading_options;
use super::{checkpoint, resume, stored, words};

/// Reads the records, compares their runs again, and renders the result. Several records are taken as one audit.
pub fn report(typed: &cli::Report) -> Result<u8> {
    let output = Output::new(&typed.output)?;
    let tolerance = words::tolerance(&typed.comparison.tolerance)?;
    let options = reading_options(typed.comparison.metric.as_deref(), typed.comparison.pattern.as_deref())?;
    let records = typed.records.iter().map(|path| record::open(path)).collect::<Result<Vec<_>>>()?;
    let audit = match records.as_slice() {
        [only] if resume::is_one(only) => resume::again(only, &options, tolerance)?,
        some if some.iter().any(resume::is_one) => {
            return Err(Error::Misuse(
                "a record of `resume` stands for itself: it is not merged with others".to_owned(),
            ));
        }
        _ => again(&records, &options, tolerance)?,
    };
    output.audit(&audit)?;
    Ok(exit::code(audit.verdict))
}

/// A recorded run with what the parser sees in its log today.
struct Replayed {
    run: Run,
    reading: Reading,
    log: std::path::PathBuf,
}

impl Replayed {
    fn compared(&self) -> Compared<'_> {
        Compared { name: &self.run.id, reading: &self.reading, log: &self.log }
    }
}

fn again(records: &[Recorded], options: &parse::Options, tolerance: Tolerance) -> Result<Audit> {
    let mut audit = Audit::blank("run");
    let mut replayed: Vec<Replayed> = Vec::new();
    for (number, recorded) in (1..).zip(records) {
        for run in recorded.runs.iter().filter(|run| is_bare(recorded, run)) {
            replayed.push(replay(recorded, run, options, if records.len() > 1 { Some(number) } else { None })?);
        }
        audit.warnings.extend(recorded.warnings.iter().cloned());
    }
    let treatments: Vec<_> = records.iter().flat_map(|r| &r.treatments).collect();
    let mut seen: Vec<&str> = Vec::new();
    let mut first: Option<(compare::Group, Vec<usize>)> = None;
    for treatment in treatments {
        if seen.contains(&treatment.id.as_str()) || !is_asked_for(&treatment.id) {
            continue;
        }
        seen.push(&treatment.id);
        let members: Vec<usize> = (0..replayed.len()).filter(|i| replayed[*i].run.treatment == treatment.id).collect();
        let group = group(&replayed, &members, tolerance);
        audit.treatments.push(TreatmentResult {
            treatment: treatment.clone(),
            outcome: Some(group.outcome.clone()),
            notes: Vec::new(),
            runs: members.iter().map(|i| replayed[*i].run.id.clone()).collect(),
        });
        let parts = matches!(group.outcome, Outcome::Diverged(_));
        if first.as_ref().is_none_or(|(known, _)| parts && !matches!(known.outcome, Outcome::Diverged(_))) {
            first = Some((group, members));
        }
    }
    if let Some((group, members)) = first {
        let compared: Vec<Compared<'_>> = members.iter().map(|i| replayed[*i].compared()).collect();
        findings::conclude(&mut audit, &group, &compared);
        let others = (0..replayed.len()).filter(|i| !members.contains(i));
        let drawn: Vec<Compared<'_>> = members.iter().copied().chain(others).map(|i| replayed[i].compared()).collect();
        audit.curves = findings::curves(&drawn);
        audit.confidence = Some(blame::confidence(&group.classes, None));
    } else {
        audit.reason = "the record holds no run".to_owned();
        audit.verdict = Verdict::Unresolved;
    }
    let unresolved = audit.treatments.iter().find_map(|result| match &result.outcome {
        Some(Outcome::Unresolved(why)) => Some(format!("{}: {why}", result.treatment.id)),
        _ => None,
    });
    if let (Verdict::Agreed, Some(reason)) = (audit.verdict, unresolved) {
        audit.verdict = Verdict::Unresolved;
        audit.reason = reason;
    }
    if let [only] = records {
        let stored = stored::report(only);
        (audit.blame, audit.not_checked) = (stored.blame, stored.not_checked);
    }
    audit.environment = records.first().map(|recorded| recorded.header.environment.clone());
    audit.record = records.first().map(|recorded| recorded.folder.clone());
    audit.runs = replayed.into_iter().map(|one| one.run).collect();
    checkpoints(&mut audit, records, tolerance);
    Ok(audit)
}

/// Compares the checkpoints of the runs again, where the audit did.
fn checkpoints(audit: &mut Audit, records: &[Recorded], tolerance: Tolerance) {
    let asked = |recorded: &Recorded| recorded.header.checkpoints.clone();
    match records {
        [only] => {
            if let Some(pattern) = asked(only) {
                checkpoint::runs::judge(audit, &only.folder, &pattern, tolerance);
            }
        }
        several if several.iter().any(|recorded| asked(recorded).is_some()) => {
            audit.not_checked.push("checkpoints: they are compared in the report of one record alone".to_owned());
        }
        _ => {}
    }
}

/// Whether a treatment is one of the audit's own, and not one of the search for the cause or of a gate's proof.
fn is_asked_for(treatment: &str) -> bool {
    !treatment.starts_with(HELD) && treatment != CANARY
}

/// Whether a run is one of the repeats that the audit asked for, and not one that the search for the cause made.
fn is_bare(recorded: &Recorded, run: &Run) -> bool {
    let trial = recorded.trials.iter().find(|trial| trial.run == run.id);
    let entered = trial.is_some_and(|trial| trial.launch.environment.contains_key("REPRO_AUDIT_SHIM"));
    let records = || probe::asks_for_recording(&recorded.folder.join("flights").join(&run.id));
    is_asked_for(&run.treatment) && !(entered && (run.settings.is_empty() || records()))
}

fn replay(recorded: &Recorded, run: &Run, options: &parse::Options, number: Option<usize>) -> Result<Replayed> {
    let log = recorded.folder.join(&run.log);
    let reading = read(&log, options)?;
    let id = number.map_or_else(|| run.id.clone(), |number| format!("{number}/{}", run.id));
    Ok(Replayed { run: Run { id, ..run.clone() }, reading, log })
}

fn read(log: &Path, options: &parse::Options) -> Result<Reading> {
    if log.is_file() { super::outputs::read(log, options) } else { Ok(Reading::nothing("", "it left no log")) }
}

fn group(replayed: &[Replayed], members: &[usize], tolerance: Tolerance) -> compare::Group {
    let runs: Vec<&Run> = members.iter().map(|i| &replayed[*i].run).collect();
    let members: Vec<Member<'_>> = members
        .iter()
        .map(|i| {
            let Replayed { run, reading, .. } = &replayed[*i];
            let end = if run.status == Status::Finished { End::Complete } else { End::Cut };
            Member { name: &run.id, reading, end }
        })
        .collect();
    judge(compare::group(&members, tolerance, None), &runs)
}
