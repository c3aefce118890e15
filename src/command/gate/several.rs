//! The audits of several jobs as one, so that every format has one document.

use crate::model::{Audit, Comparison, Curve, Divergence, Outcome, Run, TreatmentResult, Verdict};

/// Joins audits; runs and treatments carry their job's name. What a report shows at length is of the worst job.
pub fn joined(mut audits: Vec<(String, Audit)>) -> Option<Audit> {
    if audits.len() < 2 {
        return audits.pop().map(|(_, audit)| audit);
    }
    let rank = |audit: &Audit| match audit.verdict {
        Verdict::Diverged => 0,
        Verdict::Unresolved => 1,
        Verdict::Agreed => 2,
    };
    let reasons: Vec<String> = audits.iter().map(|(name, audit)| format!("{name}: {}", audit.reason)).collect();
    audits.sort_by_key(|(_, audit)| rank(audit));
    let mut all = audits.into_iter().map(|(name, audit)| named(&name, audit));
    let mut worst = all.next()?;
    for other in all {
        worst.runs.extend(other.runs);
        worst.treatments.extend(other.treatments);
        worst.not_checked.extend(other.not_checked);
        worst.warnings.extend(other.warnings);
        worst.next.extend(other.next);
    }
    worst.next.dedup();
    worst.reason = reasons.join("; ");
    Some(worst)
}

/// An audit whose runs and treatments carry the job's name.
fn named(job: &str, audit: Audit) -> Audit {
    let with = |id: &str| format!("{job}/{id}");
    let lines = |lines: Vec<String>| lines.into_iter().map(|line| format!("{job}: {line}")).collect();
    let folder = audit.record.clone().unwrap_or_default();
    let run = |run: Run| Run { id: with(&run.id), treatment: with(&run.treatment), log: folder.join(&run.log), ..run };
    Audit {
        divergence: audit.divergence.map(|divergence| parted(divergence, &with)),
        also_diverged: audit.also_diverged.into_iter().map(|divergence| parted(divergence, &with)).collect(),
        runs: audit.runs.into_iter().map(run).collect(),
        treatments: audit.treatments.into_iter().map(|result| treatment(result, &with)).collect(),
        comparisons: audit.comparisons.into_iter().map(|one| Comparison { run: with(&one.run), ..one }).collect(),
        curves: audit.curves.into_iter().map(|one| Curve { run: with(&one.run), ..one }).collect(),
        not_checked: lines(audit.not_checked),
        warnings: lines(audit.warnings),
        ..audit
    }
}

fn treatment(result: TreatmentResult, with: &dyn Fn(&str) -> String) -> TreatmentResult {
    let outcome = result.outcome.map(|outcome| match outcome {
        Outcome::Diverged(divergence) => Outcome::Diverged(parted(divergence, with)),
        other => other,
    });
    let mut treatment = result.treatment;
    treatment.id = with(&treatment.id);
    TreatmentResult { treatment, outcome, runs: result.runs.iter().map(|id| with(id)).collect(), ..result }
}

fn parted(mut divergence: Divergence, with: &dyn Fn(&str) -> String) -> Divergence {
    for value in &mut divergence.values {
        value.run = with(&value.run);
    }
    divergence
}
