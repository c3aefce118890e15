//! `repro-audit report`: renders a recorded audit again. The answer is the one that the audit gave; where something else is
//! asked of its logs, where several audits are taken as one, and where an audit never came to its answer, the logs are
//! compared again.

use std::path::PathBuf;

use crate::cli;
use crate::compare::{self, End, Member};
use crate::error::{Error, Result};
use crate::model::{Audit, Effect, Outcome, Reading, Run, Status, Tolerance, Treatment, TreatmentResult, Verdict};
use crate::record::{self, Header, Recorded};
use crate::{blame, exit, parse, probe};

use super::blame::HELD;
use super::findings::{self, Compared};
use super::gate::CANARY;
use super::judge::judge;
use super::output::Output;
use super::request::reading_options;
use super::{checkpoint, outputs, overall, resume, stored, words};

/// Renders the records. Several are taken as one audit.
pub fn report(typed: &cli::Report) -> Result<u8> {
    let output = Output::new(&typed.output)?;
    let records = typed.records.iter().map(|path| record::open(path)).collect::<Result<Vec<_>>>()?;
    let first = records.first().map(|recorded| recorded.header.clone()).unwrap_or_default();
    let rule = Rule::new(&typed.comparison, &first)?;
    let answers: Vec<Option<Audit>> = records.iter().map(stored::audit).collect();
    let audit = match records.as_slice() {
        [only] if resume::is_one(only) => resume::again(only, &rule.options, rule.tolerance)?,
        some if some.iter().any(resume::is_one) => {
            return Err(Error::Misuse(
                "a record of `resume` stands for itself: it is not merged with others".to_owned(),
            ));
        }
        _ => again(&records, &answers, &rule)?,
    };
    let audit = match answers.into_iter().next().flatten() {
        Some(answer) if records.len() == 1 && !typed.comparison.is_asked() => {
            let (comparisons, curves, checkpoints) = (audit.comparisons, audit.curves, audit.checkpoints);
            Audit { comparisons, curves, checkpoints, ..answer }
        }
        _ => audit,
    };
    output.audit(&audit)?;
    Ok(exit::code(audit.verdict))
}

/// How logs are read and compared: as asked, else as the audit did.
struct Rule {
    options: parse::Options,
    tolerance: Tolerance,
    steps: Option<u64>,
    invariant: bool,
}

impl Rule {
    fn new(typed: &cli::Comparison, header: &Header) -> Result<Self> {
        let metric = typed.metric.as_ref().or(header.metric.as_ref());
        let pattern = typed.pattern.as_ref().or(header.pattern.as_ref());
        Ok(Self {
            options: reading_options(metric.map(String::as_str), pattern.map(String::as_str))?,
            tolerance: match &typed.tolerance {
                Some(typed) => words::tolerance(Some(typed))?,
                None => header.tolerance,
            },
            steps: header.steps,
            invariant: header.invariant,
        })
    }
}

/// A recorded run with what the parser sees in its log today.
struct Replayed {
    run: Run,
    reading: Reading,
    log: PathBuf,
}

impl Replayed {
    fn new(recorded: &Recorded, run: &Run, rule: &Rule) -> Result<Self> {
        let log = recorded.folder.join(&run.log);
        let mut reading =
            if log.is_file() { outputs::read(&log, &rule.options)? } else { Reading::nothing("", "it left no log") };
        // As the audit did where a job prints nothing.
        let flight = recorded.folder.join("flights").join(&run.id);
        if !reading.shows_result()
            && probe::asks_for_recording(&flight)
            && let Some(losses) = probe::flight::read(&flight, &recorded.header.folder)
                .ok()
                .as_ref()
                .and_then(compare::flight::exact_losses)
        {
            reading = losses;
        }
        if let Some(most) = rule.steps {
            compare::beginning::cut(&mut reading, most);
        }
        Ok(Self { run: run.clone(), reading, log })
    }

    fn compared(&self) -> Compared<'_> {
        Compared { name: &self.run.id, reading: &self.reading, log: &self.log }
    }

    fn member(&self) -> Member<'_> {
        let end = if self.run.status == Status::Finished { End::Complete } else { End::Cut };
        Member { name: &self.run.id, reading: &self.reading, end }
    }
}

/// A treatment, with the runs that were compared at it.
struct Planned {
    treatment: Treatment,
    runs: Vec<Replayed>,
    /// What the audit said of it, where no log can: it was skipped, or a level did not take effect.
    said: Option<TreatmentResult>,
}

impl Planned {
    fn members(&self) -> Vec<&Replayed> {
        self.runs.iter().collect()
    }
}

fn again(records: &[Recorded], answers: &[Option<Audit>], rule: &Rule) -> Result<Audit> {
    let mut planned: Vec<Planned> = Vec::new();
    for (number, (recorded, answer)) in (1..).zip(records.iter().zip(answers)) {
        let number = (records.len() > 1).then_some(number);
        for one in treatments(recorded, answer.as_ref(), rule, number)? {
            match planned.iter_mut().find(|known| known.treatment.id == one.treatment.id) {
                Some(known) => {
                    known.runs.extend(one.runs);
                    known.said = known.said.take().or(one.said);
                }
                None => planned.push(one),
            }
        }
    }
    let mut audit = compared(&planned, rule);
    audit.warnings.splice(0..0, records.iter().flat_map(|recorded| recorded.warnings.iter().cloned()));
    if let [Some(answer)] = answers {
        (audit.blame, audit.not_checked) = (answer.blame.clone(), answer.not_checked.clone());
        // No log tells how long a step took.
        for effect in &mut audit.effects {
            let known = answer.effects.iter().find(|known| known.setting == effect.setting);
            effect.prices = known.map(|known| known.prices.clone()).unwrap_or_default();
        }
    }
    audit.environment = records.first().map(|recorded| recorded.header.environment.clone());
    audit.record = records.first().map(|recorded| recorded.folder.clone());
    audit.runs = planned.into_iter().flat_map(|one| one.runs).map(|one| one.run).collect();
    checkpoints(&mut audit, records, rule.tolerance);
    Ok(audit)
}

/// The treatments of one audit, as its answer lists them; as far as its plans tell, where it never came to one.
fn treatments(recorded: &Recorded, answer: Option<&Audit>, rule: &Rule, number: Option<usize>) -> Result<Vec<Planned>> {
    let replayed = |run: &Run| -> Result<Replayed> {
        let one = Replayed::new(recorded, run, rule)?;
        let id = number.map_or_else(|| run.id.clone(), |number| format!("{number}/{}", run.id));
        Ok(Replayed { run: Run { id, ..one.run }, ..one })
    };
    let Some(stored) = answer else {
        let asked = recorded.treatments.iter().filter(|treatment| is_asked_for(&treatment.id));
        let planned = |treatment: &Treatment| {
            let runs = recorded.runs.iter().filter(|run| run.treatment == treatment.id && is_bare(recorded, run));
            let runs = runs.map(replayed).collect::<Result<Vec<_>>>()?;
            Ok(Planned { treatment: treatment.clone(), runs, said: None })
        };
        return asked.map(planned).collect();
    };
    let planned = |result: &TreatmentResult| {
        let runs = stored.runs.iter().filter(|run| result.runs.contains(&run.id));
        let said = Some(result).filter(|result| is_beyond_logs(result, &stored.runs)).cloned();
        Ok(Planned { treatment: result.treatment.clone(), runs: runs.map(replayed).collect::<Result<_>>()?, said })
    };
    stored.treatments.iter().map(planned).collect()
}

/// Whether an outcome has another reason than what the runs showed.
fn is_beyond_logs(result: &TreatmentResult, runs: &[Run]) -> bool {
    let not_in_effect = |run: &Run| result.treatment.settings.keys().any(|id| !run.read_back.contains_key(id));
    match result.outcome {
        None => true,
        Some(Outcome::Unresolved(_)) => {
            result.runs.is_empty() || runs.iter().filter(|run| result.runs.contains(&run.id)).any(not_in_effect)
        }
        _ => false,
    }
}

/// What the treatments show, compared again.
fn compared(planned: &[Planned], rule: &Rule) -> Audit {
    let mut audit = Audit { tolerance: rule.tolerance, ..Audit::blank("run") };
    let groups: Vec<compare::Group> = planned.iter().map(|one| group(&one.members(), rule)).collect();
    let results = planned.iter().zip(&groups).map(|(one, group)| {
        let runs = one.runs.iter().map(|one| one.run.id.clone()).collect();
        let found = Some(group.outcome.clone());
        let now = TreatmentResult { treatment: one.treatment.clone(), outcome: found, notes: Vec::new(), runs };
        one.said.clone().map_or(now.clone(), |said| TreatmentResult { runs: now.runs, ..said })
    });
    let results: Vec<TreatmentResult> = results.collect();
    audit.effects = effects(planned, &results, rule);
    let shown = overall::shown(&results);
    if let Some((one, group)) = planned.get(shown).zip(groups.get(shown)) {
        let members: Vec<Compared<'_>> = one.runs.iter().map(Replayed::compared).collect();
        findings::conclude(&mut audit, group, &members);
        overall::place(&mut audit, &results, shown);
        overall::judge(&mut audit, &results, rule.invariant);
        let others = planned.iter().enumerate().filter(|(at, _)| *at != shown).flat_map(|(_, other)| &other.runs);
        let drawn: Vec<Compared<'_>> = one.runs.iter().chain(others).map(Replayed::compared).collect();
        audit.curves = findings::curves(&drawn);
        audit.confidence = Some(blame::confidence(&group.classes, None));
    } else {
        "the record holds no run".clone_into(&mut audit.reason);
    }
    if audit.verdict == Verdict::Unresolved {
        audit.confidence = None;
    }
    audit.treatments = results;
    audit
}

/// What each varied setting does, from the first runs of treatments that differ in it alone.
fn effects(planned: &[Planned], results: &[TreatmentResult], rule: &Rule) -> Vec<Effect> {
    let first = |id: &str| planned.iter().find(|one| one.treatment.id == id)?.runs.first();
    let cross = |a: &str, b: &str| Some(group(&[first(a)?, first(b)?], rule).outcome);
    blame::effects(results, &cross, &|_, _| None)
}

fn group(replayed: &[&Replayed], rule: &Rule) -> compare::Group {
    let runs: Vec<&Run> = replayed.iter().map(|one| &one.run).collect();
    let members: Vec<Member<'_>> = replayed.iter().map(|one| one.member()).collect();
    let only = rule.options.metric.as_ref().map(|asked| {
        let found = replayed.iter().find_map(|one| Some(one.reading.primary()?.metric.clone()));
        found.unwrap_or_else(|| asked.clone())
    });
    judge(compare::group(&members, rule.tolerance, only.as_deref()), &runs)
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
