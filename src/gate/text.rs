//! A baseline as text that reads well in a pull request: one fact per line, in a fixed order.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::Value;

use super::baseline::{Accepted, AcceptedOutcome, Baseline, Digits, Entry, JobRecord, LAST_LINE, Parts};
use super::baseline::{SeriesRecord, SketchPoint};

const HEAD: &str = "\
# What repro-audit accepted. Review it like code; `repro-audit gate --accept` renews it.
# A digest is FNV-1a (64 bits) over each point's position and the bits of its value as a double.
";

/// The whole file.
pub fn baseline(baseline: &Baseline) -> String {
    let mut out = format!("{HEAD}format = {}\n", baseline.format);
    for (name, record) in &baseline.job {
        job(&mut out, &format!("job.{}", key(name)), record);
    }
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "\n{LAST_LINE}");
    out
}

fn job(out: &mut String, path: &str, record: &JobRecord) {
    let _ = writeln!(out, "\n[{path}]\npolicy = \"{}\"", record.policy.word());
    let command: Vec<String> = record.command.iter().map(|word| string(word)).collect();
    let _ = writeln!(out, "command = [{}]", command.join(", "));
    let options: Vec<String> = record.options.iter().map(|(name, value)| format!("{} = {value}", key(name))).collect();
    let _ = writeln!(out, "options = {}", inline(&options));
    for accepted in &record.accepted {
        entry(out, &format!("{path}.accepted"), accepted);
    }
}

fn entry(out: &mut String, path: &str, entry: &Entry) {
    let _ = writeln!(out, "\n[[{path}]]\nfingerprint = {}\n\n[{path}.environment]", string(&entry.fingerprint));
    for (name, value) in &entry.environment {
        let _ = writeln!(out, "{} = {}", key(name), string(value));
    }
    for accepted in &entry.treatment {
        treatment(out, &format!("{path}.treatment"), accepted);
    }
}

fn treatment(out: &mut String, path: &str, accepted: &Accepted) {
    let _ = writeln!(out, "\n[[{path}]]\nid = {}", string(&accepted.id));
    if !accepted.settings.is_empty() {
        let _ = writeln!(out, "settings = {}", strings(&accepted.settings));
    }
    let outcome = match accepted.outcome {
        AcceptedOutcome::Agrees => "agrees",
        AcceptedOutcome::Parts => "parts",
    };
    let _ = writeln!(out, "runs = {}\npoints = {}\noutcome = \"{outcome}\"", accepted.runs, accepted.points);
    if let Some(at) = &accepted.parts {
        let _ = writeln!(out, "parts = {}", parts(at));
    }
    let _ = writeln!(out, "series = {}", series(&accepted.series));
    if accepted.others.is_empty() {
        return;
    }
    let _ = writeln!(out, "others = [");
    for other in &accepted.others {
        let _ = writeln!(out, "  {},", series(other).trim_end());
    }
    let _ = writeln!(out, "]");
}

fn parts(parts: &Parts) -> String {
    let mut fields = vec![format!("metric = {}", string(&parts.metric)), format!("index = {}", parts.index)];
    fields.extend(parts.step.map(|step| format!("step = {step}")));
    inline(&fields)
}

/// TOML 1.1 lets an inline table span lines, but older readers do not: only the array in it does.
fn series(series: &SeriesRecord) -> String {
    let digits = match series.digits {
        Digits::Exact => "\"exact bits\"".to_owned(),
        Digits::Decimals(decimals) => decimals.to_string(),
    };
    let mut fields = vec![
        format!("metric = {}", string(&series.metric)),
        format!("points = {}", series.points),
        format!("digits = {digits}"),
    ];
    fields.extend(series.digest.as_ref().map(|digest| format!("digest = {}", string(digest))));
    if !series.sketch.is_empty() {
        let points: Vec<String> = series.sketch.iter().map(|point| format!("  {},\n", sketch_point(point))).collect();
        fields.push(format!("sketch = [\n{}]", points.concat()));
    }
    inline(&fields)
}

fn sketch_point(point: &SketchPoint) -> String {
    let mut fields = vec![format!("index = {}", point.index)];
    fields.extend(point.step.map(|step| format!("step = {step}")));
    fields.push(format!("value = {}", string(&point.value)));
    fields.extend(point.mean.map(|mean| format!("mean = {}", Value::Float(mean))));
    fields.extend(point.deviation.map(|deviation| format!("deviation = {}", Value::Float(deviation))));
    fields.extend(point.through.as_ref().map(|through| format!("through = {}", string(through))));
    inline(&fields)
}

fn strings(map: &BTreeMap<String, String>) -> String {
    inline(&map.iter().map(|(name, value)| format!("{} = {}", key(name), string(value))).collect::<Vec<_>>())
}

fn inline(fields: &[String]) -> String {
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

fn string(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// A key, quoted where it must be.
fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { string(name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Policy;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let point = |index, through: &str| SketchPoint {
            index,
            step: Some(-3),
            value: "\u{1b}[31m2.30\"\n".to_owned(),
            through: Some(through.to_owned()),
            mean: Some(2.0),
            deviation: Some(1e-9),
        };
        let one = SeriesRecord {
            metric: "train/lo\"ss".to_owned(),
            points: 2,
            digits: Digits::Decimals(6),
            digest: Some("00ff".to_owned()),
            sketch: vec![point(0, "a"), point(1, "b")],
        };
        let other = SeriesRecord { sketch: Vec::new(), digest: None, digits: Digits::Exact, ..one.clone() };
        let accepted = Accepted {
            id: "num_workers=4".to_owned(),
            settings: map(&[("env.A B", "'x'")]),
            runs: 3,
            outcome: AcceptedOutcome::Parts,
            parts: Some(Parts { metric: "l".to_owned(), index: 3, step: None }),
            points: 12,
            series: one,
            others: vec![other.clone(), other],
        };
        let entry = Entry {
            fingerprint: "1".to_owned(),
            environment: map(&[("os.kernel", "6"), ("torch", "2")]),
            treatment: vec![accepted.clone(), accepted],
        };
        let record = JobRecord {
            policy: Policy::Envelope,
            command: vec!["python".to_owned(), "a b.py".to_owned(), "''' \"\"\" \\".to_owned()],
            options: [("times", Value::Integer(3)), ("vary", Value::Array(vec![Value::String("a=1,2".to_owned())]))]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            accepted: vec![entry.clone(), entry],
        };
        let written = Baseline { format: 1, job: [("my job".to_owned(), record)].into() };
        assert_eq!(Baseline::parse(&written.text()).as_ref(), Ok(&written), "{}", written.text());
    }
}
