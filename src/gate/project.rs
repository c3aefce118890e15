//! `repro-audit.toml`: the jobs of a project, with the options of the command line.

use std::collections::BTreeMap;

use toml::Value;
use toml::de::DeTable;

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
    /// The line of each option in its file, counted from 1; empty where it came from elsewhere.
    pub lines: BTreeMap<String, usize>,
}

/// What a project file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// What counts for every job, and for a command that is none of them.
    pub common: JobSpec,
    /// The jobs, by name; without any `[job.NAME]` the one that `common` is.
    pub jobs: Vec<JobSpec>,
}

/// The name of a job that nobody named.
pub const DEFAULT: &str = "default";

/// Reads a project file. Options outside of `[job.NAME]` count for every job; without any `[job.NAME]` they are the job.
/// `known` are the options that there are, besides `command` and `policy`.
///
/// # Errors
/// In words that begin with the line, where the file makes no sense.
pub fn parse(text: &str, known: &[String]) -> Result<Project, String> {
    let mut common: toml::Table = text.parse().map_err(|why: toml::de::Error| why.to_string())?;
    let places = DeTable::parse(text).map_err(|why| why.to_string())?;
    let common_lines = lines(text, places.get_ref());
    let at = |name: &str| common_lines.get(name).copied().unwrap_or(1);
    let jobs = match common.remove("job") {
        None => toml::Table::new(),
        Some(Value::Table(jobs)) if !jobs.is_empty() => jobs,
        Some(_) => return Err(format!("line {}: `job` is not a table of jobs: write [job.NAME]", at("job"))),
    };
    let every = spec(DEFAULT, common.clone(), common_lines.clone(), known)?;
    if jobs.is_empty() {
        return Ok(Project { jobs: vec![every.clone()], common: every });
    }
    let one = |(name, own): (String, Value)| match (own, table(places.get_ref(), &name)) {
        (Value::Table(own), Some(place)) => {
            let lines = common_lines.clone().into_iter().chain(lines(text, place)).collect();
            spec(&name, common.clone().into_iter().chain(own).collect(), lines, known)
        }
        _ => Err(format!("line {}: `job.{name}` is no table: write [job.{name}]", at("job"))),
    };
    Ok(Project { jobs: jobs.into_iter().map(one).collect::<Result<_, _>>()?, common: every })
}

/// The table of a job.
fn table<'t, 'i>(places: &'t DeTable<'i>, name: &str) -> Option<&'t DeTable<'i>> {
    places.get("job")?.get_ref().get(name)?.get_ref().as_table()
}

/// The line of each key of a table.
fn lines(text: &str, table: &DeTable<'_>) -> BTreeMap<String, usize> {
    let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
    table.keys().map(|key| (key.get_ref().to_string(), line(key.span().start))).collect()
}

fn spec(
    name: &str,
    mut table: toml::Table,
    lines: BTreeMap<String, usize>,
    known: &[String],
) -> Result<JobSpec, String> {
    let wrong = |key: &str, what: &str| format!("line {}: {what}", lines.get(key).copied().unwrap_or(1));
    let policy = table.remove("policy").map(|policy| {
        policy.try_into().map_err(|_| wrong("policy", "`policy` is repeatable, invariant, golden, envelope or known"))
    });
    let command = table.remove("command").map(|command| words(command).map_err(|why| wrong("command", &why)));
    if let Some(unknown) = table.keys().find(|key| !known.contains(key)) {
        let all = known.join(", ");
        return Err(wrong(unknown, &format!("there is no option `{unknown}`; there are: command, policy, {all}")));
    }
    Ok(JobSpec {
        name: name.to_owned(),
        command: command.transpose()?.unwrap_or_default(),
        policy: policy.transpose()?,
        options: table.into_iter().collect(),
        lines,
    })
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

    fn read(text: &str) -> Result<Project, String> {
        parse(text, &["times", "set", "full-length"].map(str::to_owned))
    }

    #[test]
    fn options_outside_count_for_every_job_and_the_jobs_own_win() {
        let text = "times = 5\n[job.a]\ncommand = 'python a.py'\n[job.b]\ncommand = ['b', 'c d']\ntimes = 2\npolicy = 'golden'\n";
        let Project { common, jobs } = read(text).expect("it is well formed");
        assert_eq!(arguments(&common.options).expect("fits"), ["--times=5"]);
        assert_eq!(jobs[0].command, ["python", "a.py"]);
        assert_eq!(arguments(&jobs[0].options).expect("fits"), ["--times=5"]);
        assert_eq!((jobs[1].command[1].as_str(), jobs[1].policy), ("c d", Some(Policy::Golden)));
        assert_eq!(arguments(&jobs[1].options).expect("fits"), ["--times=2"]);
        assert_eq!((jobs[0].lines["times"], jobs[1].lines["times"]), (1, 6));
    }

    #[test]
    fn one_job_needs_no_name() {
        let jobs = read("command = ['x']\nfull-length = true\nset = ['a=1', 'b=2']\n").expect("it is well formed").jobs;
        assert_eq!(jobs[0].name, DEFAULT);
        assert_eq!(arguments(&jobs[0].options).expect("fits"), ["--full-length", "--set=a=1", "--set=b=2"]);
    }

    #[test]
    fn says_what_is_wrong_and_on_which_line() {
        for (text, line, word) in [
            ("job = 3", "line 1:", "[job.NAME]"),
            ("times = 3\n[job]\na = 3", "line 2:", "[job.a]"),
            ("\npolicy = 'strict'", "line 2:", "policy"),
            ("times = 1\ncommand = 'a | b'", "line 2:", "list of words"),
            (
                "times = 1\n[job.a]\ntims = 2\n",
                "line 3:",
                "there is no option `tims`; there are: command, policy, times",
            ),
            ("times = ", "line 1,", "times"),
        ] {
            let told = read(text).expect_err("it is wrong");
            assert!(told.contains(line) && told.contains(word), "{text}: {told}");
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
