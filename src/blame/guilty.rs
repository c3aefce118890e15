//! An operation that was caught, done again on equal inputs, to the causes that it explains.

use super::name;
use super::summary::summary;
use crate::model::{Blame, Evidence, Grade, Remedy};

/// Says with every cause that the caught operation explains that it does, and gives a cause that had no name the
/// operation's where it ran on a card: `likely`, since it was seen to answer differently and nothing could hold it.
pub fn guilty_operation(blame: &mut Blame, evidence: &Evidence) {
    let Some(operation) = &evidence.operation else { return };
    for cause in blame.causes.iter_mut().filter(|cause| EXPLAINED.contains(&cause.id.as_str())) {
        cause.evidence.push(format!("{} gives different outputs for equal inputs", operation.name));
        if cause.id == "unknown" && operation.device.starts_with("cuda") {
            cause.id = name::operation(Some(evidence)).id;
            cause.grade = Grade::Likely;
            cause.summary = summary(&cause.id);
            cause.remedy = another(&operation.name);
        }
    }
}

/// Causes that come down to an operation that answers differently.
const EXPLAINED: [&str; 6] =
    ["op.nondeterministic", "cuda.atomics", "cudnn.deterministic", "sdpa.backend", "uninitialised", "unknown"];

/// What is left to do where no setting makes the operation repeat.
fn another(operation: &str) -> Remedy {
    format!("# no setting makes {operation} repeat here: do it by other operations, or move it to the CPU")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Operation};

    fn after(id: &str, device: &str, operation: &str) -> Cause {
        let cause = Cause {
            id: id.to_owned(),
            grade: Grade::Suspected,
            summary: String::new(),
            evidence: Vec::new(),
            location: None,
            remedy: String::new(),
            price: None,
        };
        let operation = Operation { name: operation.to_owned(), device: device.to_owned(), location: None };
        let mut blame = Blame { causes: vec![cause], ..Blame::default() };
        guilty_operation(&mut blame, &Evidence { operation: Some(operation), ..Evidence::default() });
        blame.causes.remove(0)
    }

    #[test]
    fn a_cause_without_a_name_gets_that_of_the_operation_on_a_card() {
        let named = after("unknown", "cuda", "aten.nll_loss2d_forward.default");
        assert_eq!((named.id.as_str(), named.grade), ("cuda.atomics", Grade::Likely));
        assert!(named.remedy.contains("nll_loss2d_forward"), "{}", named.remedy);
        assert_eq!(crate::blame::function(&[named]), "", "no call at the start of the program cures it");
        assert_eq!(after("unknown", "cuda", "aten.convolution_backward.default").id, "cudnn.deterministic");
    }

    #[test]
    fn elsewhere_the_operation_is_evidence_and_no_more() {
        let unnamed = after("unknown", "cpu", "aten.put_.default");
        assert_eq!((unnamed.id.as_str(), unnamed.grade), ("unknown", Grade::Suspected));
        assert_eq!(unnamed.evidence, ["aten.put_.default gives different outputs for equal inputs"]);
        assert_eq!(after("seed.torch", "cuda", "aten.put_.default").evidence, [] as [String; 0]);
    }
}
