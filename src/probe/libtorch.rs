//! Repeated calls of libtorch's operations, made by a program of their own: its lines to values.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::{OperationCheck, OperationProbe, Pass, ResultSpread, UnderDeterminism};

/// The program, which is built with the `torch` feature and lies beside this one.
const PROGRAM: &str = "repro-audit-operations";
/// Longest silence: an operation that hangs is given up.
const SILENCE: Duration = Duration::from_secs(300);
/// How often the program is started again after an operation ended it.
const MOST_DEATHS: usize = 20;
/// Most bytes of one line, and of what the program says on standard error.
const MOST: u64 = 1 << 20;

/// What is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// `cpu`, `cuda` for every card, `cuda:N`.
    pub devices: Vec<String>,
    /// Numbers of threads within an operation, in the order in which they are tried; cards have none.
    pub threads: Vec<u32>,
    /// How often each operation is called, at least twice.
    pub times: u32,
    /// Parts of names; empty for every operation.
    pub only: Vec<String>,
    /// Types of elements: `float16`, `bfloat16`, `float32`, `float64`.
    pub dtypes: Vec<String>,
    /// `small`, `large`.
    pub sizes: Vec<String>,
}

/// Calls the operations; `say` is told of each as it begins.
///
/// # Errors
/// Where the program is not there or cannot load libtorch.
pub fn operations(calls: &Calls, say: &mut dyn FnMut(&str)) -> Result<OperationProbe> {
    let program = program()?;
    let mut probe = OperationProbe::default();
    let mut first = 0;
    for _ in 0..MOST_DEATHS {
        let mut command = Command::new(&program);
        command.arg(argument(calls, first)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in VARIABLES {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        let mut child =
            command.spawn().map_err(|source| Error::Launch { program: program.display().to_string(), source })?;
        let mut heard = Heard::default();
        let ending = listen(&mut child, &mut probe, &mut heard, say);
        if heard.ended {
            return Ok(probe);
        }
        let Some((number, what)) = heard.begun else { return Err(never_began(&ending)) };
        probe.skipped.push((what, format!("libtorch ended the process: {ending}")));
        first = number + 1;
    }
    probe
        .skipped
        .push(("the remaining operations".to_owned(), "libtorch ended the process time after time".to_owned()));
    Ok(probe)
}

/// Waiting threads that spin keep a busy machine's cores from those that race, and cuBLAS has to know its workspace
/// before it is used.
const VARIABLES: [(&str, &str); 2] = [("OMP_WAIT_POLICY", "PASSIVE"), ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")];

/// The program beside this one.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()
        .map_err(|source| Error::System { doing: "find this program's own file".to_owned(), source })?;
    let beside = own.with_file_name(PROGRAM).with_extension(std::env::consts::EXE_EXTENSION);
    if beside.is_file() {
        return Ok(beside);
    }
    Err(Error::Misuse(format!(
        "this build cannot call libtorch: `{PROGRAM}` is not beside it; in the sources, `. scripts/torch-env` and `cargo \
         build --release --features torch` build both"
    )))
}

fn argument(calls: &Calls, first: usize) -> String {
    json!({
        "devices": calls.devices,
        "threads": calls.threads,
        "times": calls.times,
        "only": calls.only,
        "dtypes": calls.dtypes,
        "sizes": calls.sizes,
        "first": first,
    })
    .to_string()
}

/// The program ended before it called anything.
fn never_began(ending: &str) -> Error {
    Error::System {
        doing: "load libtorch (its folder has to be on LD_LIBRARY_PATH; `. scripts/torch-env` sets it)".to_owned(),
        source: std::io::Error::other(ending.to_owned()),
    }
}

/// What a program has said besides its checks.
#[derive(Default)]
struct Heard {
    /// The operation it is at: its number, and it in words.
    begun: Option<(usize, String)>,
    /// Whether it came to its end.
    ended: bool,
}

/// Reads the program's lines until it ends or falls silent; gives how it ended.
fn listen(child: &mut Child, probe: &mut OperationProbe, heard: &mut Heard, say: &mut dyn FnMut(&str)) -> String {
    let (sender, lines) = mpsc::channel();
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let Some(output) = output else { return };
        let mut output = BufReader::new(output);
        loop {
            let mut line = Vec::new();
            match (&mut output).take(MOST).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) if sender.send(line).is_err() => break,
                Ok(_) => {}
            }
        }
    });
    let errors = child.stderr.take();
    let said = thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(errors) = errors {
            // What cannot be read is not told; the rest is taken and dropped, so that the program never waits.
            let mut errors = BufReader::new(errors);
            let _ = (&mut errors).take(MOST).read_to_end(&mut text);
            let _ = std::io::copy(&mut errors, &mut std::io::sink());
        }
        String::from_utf8_lossy(&text).lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
    });
    let mut silent = false;
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => hear(&line, probe, heard, say),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                silent = true;
                let _ = child.kill();
                break;
            }
        }
    }
    let status = child.wait();
    let _ = reader.join();
    let last = said.join().ok().flatten().map(|line| format!(" ({})", line.trim())).unwrap_or_default();
    match status {
        _ if silent => format!("it said nothing for {} s", SILENCE.as_secs()),
        Ok(status) => format!("{status}{last}"),
        Err(error) => error.to_string(),
    }
}

fn hear(line: &[u8], probe: &mut OperationProbe, heard: &mut Heard, say: &mut dyn FnMut(&str)) {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return };
    if let Some(begin) = value.get("begin") {
        let text = |name: &str| begin.get(name).and_then(Value::as_str).unwrap_or_default();
        let what = format!("{} on {}", text("operation"), text("device"));
        say(&what);
        let number = begin.get("number").and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
        heard.begun = number.map(|number| (number, what));
    }
    heard.ended |= value.get("end").is_some();
    take(&value, probe);
}

/// Puts a line where it belongs; a line of another kind says nothing of operations.
pub(super) fn take(line: &Value, probe: &mut OperationProbe) {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(library) = line.get("about").and_then(|about| text(about, "library")) {
        probe.library = library;
    }
    if let Some(check) = line.get("check").and_then(check) {
        probe.checks.push(check);
    }
    if let Some(skip) = line.get("skip")
        && let Some(pair) = text(skip, "what").zip(text(skip, "why"))
        && !probe.skipped.contains(&pair)
    {
        probe.skipped.push(pair);
    }
}

fn check(value: &Value) -> Option<OperationCheck> {
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Some(OperationCheck {
        operation: text("operation")?,
        names: value.get("names")?.as_array()?.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        pass: if text("pass")? == Pass::Backward.word() { Pass::Backward } else { Pass::Forward },
        device: text("device")?,
        threads: number(value.get("threads")?)?,
        switch: text("switch"),
        dtype: text("dtype")?,
        size: text("size")?,
        spread: spread(value.get("spread")?)?,
        as_one_thread: value.get("as_one_thread").and_then(Value::as_bool),
        deterministic: deterministic(value.get("deterministic")?)?,
    })
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn spread(value: &Value) -> Option<ResultSpread> {
    Some(ResultSpread {
        calls: number(value.get("calls")?)?,
        distinct: number(value.get("distinct")?)?,
        first: value.get("first").and_then(number),
        ulps: value.get("ulps").and_then(Value::as_u64),
        relative: value.get("relative").and_then(Value::as_f64),
    })
}

fn deterministic(value: &Value) -> Option<UnderDeterminism> {
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    let answers = value.get("answers").and_then(spread);
    let price = value.get("price").and_then(Value::as_f64);
    answers
        .map(|spread| UnderDeterminism::Answers { spread, price })
        .or_else(|| text("refuses").map(UnderDeterminism::Refuses))
        .or_else(|| text("not_asked").map(UnderDeterminism::NotAsked))
}

/// A check as one line of the program; [`operations`] reads such lines.
pub fn line(check: &OperationCheck) -> Value {
    let spread = |spread: &ResultSpread| {
        json!({
            "calls": spread.calls,
            "distinct": spread.distinct,
            "first": spread.first,
            "ulps": spread.ulps,
            "relative": spread.relative,
        })
    };
    json!({ "check": {
        "operation": check.operation,
        "names": check.names,
        "pass": check.pass.word(),
        "device": check.device,
        "threads": check.threads,
        "switch": check.switch,
        "dtype": check.dtype,
        "size": check.size,
        "spread": spread(&check.spread),
        "as_one_thread": check.as_one_thread,
        "deterministic": match &check.deterministic {
            UnderDeterminism::Answers { spread: found, price } => json!({ "answers": spread(found), "price": price }),
            UnderDeterminism::Refuses(why) => json!({ "refuses": why }),
            UnderDeterminism::NotAsked(why) => json!({ "not_asked": why }),
        },
    } })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::probe) const CHECK: &str = r#"{"check":{"operation":"put accumulate","names":["put"],"pass":"forward",
        "device":"cpu","threads":2,"switch":null,"dtype":"float32","size":"large [64]","spread":{"calls":10,"distinct":7,
        "first":2,"ulps":12,"relative":1e-6},"as_one_thread":false,"deterministic":{"answers":{"calls":10,"distinct":1,
        "first":null,"ulps":null,"relative":null},"price":1.5}}}"#;

    fn heard(lines: &[&str]) -> (OperationProbe, Heard) {
        let (mut probe, mut heard) = (OperationProbe::default(), Heard::default());
        lines.iter().for_each(|line| hear(line.as_bytes(), &mut probe, &mut heard, &mut |_| {}));
        (probe, heard)
    }

    #[test]
    fn reads_what_came_of_an_operation() {
        let (probe, heard) = heard(&[r#"{"about":{"library":"libtorch 2.13.0"}}"#, CHECK, r#"{"end":1}"#]);
        assert!(heard.ended);
        assert_eq!(probe.library, "libtorch 2.13.0");
        let check = probe.parting().next().expect("it does not repeat");
        assert_eq!((check.spread.distinct, check.spread.ulps, check.threads), (7, Some(12), 2));
        assert!(matches!(check.deterministic, UnderDeterminism::Answers { price: Some(price), .. } if price == 1.5));
    }

    #[test]
    fn knows_where_a_program_died() {
        let (_, heard) = heard(&[r#"{"begin":{"number":4,"operation":"sort","device":"cpu"}}"#, "torn"]);
        assert_eq!(heard.begun, Some((4, "sort on cpu".to_owned())));
        assert!(!heard.ended);
    }

    #[test]
    fn takes_nothing_from_lines_that_make_no_sense() {
        let (probe, _) = heard(&["", "[]", "{\"check\":{}}", "{\"check\":{\"operation\":7}}", "\u{0}"]);
        assert_eq!(probe, OperationProbe::default());
    }
}
