//! `repro-audit.toml`: the jobs of a project, with the options of the command line.

use std::collections::BTreeMap;

use toml::Value;

use super::Policy;

/// One job as a project file, a baseline or the command line names it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobSpec {
    /// Its name.
    pub name: String,
    /// Its command; empty where none was named.
    pub command: Vec<String>,
    /// What makes its gate fail, where that was said.
    pub policy: Option<Policy>,
    /// Options of `run`, without their dashes.
    pub options: BTreeMap<String, Value>,
}

/// The name of a job that nobody named.
pub const DEFAULT: &str = "default";

/// Reads a project file. Options outside of `[job.NAME]` count for every job; without any `[job.NAME]` they are the job.
///
/// # Errors
/// In words, where the file makes no sense.
pub fn parse(text: &str) -> Result<Vec<JobSpec>, String> {
    let mut common: toml::Table = text.parse().map_err(|why: toml::de::Error| why.to_string())?;
    let jobs = match common.remove("job") {
        None => return Ok(vec![spec(DEFAULT, common)?]),
        Some(Value::Table(jobs)) if !jobs.is_empty() => jobs,
        Some(_) => return Err("`job` is not a table of jobs: write [job.NAME]".to_owned()),
    };
    let one = |(name, own): (String, Value)| match own {
        Value::Table(own) => spec(&name, common.clone().into_iter().chain(own).collect()),
        _ => Err(format!("`job.{name}` is no table: write [job.{name}]")),
    };
    jobs.into_iter().map(one).collect()
}

fn spec(name: &str, mut table: toml::Table) -> Result<JobSpec, String> {
    let policy = match table.remove("policy") {
        Some(policy) => Some(
            policy
                .try_into()
                .map_err(|_| format!("job {name}: `policy` is repeatable, invariant, golden, envelope or known"))?,
        ),
        None => None,
    };
    let command = match table.remove("command") {
        Some(command) => words(command).map_err(|why| format!("job {name}: {why}"))?,
        None => Vec::new(),
    };
    Ok(JobSpec { name: name.to_owned(), command, policy, options: table.into_iter().collect() })
}

/// A command: a list of words, or a line of plain words.
fn words(command: Value) -> Result<Vec<String>, String> {
    match command {
        Value::String(line) if line.contains(['\'', '"', '\\', '$', '|', ';', '&', '<', '>', '*', '`']) => {
            Err("`command` is a line that only a shell understands: write it as a list of words".to_owned())
        }
        Value::String(line) => Ok(line.split_whitespace().map(str::to_owned).collect()),
        Value::Array(words) => words
            .into_iter()
            .map(|word| word.as_str().map(str::to_owned).ok_or_else(|| "`command` is no list of words".to_owned()))
            .collect(),
        _ => Err("`command` is a list of words".to_owned()),
    }
}

/// What was typed for one option, as a file holds it: no value for a flag.
pub fn value(typed: &[String]) -> Value {
    let one = |text: &String| {
        // Only what comes back as it was typed is a number.
        let number = text.parse::<i64>().ok().filter(|number| number.to_string() == *text);
        number.map_or_else(|| Value::String(text.clone()), Value::Integer)
    };
    match typed {
        [] => Value::Boolean(true),
        [text] => one(text),
        several => Value::Array(several.iter().map(one).collect()),
    }
}

/// Options as the command line takes them.
///
/// # Errors
/// In words, where a value is nothing that can be typed.
pub fn arguments(options: &BTreeMap<String, Value>) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    for (name, value) in options {
        match value {
            Value::Boolean(true) => arguments.push(format!("--{name}")),
            Value::Boolean(false) => {}
            Value::Array(values) => {
                for value in values {
                    arguments.push(format!("--{name}={}", text(name, value)?));
                }
            }
            value => arguments.push(format!("--{name}={}", text(name, value)?)),
        }
    }
    Ok(arguments)
}

fn text(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        _ => Err(format!("`{name}` is no text, number, true or false, or a list of these")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_outside_count_for_every_job_and_the_jobs_own_win() {
        let text = "times = 5\n[job.a]\ncommand = 'python a.py'\n[job.b]\ncommand = ['b', 'c d']\ntimes = 2\npolicy = 'golden'\n";
        let jobs = parse(text).expect("it is well formed");
        assert_eq!(jobs[0].command, ["python", "a.py"]);
        assert_eq!(arguments(&jobs[0].options).expect("fits"), ["--times=5"]);
        assert_eq!((jobs[1].command[1].as_str(), jobs[1].policy), ("c d", Some(Policy::Golden)));
        assert_eq!(arguments(&jobs[1].options).expect("fits"), ["--times=2"]);
    }

    #[test]
    fn one_job_needs_no_name() {
        let jobs = parse("command = ['x']\nfull-length = true\nset = ['a=1', 'b=2']\n").expect("it is well formed");
        assert_eq!(jobs[0].name, DEFAULT);
        assert_eq!(arguments(&jobs[0].options).expect("fits"), ["--full-length", "--set=a=1", "--set=b=2"]);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, word) in [
            ("job = 3", "[job.NAME]"),
            ("policy = 'strict'", "policy"),
            ("command = 'a | b'", "list of words"),
            ("times = ", "times"),
        ] {
            assert!(parse(text).expect_err("it is wrong").contains(word), "{text}");
        }
        assert!(arguments(&[("x".to_owned(), Value::Table(toml::Table::new()))].into()).is_err());
    }

    #[test]
    fn what_was_typed_comes_back_as_typed() {
        for typed in [&[][..], &["3"], &["007"], &["0.10"], &["a=1", "b=2"]] {
            let typed: Vec<String> = typed.iter().map(|text| (*text).to_owned()).collect();
            let options = [("x".to_owned(), value(&typed))].into();
            let expected: Vec<String> =
                if typed.is_empty() { vec!["--x".into()] } else { typed.iter().map(|v| format!("--x={v}")).collect() };
            assert_eq!(arguments(&options).expect("fits"), expected);
        }
    }
}
