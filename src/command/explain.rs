//! Treatments whose arithmetic differs can never agree to the bit: whether rounding explains how far they are apart.

use crate::compare::{self, Band};
use crate::model::{Outcome, TreatmentResult};

use super::campaign::Campaign;

/// Settings that change the order or the precision of sums, and nothing else.
const ARITHMETIC: [&str; 9] = [
    "device",
    "threads",
    "cudnn.enabled",
    "cudnn.benchmark",
    "cudnn.deterministic",
    "deterministic_algorithms",
    "cuda.tf32",
    "sdpa.backend",
    "compile",
];

/// How the notes begin that say whether rounding explains a treatment's distance from the reference.
pub const MARK: &str = "against the reference: ";

/// Notes with each treatment that repeats, and that differs from the reference in its arithmetic alone, whether rounding
/// explains how far their values are apart.
pub fn explain(campaign: &Campaign<'_>, results: &mut [TreatmentResult]) {
    let Some((reference, others)) = results.split_first_mut() else { return };
    for other in others {
        if !arithmetic_alone(reference, other)
            || [&*reference, &*other].iter().any(|r| r.outcome != Some(Outcome::Agreed))
        {
            continue;
        }
        let runs: Vec<String> = [&*reference, &*other].iter().filter_map(|r| r.runs.first().cloned()).collect();
        let compared = campaign.compared(&runs);
        let series: Vec<_> = compared.iter().filter_map(|one| one.reading.primary()).collect();
        if let [left, right] = series.as_slice() {
            let found = compare::explained(&left.points, &right.points, &Band::SINGLE);
            other.notes.push(format!("{MARK}{}", compare::band::sentence(&found)));
        }
    }
}

/// Whether two treatments differ in settings of arithmetic and in no other.
fn arithmetic_alone(a: &TreatmentResult, b: &TreatmentResult) -> bool {
    let levels = |result: &TreatmentResult, id| result.treatment.settings.get(id).cloned();
    let all = a.treatment.settings.keys().chain(b.treatment.settings.keys());
    let mut differing = all.filter(|id| levels(a, id) != levels(b, id)).peekable();
    differing.peek().is_some() && differing.all(|id| ARITHMETIC.contains(&id.as_str()))
}
