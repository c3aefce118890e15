//! A recorded audit of resuming, told again: its runs compared anew, and what only its own report knows.

use std::path::PathBuf;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::command::{findings, outputs, stored};
use crate::compare::{self, Group};
use crate::error::Result;
use crate::model::{Audit, Outcome, Reading, Run, Status, Tolerance, TreatmentResult, Verdict};
use crate::record::Recorded;
use crate::{parse, probe};

use super::aligned::{self, Aligned, One};
use super::{FIRST, RESUMED, STRAIGHT};

/// Whether a record is one of an audit of resuming.
pub fn is_one(recorded: &Recorded) -> bool {
    matches!(recorded.header.command_line.get(1).map(String::as_str), Some("resume"))
}

/// The audit that such a record holds, as its logs tell it today.
///
/// # Errors
/// Where a log cannot be read.
pub fn again(recorded: &Recorded, options: &parse::Options, tolerance: Tolerance) -> Result<Audit> {
    let told = recorded.runs.iter().map(|run| replay(recorded, run, options)).collect::<Result<Vec<_>>>()?;
    let mut audit = Audit { tolerance, ..Audit::blank("resume") };
    let straight: Vec<&Replayed> = told.iter().filter(|one| one.run.treatment == STRAIGHT).collect();
    match straight.as_slice() {
        [one, other, ..] if repeats(&mut audit, [one, other], tolerance) => {
            hold_against(&mut audit, one, &pairs(recorded, &told), tolerance);
        }
        [_, _, ..] => {}
        _ => {
            audit.reason =
                "the record holds fewer than two straight runs: nothing shows that the job repeats".to_owned()
        }
    }
    if let Some(stored) = stored::audit(recorded) {
        (audit.blame, audit.not_checked, audit.picture) = (stored.blame, stored.not_checked, stored.picture);
    }
    audit.treatments = treatments(recorded, &told, tolerance);
    audit.warnings = [recorded.warnings.clone(), std::mem::take(&mut audit.warnings)].concat();
    audit.environment = Some(recorded.header.environment.clone());
    audit.record = Some(recorded.folder.clone());
    audit.runs = told.into_iter().map(|one| one.run).collect();
    Ok(audit)
}

/// A recorded run with what the parser sees in its log today.
struct Replayed {
    run: Run,
    reading: Reading,
    log: PathBuf,
}

impl Replayed {
    fn one(&self) -> One<'_> {
        One { name: &self.run.id, reading: &self.reading, status: Some(self.run.status), log: &self.log }
    }
}

fn replay(recorded: &Recorded, run: &Run, options: &parse::Options) -> Result<Replayed> {
    let log = recorded.folder.join(&run.log);
    let reading = if log.is_file() { outputs::read(&log, options)? } else { Reading::nothing("", "it left no log") };
    let ours = run.treatment == FIRST && run.status == Status::Crashed && we_interrupt(recorded);
    let status = if ours { Status::Stopped } else { run.status };
    Ok(Replayed { run: Run { status, ..run.clone() }, reading, log })
}

/// Whether the audit was to interrupt the first run.
fn we_interrupt(recorded: &Recorded) -> bool {
    match Cli::try_parse_from(&recorded.header.command_line) {
        Ok(Cli { command: Command::Resume(typed) }) => typed.straight.is_none(),
        _ => false,
    }
}

fn repeats(audit: &mut Audit, pair: [&Replayed; 2], tolerance: Tolerance) -> bool {
    let group = group(&pair, tolerance);
    if group.outcome == Outcome::Agreed {
        return true;
    }
    let compared = pair.map(|one| one.one().compared());
    findings::conclude(audit, &group, &compared);
    aligned::unrepeatable(audit, &group.outcome, pair[1].one().name);
    false
}

fn group(runs: &[&Replayed], tolerance: Tolerance) -> Group {
    compare::group(&runs.iter().map(|one| one.one().member()).collect::<Vec<_>>(), tolerance, None)
}

/// Each resumed run that was not recorded from inside, with the interrupted one before it.
fn pairs<'r>(recorded: &Recorded, told: &'r [Replayed]) -> Vec<(Option<&'r Replayed>, &'r Replayed)> {
    let bare = |run: &Run| !probe::asks_for_recording(&recorded.folder.join("flights").join(&run.id));
    let mut first = None;
    let mut found = Vec::new();
    for one in told {
        match one.run.treatment.as_str() {
            FIRST => first = Some(one),
            RESUMED if bare(&one.run) => found.push((first, one)),
            _ => {}
        }
    }
    found
}

/// The first resumed run that parts from the straight one, else the first that tells anything.
fn hold_against(
    audit: &mut Audit,
    straight: &Replayed,
    pairs: &[(Option<&Replayed>, &Replayed)],
    tolerance: Tolerance,
) {
    "the record holds no resumed run".clone_into(&mut audit.reason);
    for (first, resumed) in pairs {
        let mut this = Audit { tolerance, ..Audit::blank("resume") };
        Aligned::new(straight.one(), resumed.one(), tolerance).conclude(&mut this);
        let before =
            first.and_then(|first| Some((first, aligned::on_the_way(straight.one(), first.one(), tolerance)?)));
        if let (Verdict::Diverged, Some((first, divergence))) = (this.verdict, before) {
            this.reason = aligned::parted_before(&straight.run.id, &first.run.id, &divergence);
        }
        let parts = this.verdict == Verdict::Diverged;
        if parts || audit.verdict == Verdict::Unresolved {
            *audit = this;
        }
        if parts {
            return;
        }
    }
}

/// What each kind of run showed.
fn treatments(recorded: &Recorded, told: &[Replayed], tolerance: Tolerance) -> Vec<TreatmentResult> {
    let mut found: Vec<TreatmentResult> = Vec::new();
    for treatment in &recorded.treatments {
        if found.iter().any(|known| known.treatment.id == treatment.id) {
            continue;
        }
        let runs: Vec<&Replayed> = told.iter().filter(|one| one.run.treatment == treatment.id).collect();
        let straight = told.first().filter(|one| one.run.treatment == STRAIGHT);
        let outcome = match (treatment.id.as_str(), straight.zip(runs.last())) {
            (STRAIGHT, _) => Some(group(&runs, tolerance).outcome),
            (name, Some((straight, last))) => Some(aligned::outcome(name, straight.one(), last.one(), tolerance)),
            _ => None,
        };
        let runs = runs.iter().map(|one| one.run.id.clone()).collect();
        found.push(TreatmentResult { treatment: treatment.clone(), outcome, notes: Vec::new(), runs });
    }
    found
}
