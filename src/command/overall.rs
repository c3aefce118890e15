//! The verdict of an audit of several treatments, from what each of them showed.

use crate::model::{Audit, Outcome, TreatmentResult, Verdict};

use super::explain;

/// Enters what the treatments say together, where the one that is shown agrees: one of which nothing could be said leaves the
/// audit unresolved, and where all repeat, a varied setting that changes the result is told, and is a divergence where
/// `invariant` asks for results that do not depend on it. The audit has its effects already.
pub fn judge(audit: &mut Audit, results: &[TreatmentResult], invariant: bool) {
    if audit.verdict != Verdict::Agreed {
        return;
    }
    let unresolved = results.iter().find_map(|result| match &result.outcome {
        Some(Outcome::Unresolved(why)) => Some(format!("{}: {why}", result.treatment.id)),
        // What was asked about it was not answered: that is no agreement.
        None => Some(format!("{}, so nothing was compared with it", result.notes.join("; "))),
        _ => None,
    });
    if let Some(why) = unresolved {
        audit.verdict = Verdict::Unresolved;
        audit.reason = why;
        return;
    }
    let Some(effect) = audit.effects.iter().find(|effect| effect.changes_result == Some(true)) else { return };
    audit.reason = format!("every treatment repeats, and the result depends on {}", effect.setting);
    let notes = results.iter().flat_map(|result| &result.notes);
    if let Some(explained) = notes.into_iter().find(|note| note.starts_with(explain::MARK)) {
        audit.reason += &format!("; {explained}");
    }
    if invariant {
        audit.verdict = Verdict::Diverged;
    }
}

/// The treatment that a reader sees first: the first whose runs part, else the reference.
pub fn shown(results: &[TreatmentResult]) -> usize {
    results.iter().position(|result| matches!(result.outcome, Some(Outcome::Diverged(_)))).unwrap_or(0)
}

/// Says at which treatment the runs part, where it is not the reference: `divergence` is the reference's, and that of another
/// one stands with it.
pub fn place(audit: &mut Audit, results: &[TreatmentResult], shown: usize) {
    if let Some(result) = results.get(shown).filter(|_| shown > 0) {
        audit.divergence = None;
        audit.reason = format!("at {} {}", result.treatment.id, audit.reason);
    }
}
