//! One environment as a listing, or only what differs between several.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json;
use super::listing::{Listing, Section};
use crate::model::Environment;

/// The groups in which facts are shown, with the names (or the parts before the first dot) that belong to them.
const GROUPS: &[(&str, &[&str])] = &[
    ("Machine", &["os", "kernel", "host", "node", "cpu", "cores", "memory", "machine", "arch", "libc", "isa"]),
    ("Graphics", &["cuda", "cudnn", "driver", "card", "gpu", "nccl", "cublas", "rocm"]),
    (
        "Software",
        &["python", "torch", "numpy", "libtorch", "package", "module", "library", "lib", "version", "blas", "mkl"],
    ),
    ("Variables", &["env", "variable"]),
];

/// The last group, for what belongs to none.
const REST: &str = "Other";

fn group(fact: &str) -> &'static str {
    let head = fact.split('.').next().unwrap_or(fact);
    GROUPS.iter().find(|(_, names)| names.contains(&head)).map_or(REST, |(group, _)| group)
}

fn groups() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(group, _)| *group).chain([REST])
}

/// A fact that differs: its name and its text in each environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The group it belongs to.
    pub group: &'static str,
    /// Its name.
    pub fact: &'a str,
    /// Its text in each environment; `None` where that one lacks it.
    pub values: Vec<Option<&'a str>>,
}

/// The facts that are not the same in all environments, in the order of the groups.
pub fn differences<'a>(environments: &[&'a Environment]) -> Vec<Difference<'a>> {
    let mut facts: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
    for (index, environment) in environments.iter().enumerate() {
        for (name, text) in &environment.facts {
            facts.entry(name).or_insert_with(|| vec![None; environments.len()])[index] = Some(text);
        }
    }
    facts.retain(|_, values| values.iter().any(|value| value != &values[0]));
    let of = |wanted| facts.iter().filter(move |(fact, _)| group(fact) == wanted);
    let difference = |(fact, values): (&&'a str, &Vec<Option<&'a str>>)| Difference {
        group: group(fact),
        fact,
        values: values.clone(),
    };
    groups().flat_map(|wanted| of(wanted).map(difference)).collect()
}

/// The listing of one environment.
pub fn environment(environment: &Environment) -> Listing {
    let sections = groups().filter_map(|wanted| {
        let of = environment.facts.iter().filter(|(fact, _)| group(fact) == wanted);
        let rows: Vec<Vec<String>> = of.map(|(fact, text)| vec![fact.clone(), text.clone()]).collect();
        (!rows.is_empty()).then(|| section(wanted, vec!["fact", "value"], rows))
    });
    Listing {
        title: "an environment",
        key: Some("group"),
        sections: sections.collect(),
        empty: "Nothing is known of this environment.",
        json: json!({ "schema": "repro-audit.environment/1", "facts": json::environment(environment) }),
    }
}

/// The listing of what differs between two environments, each with its name.
pub fn environment_differences(names: [&str; 2], environments: [&Environment; 2]) -> Listing {
    let differences = differences(&environments);
    let text = |value: Option<&str>| value.unwrap_or("(not there)").to_owned();
    let sections = groups().filter_map(|wanted| {
        let of = differences.iter().filter(|difference| difference.group == wanted);
        let row = |difference: &Difference| {
            vec![
                difference.fact.to_owned(),
                text(difference.values[0]),
                text(difference.values[1]),
                how(difference.values[0], difference.values[1]).to_owned(),
            ]
        };
        let rows: Vec<Vec<String>> = of.map(row).collect();
        let mut section = section(wanted, vec!["fact", "first", "second", "the second is"], rows);
        section.about = format!("first: {}, second: {}", names[0], names[1]);
        (!section.rows.is_empty()).then_some(section)
    });
    let document = |difference: &Difference| -> Value {
        json!({
            "fact": difference.fact,
            "group": difference.group,
            "first": difference.values[0],
            "second": difference.values[1],
            "change": how(difference.values[0], difference.values[1]),
        })
    };
    let json = json!({
        "schema": "repro-audit.environment-differences/1",
        "first": names[0],
        "second": names[1],
        "differences": differences.iter().map(document).collect::<Vec<_>>(),
    });
    let sections = sections.collect();
    Listing {
        title: "the differences of environments",
        key: Some("group"),
        sections,
        empty: "The two environments do not differ in anything that was recorded.",
        json,
    }
}

fn section(name: &str, head: Vec<&'static str>, rows: Vec<Vec<String>>) -> Section {
    Section {
        name: name.to_owned(),
        about: String::new(),
        head,
        rows,
        right: Vec::new(),
        cards: false,
        notes: Vec::new(),
    }
}

/// What became of a fact, versions compared as versions.
fn how(first: Option<&str>, second: Option<&str>) -> &'static str {
    let (Some(first), Some(second)) = (first, second) else {
        return if first.is_none() { "new" } else { "gone" };
    };
    match (version(first), version(second)) {
        (Some(a), Some(b)) if a < b => "newer",
        (Some(a), Some(b)) if a > b => "older",
        _ => "different",
    }
}

/// The numbers of a version such as `2.13.0+cu130`; `None` for text that is none.
fn version(text: &str) -> Option<Vec<u64>> {
    let numbers = text.trim().trim_start_matches('v');
    let end = numbers.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(numbers.len());
    let parts: Option<Vec<u64>> =
        numbers[..end].trim_end_matches('.').split('.').map(|part| part.parse().ok()).collect();
    parts.filter(|parts| parts.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(facts: &[(&str, &str)]) -> Environment {
        Environment { facts: facts.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect() }
    }

    #[test]
    fn only_what_differs_is_listed_in_the_order_of_the_groups() {
        let a = facts(&[("os", "Linux"), ("torch", "2.9.1"), ("cpu", "A"), ("weird", "1")]);
        let b = facts(&[("os", "Linux"), ("torch", "2.13.0"), ("cpu", "B")]);
        let listing = environment_differences(["a", "b"], [&a, &b]);
        let rows: Vec<String> = listing.sections.iter().flat_map(|s| &s.rows).map(|row| row.join(" ")).collect();
        assert_eq!(rows, ["cpu A B different", "torch 2.9.1 2.13.0 newer", "weird 1 (not there) gone"]);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(how(Some("2.9.1+cpu"), Some("2.13.0+cu130")), "newer");
        assert_eq!(how(Some("12.10"), Some("12.9")), "older");
        assert_eq!(how(Some("8"), Some("16")), "different");
    }
}
