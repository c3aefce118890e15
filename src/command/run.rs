//! `repro-audit run`: repeats the job at every treatment, compares, and says what makes the difference.

use std::path::Path;

use clap::Parser;

use crate::cli::{self, Cli, Command};
use crate::error::{Error, Result};
use crate::model::{Audit, Blame, Divergence, Outcome, Run, TreatmentResult, Verdict};
use crate::{blame, exit, record, report};

use super::campaign::Campaign;
use super::findings;
use super::order::{Batch, Order};
use super::output::Output;
use super::request::{Place, Request};
use super::{checkpoint, dry_run, inside, leftovers, nodes, overall, project, saved, without_card, words};

/// Runs an audit and writes its report.
pub fn run(typed: &cli::Run) -> Result<u8> {
    match typed.continue_.as_ref().or(typed.attach.as_ref()) {
        Some(path) => {
            nothing_else(typed)?;
            let recorded = recorded_command(path)?;
            if typed.attach.is_some() && recorded.executor == "local" {
                let what = "its runs ended with the audit that started them; take it up with --continue";
                return Err(Error::Malformed { path: path.clone(), what: what.to_owned() });
            }
            let typed = cli::Run { output: typed.output.clone(), detach: false, ..recorded };
            audit(&typed, std::env::args().collect(), Some(path))
        }
        None => {
            let (run, line) = project::run(typed)?;
            audit(&run, line, None)
        }
    }
}

fn audit(typed: &cli::Run, line: Vec<String>, continued: Option<&Path>) -> Result<u8> {
    let output = Output::new(&typed.output)?;
    let request = Request { line, ..Request::new(typed)? };
    if typed.dry_run {
        output.listing(&dry_run::listing(&request)?)?;
        return Ok(exit::AGREED);
    }
    let mut campaign = Campaign::start(&request, output.progress(), continued)?;
    let mut audit = carry_out(&request, &mut campaign)?;
    audit.record = Some(campaign.folder().to_owned());
    campaign.finish(&report::json_document(&audit))?;
    output.audit(&audit)?;
    Ok(exit::code(audit.verdict))
}

/// Options that say how an answer is written, which may be others than those of the audit that goes on.
const WRITTEN: [&str; 4] = ["format", "output", "color", "quiet"];

/// What an audit was asked cannot be changed while it goes on: runs of two kinds would be compared.
fn nothing_else(typed: &cli::Run) -> Result<()> {
    let others = typed.typed.0.iter().map(|(name, _)| name.as_str()).filter(|name| !WRITTEN.contains(name));
    let mut others: Vec<String> = others.map(|name| format!("--{name}")).collect();
    others.extend((!typed.command.is_empty()).then(|| "a command".to_owned()));
    if others.is_empty() {
        return Ok(());
    }
    let what = format!("an audit goes on with its own options and command: leave out {}", others.join(", "));
    Err(Error::Misuse(what))
}

/// The options of the `run` that a record holds.
fn recorded_command(path: &Path) -> Result<cli::Run> {
    let header = record::open(path)?.header;
    match Cli::try_parse_from(&header.command_line) {
        Ok(Cli { command: Command::Run(typed) }) => Ok(*typed),
        _ => Err(Error::Malformed { path: path.to_owned(), what: "it is no record of a `run`".to_owned() }),
    }
}

/// Repeats the job at every treatment and puts together what came of it.
pub(super) fn carry_out(request: &Request, campaign: &mut Campaign<'_>) -> Result<Audit> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut results: Vec<TreatmentResult> = Vec::new();
    for treatment in &request.treatments {
        if let Some(skip) = without_card::skip(request, treatment) {
            let (batch, skipped) = without_card::carry_out(request, campaign, treatment, skip)?;
            results.push(skipped);
            batches.push(batch);
            continue;
        }
        let order = Order { treatment, repeats: request.times, stop: request.stop, recording: None };
        let mut batch = campaign.repeat(&order, &[])?;
        if let Some(seen) = inside::look(request, campaign, &order, &batch)? {
            batch = seen;
        }
        results.push(campaign.result(treatment, &batch));
        batches.push(batch);
        if campaign.interrupted().is_some() {
            break;
        }
    }
    super::explain::explain(campaign, &mut results);
    let mut audit = Audit { tolerance: request.tolerance, ..Audit::blank("run") };
    audit.effects = effects(campaign, &results);
    if !campaign.detached() {
        nodes::judge(campaign, &results, &mut audit);
    }
    conclude(request, campaign, &mut audit, &results, &batches);
    audit.blame = blame_from_matrix(request, campaign, &results, &audit);
    search_for_cause(request, campaign, &mut audit, &results, &batches)?;
    if !campaign.detached() {
        super::observe::observe(request, campaign, &mut audit, &batches)?;
    }
    audit.not_checked.extend(without_card::not_checked(request, &results));
    audit.runs = campaign.runs().iter().map(|run| shown(run, campaign.folder())).collect();
    audit.treatments = results;
    if let Some(pattern) = request.checkpoints.as_ref().filter(|_| !campaign.detached()) {
        checkpoint::runs::judge(&mut audit, campaign.folder(), pattern, request.tolerance);
    }
    audit.warnings.extend(campaign.notes().iter().cloned());
    audit.environment = Some(campaign.surroundings().clone());
    Ok(audit)
}

/// A run with its log relative to the audit's folder.
fn shown(run: &Run, folder: &Path) -> Run {
    Run { log: findings::relative(&run.log, folder), ..run.clone() }
}

/// What each varied setting does, from pairs of treatments that differ in it alone.
fn effects(campaign: &Campaign<'_>, results: &[TreatmentResult]) -> Vec<crate::model::Effect> {
    let result = |id: &str| results.iter().find(|result| result.treatment.id == id);
    let cross = |a: &str, b: &str| Some(campaign.compare(&nodes::pair(campaign, result(a)?, result(b)?)?).outcome);
    let steps =
        |result: &TreatmentResult| -> Vec<_> { result.runs.iter().map(|run| campaign.step_times(run)).collect() };
    let price = |with: &TreatmentResult, without: &TreatmentResult| {
        let both_ran = with.outcome.is_some() && without.outcome.is_some();
        both_ran.then(|| blame::price(&steps(with), &steps(without)).map_err(str::to_owned))
    };
    blame::effects(results, &cross, &price)
}

/// Searches for the cause where repeats of a treatment part: of the reference if it does, else of the first that does.
fn search_for_cause(
    request: &Request,
    campaign: &mut Campaign<'_>,
    audit: &mut Audit,
    results: &[TreatmentResult],
    batches: &[Batch],
) -> Result<()> {
    let parts = batches.iter().position(|batch| matches!(batch.group.outcome, Outcome::Diverged(_)));
    let Some((result, batch)) = parts.and_then(|at| results.get(at).zip(batches.get(at))) else { return Ok(()) };
    if !request.blame || campaign.interrupted().is_some() || campaign.detached() {
        return Ok(());
    }
    let found = super::blame::search(request, campaign, &result.treatment, batch)?;
    if let Some(divergence) = &mut audit.divergence {
        divergence.stage = found.stage;
    }
    // The log's own divergence stands; what the digits hide stands beside it, with the bits of the recorded runs.
    let exact = found.exact.filter(|_| !campaign.looks_inside());
    audit.also_diverged.extend(exact.map(|exact| Divergence { metric: "loss (exact bits)".to_owned(), ..exact }));
    audit.warnings.extend(found.notes);
    audit.not_checked.extend(found.not_checked);
    let places = blame::places(results, &audit.effects);
    audit.blame = Some(merge(found.blame, audit.blame.take(), &places));
    Ok(())
}

/// The search's answer, with the levels at which its causes show; the effect table's answer where the search found nothing.
fn merge(mut searched: Blame, matrix: Option<Blame>, places: &[String]) -> Blame {
    let found = searched.causes.iter().any(|cause| cause.id != "unknown");
    match matrix {
        Some(matrix) if !found && !matrix.causes.is_empty() => Blame { causes: matrix.causes, ..searched },
        _ => {
            for cause in &mut searched.causes {
                cause.evidence.splice(0..0, places.iter().cloned());
            }
            searched
        }
    }
}

fn blame_from_matrix(
    request: &Request,
    campaign: &Campaign<'_>,
    results: &[TreatmentResult],
    audit: &Audit,
) -> Option<Blame> {
    if !request.blame {
        return None;
    }
    let question = if request.invariant { blame::Question::Invariance } else { blame::Question::Repeats };
    let steps = campaign.runs().iter().map(|run| run.points as u64).sum();
    blame::matrix(results, &audit.effects, question).map(|blame| Blame { steps_used: steps, ..blame })
}

fn runs_of<'c>(campaign: &'c Campaign<'_>, batch: &'c Batch) -> impl Iterator<Item = &'c Run> {
    campaign.runs().iter().filter(|run| batch.runs.contains(&run.id))
}

/// Verdict, reason and what a reader sees first.
fn conclude(
    request: &Request,
    campaign: &Campaign<'_>,
    audit: &mut Audit,
    results: &[TreatmentResult],
    batches: &[Batch],
) {
    let shown = overall::shown(results);
    let Some(batch) = batches.get(shown) else {
        audit.reason = "nothing was run".to_owned();
        return;
    };
    let compared = campaign.compared(&batch.runs);
    findings::conclude(audit, &batch.group, &compared);
    let shown_first = |at: &usize| usize::from(*at != shown);
    let mut drawn: Vec<usize> = (0..batches.len()).collect();
    drawn.sort_by_key(shown_first);
    let drawn: Vec<String> = drawn.iter().flat_map(|at| &batches[*at].runs).cloned().collect();
    audit.curves = findings::curves(&campaign.compared(&drawn));
    overall::place(audit, results, shown);
    overall::judge(audit, results, request.invariant);
    audit.warnings.extend(saved::sentence(campaign.runs(), &batch.runs, &|run| campaign.steps_shown(run)));
    let compared_any = !matches!(batch.group.outcome, Outcome::Unresolved(_));
    audit.confidence = compared_any.then(|| blame::confidence(&batch.group.classes, request.detect));
    if !compared_any && !batch.runs.is_empty() && runs_of(campaign, batch).all(Run::is_silent) {
        let next =
            "repro-audit run --metric-files -- CMD {metrics}   # where the job writes its metrics to files in a folder";
        audit.next.push(next.to_owned());
    }
    if !compared_any && leftovers::may_be_in_the_way(campaign, &batch.runs) {
        audit.warnings.push(
            "only the first run ended well, and it left files in the working folder, which may be in the way"
                .to_owned(),
        );
        audit.next.push(format!("repro-audit run --set leftovers=off -- {}", words::command(&request.command)));
    }
    if audit.verdict == Verdict::Agreed && request.place == Place::Here {
        let handed_on = results.get(shown).and_then(|of| leftovers::handed_on(campaign, &of.treatment, &of.runs));
        audit.warnings.extend(handed_on);
    }
    if campaign.detached() {
        audit.verdict = Verdict::Unresolved;
        audit.reason = format!("{} runs were submitted, and nothing was compared yet", campaign.runs().len());
        audit.next.push(format!("repro-audit run --attach {}", words::shell(&campaign.folder().display().to_string())));
    }
    if campaign.interrupted().is_some() {
        audit.verdict = if audit.verdict == Verdict::Diverged { Verdict::Diverged } else { Verdict::Unresolved };
        audit.reason = "the audit was interrupted".to_owned();
        audit
            .next
            .push(format!("repro-audit run --continue {}", words::shell(&campaign.folder().display().to_string())));
    }
}
