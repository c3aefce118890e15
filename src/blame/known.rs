//! What is known of this machine's operations, as evidence for a cause that names one.

use crate::model::{Blame, Evidence, Operation, OperationCheck, OperationProbe};

/// Causes that come down to an operation.
const ARITHMETIC: [&str; 6] =
    ["op.nondeterministic", "cuda.atomics", "cudnn.benchmark", "cudnn.deterministic", "sdpa.backend", "threads"];

/// Adds to every cause that comes down to an operation what a probe of this machine found of that operation.
///
/// Only an operation that the record names is looked up, on the device on which it ran; that one repeated in a probe is
/// no evidence, since the job's own sizes may differ.
pub fn known(blame: &mut Blame, evidence: &Evidence, probe: &OperationProbe) {
    let named = || evidence.operation.iter().chain(&evidence.alerts);
    let mut sentences: Vec<String> = Vec::new();
    for operation in named() {
        if let Some(sentence) = worst(operation, probe).map(sentence)
            && !sentences.contains(&sentence)
        {
            sentences.push(sentence);
        }
    }
    for cause in blame.causes.iter_mut().filter(|cause| ARITHMETIC.contains(&cause.id.as_str())) {
        cause.evidence.extend(sentences.iter().cloned());
    }
}

/// The check of this operation that parts the most.
fn worst<'p>(operation: &Operation, probe: &'p OperationProbe) -> Option<&'p OperationCheck> {
    let name = plain(&operation.name);
    let cards = operation.device.starts_with("cuda");
    probe
        .parting()
        .filter(|check| check.device.starts_with("cuda") == cards && check.names.contains(&name))
        .max_by_key(|check| (check.spread.distinct, check.spread.ulps))
}

/// `aten.index_put_.default`, `aten::index_put_` and `index_put_` are one operation.
fn plain(name: &str) -> String {
    let name = name.strip_prefix("aten::").or_else(|| name.strip_prefix("aten.")).unwrap_or(name);
    let name = name.split(['.', ' ']).next().unwrap_or(name);
    name.strip_suffix('_').unwrap_or(name).to_owned()
}

fn sentence(check: &OperationCheck) -> String {
    let place = match check.threads {
        0 => format!("on {}", check.device),
        1 => "with 1 thread".to_owned(),
        threads => format!("with {threads} threads"),
    };
    let ulps = check.spread.ulps.map(|ulps| format!(", up to {ulps} ULPs apart")).unwrap_or_default();
    format!(
        "on this machine {} ({}) does not repeat {place}: {} distinct results in {} calls with equal inputs{ulps}",
        check.operation,
        check.pass.word(),
        check.spread.distinct,
        check.spread.calls
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Grade, Pass, ResultSpread, UnderDeterminism};

    fn probe(device: &str, distinct: u32) -> OperationProbe {
        let check = OperationCheck {
            operation: "index_put accumulate".to_owned(),
            names: vec!["index_put".to_owned(), "_index_put_impl".to_owned()],
            pass: Pass::Forward,
            device: device.to_owned(),
            threads: if device == "cpu" { 2 } else { 0 },
            switch: None,
            dtype: "float32".to_owned(),
            size: "large".to_owned(),
            spread: ResultSpread { calls: 10, distinct, first: Some(2), ulps: Some(9), relative: None },
            as_one_thread: None,
            deterministic: UnderDeterminism::NotAsked(String::new()),
        };
        OperationProbe { library: String::new(), checks: vec![check], skipped: Vec::new() }
    }

    fn evidence_of(cause: &str, operation: &str, probe: &OperationProbe) -> Vec<String> {
        let operation = Operation { name: operation.to_owned(), device: "cpu".to_owned(), location: None };
        let evidence = Evidence { operation: Some(operation), ..Evidence::default() };
        let cause = Cause {
            id: cause.to_owned(),
            grade: Grade::Proved,
            summary: String::new(),
            evidence: Vec::new(),
            remedy: String::new(),
            location: None,
            price: None,
        };
        let mut blame = Blame { causes: vec![cause], ..Blame::default() };
        known(&mut blame, &evidence, probe);
        blame.causes.remove(0).evidence
    }

    #[test]
    fn says_what_this_machine_does_with_the_guilty_operation() {
        let said = evidence_of("op.nondeterministic", "aten.index_put_.default", &probe("cpu", 7));
        assert_eq!(
            said,
            [
                "on this machine index_put accumulate (forward) does not repeat with 2 threads: 7 distinct results in 10 \
              calls with equal inputs, up to 9 ULPs apart"
            ]
        );
    }

    #[test]
    fn says_nothing_of_another_operation_device_or_cause_nor_of_one_that_repeats() {
        assert!(evidence_of("op.nondeterministic", "aten.put_.default", &probe("cpu", 7)).is_empty());
        assert!(evidence_of("op.nondeterministic", "aten::index_put_", &probe("cuda:0", 7)).is_empty());
        assert!(evidence_of("op.nondeterministic", "aten::index_put_", &probe("cpu", 1)).is_empty());
        assert!(evidence_of("seed.torch", "aten::index_put_", &probe("cpu", 7)).is_empty());
    }
}
