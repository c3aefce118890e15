//! One job: run it, compare it with what was accepted, and prove that this could have failed.

use std::collections::BTreeMap;

use crate::compare::distance;
use crate::error::Result;
use crate::gate::{self, Accepted, Change, Entry, Finding, JobRecord, Kind, Policy, Question, Seen, environment};
use crate::model::{
    Audit, Environment, Outcome, Point, Reading, Run, SettingId, Source, Tolerance, TreatmentResult, Verdict,
};
use crate::report::{self, ProgressKind};

use super::super::campaign::Campaign;
use super::super::request::Request;
use super::super::run;
use super::canary::{self, Proof};
use super::jobs::Job;

/// What came of one job.
pub struct Answer {
    /// What a report shows.
    pub audit: Audit,
    /// What would be accepted; `None` where there is nothing worth accepting.
    pub record: Option<JobRecord>,
    /// Whether the user or the system asked for an end: no further job is to be started.
    pub interrupted: bool,
}

/// What the findings were made from.
struct Looked<'a> {
    job: &'a Job,
    request: &'a Request,
    seen: &'a [Seen<'a>],
}

/// Runs a job and compares it with what was accepted of it; with nothing, where it is to be accepted.
///
/// # Errors
/// As `run`.
pub fn one(job: &Job, known: Option<&JobRecord>, progress: ProgressKind) -> Result<Answer> {
    let request = request(job)?;
    let mut campaign = Campaign::start(&request, progress, None)?;
    let mut audit = run::carry_out(&request, &mut campaign)?;
    let seeds = canary::disturbed_seeds(job.policy, &mut campaign, &audit)?;
    let environment = campaign.surroundings().clone();
    let facts = environment::kept(&environment);
    let results = audit.treatments.clone();
    let skipped = Outcome::Unresolved("it was not run".to_owned());
    let seen: Vec<Seen<'_>> = results.iter().map(|result| look(&campaign, result, &skipped)).collect();
    let looked = Looked { job, request: &request, seen: &seen };

    let nearest = known.and_then(|known| environment::nearest(&known.accepted, &facts));
    let (accepted, changes) = nearest.unzip();
    let changes = changes.unwrap_or_default();
    let mut findings = match (known, accepted) {
        (Some(_), Some(accepted)) => looked.judged(accepted, &changes),
        _ => gate::acceptable(job.policy, &seen),
    };
    findings.extend(whole(&audit, &results, known.is_some()));
    findings.extend(known.and_then(|_| compared_otherwise(job)));
    let interrupted = campaign.interrupted().is_some();
    if interrupted {
        let what = "the gate was interrupted";
        findings.insert(0, Finding::new(Kind::NothingTested, Verdict::Unresolved, what));
    }
    let new = looked.entry(facts);
    let proof = (gate::verdict(&findings) == Verdict::Agreed).then(|| {
        let looked = canary::Looked { policy: job.policy, tolerance: request.tolerance, campaign: &campaign };
        looked.proof(&seen, &results, accepted.or(new.as_ref())).and(seeds)
    });
    let blind = proof.as_ref().is_some_and(|proof| proof.blind.is_some());
    if let Some(Proof { told, not_checked, blind }) = proof {
        audit.warnings.extend(told);
        audit.not_checked.extend(not_checked);
        let finding =
            |why| Finding::new(Kind::NothingTested, Verdict::Unresolved, format!("the gate cannot fail: {why}"));
        findings.extend(blind.map(finding));
    }
    if interrupted {
        // A `run` can be continued; a gate is run again.
        audit.next.clear();
    }
    let record = new.filter(|_| !blind && !interrupted).map(|entry| JobRecord {
        policy: job.policy,
        command: job.command.clone(),
        options: job.options.clone(),
        accepted: vec![entry],
    });
    describe(&mut audit, &looked, &findings, known);
    if let Some(accepted) = accepted.filter(|_| !changes.is_empty()) {
        let was = Environment { facts: accepted.environment.clone() };
        audit.environments = vec![("accepted".to_owned(), was), ("now".to_owned(), environment.clone())];
    }
    if environment.facts.keys().all(|fact| fact != "python") {
        let line = "versions of the job's libraries: its command starts no Python interpreter that could be asked";
        audit.not_checked.push(line.to_owned());
    }
    audit.environment = Some(environment);
    audit.record = Some(campaign.folder().to_owned());
    campaign.finish(&report::json_document(&audit))?;
    Ok(Answer { audit, record, interrupted })
}

/// The job's request, with what the policy asks for.
fn request(job: &Job) -> Result<Request> {
    let mut request = Request::new(&job.run)?;
    request.invariant = job.policy == Policy::Invariant;
    if job.policy.lets_runs_part() {
        // That it parts is known: searching for the cause at every gate would only cost.
        request.blame = false;
    }
    if job.policy == Policy::Envelope {
        request.stop.after_divergence = None;
    }
    Ok(request)
}

fn look<'a>(campaign: &'a Campaign<'_>, result: &'a TreatmentResult, skipped: &'a Outcome) -> Seen<'a> {
    let outcome = result.outcome.as_ref().unwrap_or(skipped);
    let readings: Vec<&Reading> = campaign.compared(&result.runs).into_iter().map(|one| one.reading).collect();
    let points = match outcome {
        Outcome::Unresolved(_) => 0,
        _ => campaign.compare(&result.runs).points,
    };
    Seen { treatment: &result.treatment, outcome, points, unproved: unproved(campaign.runs(), result), readings }
}

/// Settings of a treatment that some run of it did not read back.
fn unproved(runs: &[Run], result: &TreatmentResult) -> Vec<SettingId> {
    let of = |id: &&SettingId| runs.iter().any(|run| result.runs.contains(&run.id) && !run.read_back.contains_key(*id));
    result.treatment.settings.keys().filter(of).cloned().collect()
}

/// What only the audit as a whole tells: a varied setting that changes the result, exact bits that part, an interruption.
fn whole(audit: &Audit, results: &[TreatmentResult], known: bool) -> Option<Finding> {
    let says = |wanted: fn(&Outcome) -> bool| results.iter().filter_map(|one| one.outcome.as_ref()).any(wanted);
    let explained = says(|outcome| !matches!(outcome, Outcome::Agreed));
    match audit.verdict {
        Verdict::Diverged if !explained => {
            let kind = if known { Kind::DeterminismRegressed } else { Kind::NotRepeatable };
            Some(Finding::new(kind, Verdict::Diverged, audit.reason.clone()))
        }
        Verdict::Unresolved if !explained => {
            Some(Finding::new(Kind::NothingTested, Verdict::Unresolved, audit.reason.clone()))
        }
        _ => None,
    }
}

/// What is compared is not what was accepted: that it agrees says nothing of the rest.
fn compared_otherwise(job: &Job) -> Option<Finding> {
    let options = (!job.not_accepted.is_empty()).then(|| job.not_accepted.join(", "))?;
    let what = format!("what is compared changed since acceptance ({options}); accept it anew");
    Some(Finding::new(Kind::NothingTested, Verdict::Unresolved, what))
}

impl Looked<'_> {
    fn judged(&self, accepted: &Entry, changes: &[Change]) -> Vec<Finding> {
        let tolerance = self.request.tolerance;
        let equal = move |a: &Point, b: &Point| distance::equal(a, b, tolerance, Source::Printed);
        let question = Question {
            policy: self.job.policy,
            accepted,
            changes,
            tolerance: (tolerance != Tolerance::Exact).then_some(&equal),
            shortened: self.job.shortened,
        };
        gate::judge(&question, self.seen)
    }

    /// What would be accepted of this environment; `None` where of some treatment nothing could be said.
    fn entry(&self, environment: BTreeMap<String, String>) -> Option<Entry> {
        let learn = self.job.policy == Policy::Envelope;
        let treatment: Option<Vec<Accepted>> = self.seen.iter().map(|seen| gate::accepted(seen, learn)).collect();
        let fingerprint = environment::fingerprint(&environment);
        treatment.filter(|all| !all.is_empty()).map(|treatment| Entry { fingerprint, environment, treatment })
    }
}

/// Enters verdict, headline and the other findings.
fn describe(audit: &mut Audit, looked: &Looked<'_>, findings: &[Finding], known: Option<&JobRecord>) {
    audit.command = "gate".to_owned();
    audit.verdict = gate::verdict(findings);
    let worst =
        findings.iter().position(|finding| finding.verdict == audit.verdict && audit.verdict != Verdict::Agreed);
    audit.reason = match worst.and_then(|at| findings.get(at)) {
        Some(finding) => finding.sentence() + &because(audit, finding),
        None => passed(looked, findings),
    };
    let others = findings.iter().enumerate().filter(|(at, _)| Some(*at) != worst);
    audit.warnings.splice(0..0, others.map(|(_, finding)| finding.sentence()));
    if let Some(known) = known {
        audit.warnings.extend(other_job(looked.job, known));
    }
    if looked.job.run.level.is_none() && !looked.job.policy.lets_runs_part() {
        audit.not_checked.push("gradients, parameters and batches: only what the job logs was compared".to_owned());
    }
}

/// Why, where the search found out.
fn because(audit: &Audit, finding: &Finding) -> String {
    let cause = audit.blame.as_ref().and_then(|blame| blame.causes.first());
    match cause.filter(|_| matches!(finding.kind, Kind::DeterminismRegressed | Kind::NotRepeatable)) {
        Some(cause) => {
            let line = |at: &crate::model::SourceLine| format!(" ({}:{})", at.file.display(), at.line);
            let place = cause.location.as_ref().map(line).unwrap_or_default();
            format!("; cause ({}): {}, {}{place}", cause.grade.word(), cause.id, cause.summary)
        }
        None => String::new(),
    }
}

fn passed(looked: &Looked<'_>, findings: &[Finding]) -> String {
    let points: usize = looked.seen.iter().map(|seen| seen.points).sum();
    let runs: usize = looked.seen.iter().map(|seen| seen.readings.len()).sum();
    let told = |kind| findings.iter().any(|finding| finding.kind == kind);
    let but = match (told(Kind::ValuesMoved), told(Kind::EnvironmentMoved)) {
        (true, true) => "; values and environment moved",
        (true, false) => "; values moved",
        (false, true) => "; environment moved",
        (false, false) => "",
    };
    format!("as accepted under policy {}: {runs} runs, {points} points compared{but}", looked.job.policy.word())
}

/// The job is not the one that was accepted.
fn other_job(job: &Job, known: &JobRecord) -> Vec<String> {
    let mut lines = Vec::new();
    if job.command != known.command {
        let line = |words: &[String]| super::super::words::command(words);
        lines.push(format!("the command changed since acceptance: {} → {}", line(&known.command), line(&job.command)));
    }
    if job.options != known.options {
        let line = |options| gate::project::arguments(options).unwrap_or_default().join(" ");
        lines.push(format!("the options changed since acceptance: {} → {}", line(&known.options), line(&job.options)));
    }
    if job.policy != known.policy {
        lines.push(format!("accepted under policy {}, judged under {}", known.policy.word(), job.policy.word()));
    }
    lines
}
