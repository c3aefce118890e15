//! `repro-audit probe`: which of libtorch's operations do not repeat on this machine.

use std::thread::available_parallelism;

use crate::cli;
use crate::error::Result;
use crate::model::{OperationProbe, Verdict};
use crate::probe::libtorch::{self, Calls};
use crate::report::Progress;
use crate::{exit, probe as facts, report};

use super::output::Output;

/// Operations between two lines of progress.
const EVERY: usize = 20;

/// Calls the operations, keeps what came of it for later audits, and shows it.
pub fn probe(typed: &cli::Probe) -> Result<u8> {
    let output = Output::new(&typed.output)?;
    let calls = Calls {
        devices: typed.device.clone(),
        threads: if typed.threads.is_empty() { one_and_several() } else { ascending(&typed.threads) },
        times: typed.times,
        only: typed.only.clone(),
        dtypes: typed.dtype.clone(),
        sizes: typed.size.clone(),
    };
    let mut progress = Progress::new(output.progress(), 0);
    let mut begun = 0;
    let mut found = libtorch::operations(&calls, &mut |operation| {
        if begun % EVERY == 0 {
            progress.message(&format!("calling {operation}"));
        }
        begun += 1;
    })?;
    let machine = facts::machine();
    if let Err(error) = keep(typed, &machine, &found) {
        // The answer is worth showing all the same.
        found.skipped.push(("keeping the answer for later audits".to_owned(), error.to_string()));
    }
    let (verdict, reason) = judge(&found);
    output.listing(&report::operations(&found, verdict, &reason, &machine))?;
    Ok(exit::code(verdict))
}

fn keep(typed: &cli::Probe, machine: &crate::model::Environment, found: &OperationProbe) -> Result<()> {
    match facts::known::folder() {
        Some(folder) if !typed.no_cache && !found.checks.is_empty() => {
            facts::known::keep(&folder, machine, found).map(drop)
        }
        _ => Ok(()),
    }
}

/// One thread first: its results are what those of several are held against.
fn one_and_several() -> Vec<u32> {
    let cores = available_parallelism().ok().and_then(|cores| u32::try_from(cores.get()).ok()).unwrap_or(2);
    vec![1, cores.max(2)]
}

fn ascending(threads: &[u32]) -> Vec<u32> {
    let mut threads = threads.to_vec();
    threads.sort_unstable();
    threads.dedup();
    threads
}

fn judge(found: &OperationProbe) -> (Verdict, String) {
    let compared = found.compared().count();
    let mut parting: Vec<&str> = found.parting().map(|check| check.operation.as_str()).collect();
    parting.dedup();
    match (compared, parting.len()) {
        (0, _) => {
            let why = found.skipped.first().map(|(what, why)| format!(": {what}: {why}")).unwrap_or_default();
            let why = if why.is_empty() { ": no operation has such a name".to_owned() } else { why };
            (Verdict::Unresolved, format!("no operation was compared{why}"))
        }
        (_, 0) => {
            (Verdict::Agreed, format!("every operation repeats, in all {compared} conditions that were compared"))
        }
        (_, operations) => {
            let checks = found.parting().count();
            (Verdict::Diverged, format!("{operations} operations do not repeat, in {checks} of {compared} conditions"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OperationCheck, Pass, ResultSpread, UnderDeterminism};

    fn check(distinct: u32) -> OperationCheck {
        OperationCheck {
            operation: "put".to_owned(),
            names: vec!["put".to_owned()],
            pass: Pass::Forward,
            device: "cpu".to_owned(),
            threads: 2,
            switch: None,
            dtype: "float32".to_owned(),
            size: "small".to_owned(),
            spread: ResultSpread { calls: 5, distinct, ..ResultSpread::default() },
            as_one_thread: None,
            deterministic: UnderDeterminism::NotAsked("not here".to_owned()),
        }
    }

    #[test]
    fn nothing_compared_is_unresolved_and_says_why() {
        let skipped = vec![("cuda".to_owned(), "no CUDA device".to_owned())];
        let (verdict, reason) = judge(&OperationProbe { skipped, ..OperationProbe::default() });
        assert_eq!(verdict, Verdict::Unresolved);
        assert!(reason.contains("no CUDA device"), "{reason}");
        let mut once = check(1);
        once.spread.calls = 1;
        assert_eq!(judge(&OperationProbe { checks: vec![once], ..OperationProbe::default() }).0, Verdict::Unresolved);
    }

    #[test]
    fn one_operation_that_parts_is_enough() {
        let of = |checks: Vec<OperationCheck>| judge(&OperationProbe { checks, ..OperationProbe::default() }).0;
        assert_eq!(of(vec![check(1), check(1)]), Verdict::Agreed);
        assert_eq!(of(vec![check(1), check(2)]), Verdict::Diverged);
    }
}
