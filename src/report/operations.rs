//! What a probe of a library's operations gave, as a listing.

use serde_json::{Value, json};

use super::listing::{Listing, Section};
use super::words;
use crate::model::{Environment, OperationCheck, OperationProbe, ResultSpread, UnderDeterminism, Verdict};

/// The listing of a probe, with the verdict on it and the machine it was made on.
pub fn operations(probe: &OperationProbe, verdict: Verdict, reason: &str, machine: &Environment) -> Listing {
    let mut sections = vec![parting(probe, verdict, reason), repeating(probe)];
    sections.retain(|section| !section.rows.is_empty() || !section.about.is_empty());
    if !probe.skipped.is_empty() {
        sections.push(skipped(probe));
    }
    Listing {
        title: "a probe of operations",
        key: Some("group"),
        sections,
        empty: "Nothing was called.",
        json: document(probe, verdict, reason, machine),
    }
}

fn parting(probe: &OperationProbe, verdict: Verdict, reason: &str) -> Section {
    let row = |check: &OperationCheck| {
        vec![
            check.operation.clone(),
            check.pass.word().to_owned(),
            place(check),
            check.dtype.clone(),
            check.size.clone(),
            format!("{} of {}", check.spread.distinct, check.spread.calls),
            check.spread.ulps.map_or(String::new(), |ulps| ulps.to_string()),
            check.spread.relative.map_or(String::new(), |relative| format!("{relative:.1e}")),
            under_determinism(&check.deterministic),
        ]
    };
    Section {
        name: "Operations that do not repeat".to_owned(),
        about: format!("{}: {reason} ({})", words::capital(verdict.word()), probe.library),
        head: vec![
            "operation",
            "pass",
            "where",
            "type",
            "size",
            "distinct results",
            "ULPs",
            "relative",
            "deterministic algorithms",
        ],
        rows: probe.parting().map(row).collect(),
        right: vec![6, 7],
        cards: true,
        notes: Vec::new(),
    }
}

/// Checks of one operation and pass that repeat, together.
fn repeating(probe: &OperationProbe) -> Section {
    let mut groups: Vec<Vec<&OperationCheck>> = Vec::new();
    for check in probe.compared().filter(|check| check.spread.repeats() == Some(true)) {
        let same = |group: &&mut Vec<&OperationCheck>| {
            group.first().is_some_and(|first| first.operation == check.operation && first.pass == check.pass)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(check),
            None => groups.push(vec![check]),
        }
    }
    Section {
        name: "Operations that repeat".to_owned(),
        about: String::new(),
        head: vec!["operation", "pass", "under", "as with one thread", "deterministic algorithms"],
        rows: groups.iter().map(|group| together(group)).collect(),
        right: Vec::new(),
        cards: false,
        notes: Vec::new(),
    }
}

fn together(group: &[&OperationCheck]) -> Vec<String> {
    let threads: Vec<bool> = group.iter().filter_map(|check| check.as_one_thread).collect();
    let as_one = match (threads.is_empty(), threads.iter().all(|same| *same)) {
        (true, _) => String::new(),
        (false, true) => "yes".to_owned(),
        (false, false) => "no: the result depends on threads".to_owned(),
    };
    let worst = |check: &&&OperationCheck| match &check.deterministic {
        UnderDeterminism::Refuses(_) => 3.0,
        UnderDeterminism::Answers { spread, .. } if spread.repeats() == Some(false) => 2.0,
        UnderDeterminism::Answers { price, .. } => 1.0 - 1.0 / (1.0 + price.unwrap_or(0.0)),
        UnderDeterminism::NotAsked(_) => 0.0,
    };
    let hardest = group.iter().max_by(|a, b| worst(a).total_cmp(&worst(b)));
    vec![
        group.first().map_or(String::new(), |check| check.operation.clone()),
        group.first().map_or(String::new(), |check| check.pass.word().to_owned()),
        words::count(group.len(), "condition"),
        as_one,
        hardest.map_or(String::new(), |check| under_determinism(&check.deterministic)),
    ]
}

fn skipped(probe: &OperationProbe) -> Section {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (what, why) in &probe.skipped {
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, all)) => all.push(what),
            None => reasons.push((why, vec![what])),
        }
    }
    let row = |(why, all): &(&str, Vec<&str>)| {
        let more = all.len().saturating_sub(3);
        let shown = all.iter().take(3).copied().collect::<Vec<_>>().join("; ");
        let shown = if more > 0 { format!("{shown}; and {more} more") } else { shown };
        vec![shown, (*why).to_owned()]
    };
    Section {
        name: "Skipped".to_owned(),
        about: String::new(),
        head: vec!["what", "why"],
        rows: reasons.iter().map(row).collect(),
        right: Vec::new(),
        cards: true,
        notes: Vec::new(),
    }
}

/// "cpu, 2 threads", "cuda:0, cudnn.benchmark=on".
fn place(check: &OperationCheck) -> String {
    let threads = if check.threads == 0 {
        String::new()
    } else {
        format!(", {}", words::count(check.threads as usize, "thread"))
    };
    let switch = check.switch.as_ref().map(|switch| format!(", {switch}")).unwrap_or_default();
    format!("{}{threads}{switch}", check.device)
}

fn under_determinism(found: &UnderDeterminism) -> String {
    match found {
        UnderDeterminism::Answers { spread, price } => {
            let price = price.map(|price| format!(", {price:.2} x the time")).unwrap_or_default();
            match spread.repeats() {
                Some(true) => format!("repeats{price}"),
                Some(false) => format!("parts all the same, {} of {}{price}", spread.distinct, spread.calls),
                None => "called once only".to_owned(),
            }
        }
        UnderDeterminism::Refuses(_) => "refuses".to_owned(),
        UnderDeterminism::NotAsked(why) => format!("not asked: {why}"),
    }
}

fn document(probe: &OperationProbe, verdict: Verdict, reason: &str, machine: &Environment) -> Value {
    let check = |check: &OperationCheck| {
        let (word, why, under, price) = match &check.deterministic {
            UnderDeterminism::Answers { spread, price } => {
                let word = match spread.repeats() {
                    Some(true) => "repeats",
                    Some(false) => "parts",
                    None => "not-asked",
                };
                (word, None, Some(spread), *price)
            }
            UnderDeterminism::Refuses(why) => ("refuses", Some(why), None, None),
            UnderDeterminism::NotAsked(why) => ("not-asked", Some(why), None, None),
        };
        json!({
            "operation": check.operation,
            "names": check.names,
            "pass": check.pass.word(),
            "device": check.device,
            "threads": (check.threads > 0).then_some(check.threads),
            "switch": check.switch,
            "dtype": check.dtype,
            "size": check.size,
            "repeats": check.spread.repeats(),
            "spread": spread(&check.spread),
            "as_one_thread": check.as_one_thread,
            "deterministic": {
                "outcome": word,
                "reason": why,
                "spread": under.map(spread),
                "step_time_ratio": price,
            },
        })
    };
    json!({
        "schema": "repro-audit.probe/1",
        "version": env!("CARGO_PKG_VERSION"),
        "library": probe.library,
        "machine": super::json::environment(machine),
        "verdict": verdict.word(),
        "reason": reason,
        "compared": probe.compared().count(),
        "parting": probe.parting().count(),
        "checks": probe.checks.iter().map(check).collect::<Vec<_>>(),
        "skipped": probe.skipped.iter().map(|(what, why)| json!({ "what": what, "why": why })).collect::<Vec<_>>(),
    })
}

fn spread(spread: &ResultSpread) -> Value {
    json!({
        "calls": spread.calls,
        "distinct": spread.distinct,
        "first_call": spread.first,
        "ulps": spread.ulps,
        "relative": spread.relative,
    })
}
