//! `repro-audit-operations`: calls libtorch's operations and prints what came of each, one JSON line at a time.
//!
//! `repro-audit probe` starts it. It is a program of its own so that the auditor itself never loads libtorch, and so that
//! an operation that ends the process takes nothing else with it. In: one JSON argument. Out: lines `about`, `begin`,
//! `check`, `skip`, `end`; `src/probe/libtorch.rs` reads them.

mod case;
mod catalogue;
mod switches;
mod tally;
mod trial;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use repro_audit::model::{OperationCheck, Pass};
use repro_audit::probe::libtorch::line;
use serde_json::{Value, json};
use tch::{Cuda, Device, Kind};

use case::Case;
use catalogue::{Operation, Switches, operations};
use tally::Tally;
use trial::{Half, Tried, trial};

/// What is asked for.
struct Asked {
    devices: Vec<String>,
    threads: Vec<u32>,
    times: u32,
    only: Vec<String>,
    dtypes: Vec<String>,
    sizes: Vec<String>,
    first: usize,
}

fn main() -> ExitCode {
    let Some(asked) = std::env::args().nth(1).and_then(|text| read(&text)) else {
        let _ = writeln!(io::stderr(), "repro-audit-operations is started by `repro-audit probe`");
        return ExitCode::from(2);
    };
    match probe(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader is gone; there is nobody to tell.
        Err(_) => ExitCode::from(2),
    }
}

fn read(text: &str) -> Option<Asked> {
    let value: Value = serde_json::from_str(text).ok()?;
    let words = |name: &str| -> Option<Vec<String>> {
        value.get(name)?.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    Some(Asked {
        devices: words("devices")?,
        threads: value.get("threads")?.as_array()?.iter().map(number).collect::<Option<_>>()?,
        times: number(value.get("times")?)?,
        only: words("only")?,
        dtypes: words("dtypes")?,
        sizes: words("sizes")?,
        first: usize::try_from(value.get("first")?.as_u64()?).ok()?,
    })
}

fn say(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn probe(asked: &Asked) -> io::Result<()> {
    let version = switches::version().map_or_else(|| "libtorch".to_owned(), |version| format!("libtorch {version}"));
    say(&json!({ "about": { "library": version } }))?;
    let mut units: Vec<(Device, &Operation)> = Vec::new();
    for device in devices(&asked.devices)? {
        units.extend(operations().filter(|o| wanted(asked, o)).map(|operation| (device, operation)));
    }
    for (number, (device, operation)) in units.iter().enumerate().skip(asked.first) {
        say(&json!({ "begin": { "number": number, "operation": operation.name, "device": word(*device) } }))?;
        for size in &asked.sizes {
            for dtype in &asked.dtypes {
                for setting in settings(operation.switches, *device) {
                    Conditions { asked, device: *device, operation, size, dtype, setting }.check()?;
                }
            }
        }
    }
    say(&json!({ "end": units.len() }))
}

fn wanted(asked: &Asked, operation: &Operation) -> bool {
    let text = format!("{} {}", operation.name, operation.names);
    asked.only.is_empty() || asked.only.iter().any(|part| text.contains(part.as_str()))
}

/// The devices meant by the words, those that are not there said.
fn devices(words: &[String]) -> io::Result<Vec<Device>> {
    if words.iter().any(|word| word != "cpu") {
        switches::load_cards();
    }
    let cards = usize::try_from(Cuda::device_count()).unwrap_or(0);
    let mut found = Vec::new();
    for text in words {
        let meant: Vec<Device> = match text.split_once(':') {
            None if text == "cpu" => vec![Device::Cpu],
            None if text == "cuda" => (0..cards).map(Device::Cuda).collect(),
            Some(("cuda", index)) => {
                index.parse().ok().filter(|index| *index < cards).map(Device::Cuda).into_iter().collect()
            }
            _ => Vec::new(),
        };
        if meant.is_empty() {
            let why = if cards == 0 { "no CUDA device".to_owned() } else { format!("there are {cards} CUDA devices") };
            say(&json!({ "skip": { "what": text, "why": why } }))?;
        }
        found.extend(meant.into_iter().filter(|device| !found.contains(device)).collect::<Vec<_>>());
    }
    Ok(found)
}

fn word(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

/// A switch held at other than its default.
#[derive(Clone, Copy)]
enum Setting {
    Default,
    Cudnn(switches::Switch, bool),
    /// One attention kernel, the others off.
    Attention(usize),
}

fn settings(switches: Switches, device: Device) -> Vec<Setting> {
    let mut found = vec![Setting::Default];
    match switches {
        Switches::Cudnn if device.is_cuda() => found.extend([
            Setting::Cudnn(switches::CUDNN_BENCHMARK, true),
            Setting::Cudnn(switches::CUDNN_DETERMINISTIC, true),
            Setting::Cudnn(switches::CUDNN_ENABLED, false),
        ]),
        // Memory-efficient and cuDNN attention exist on cards only.
        Switches::Attention if device.is_cuda() => found.extend((0..4).map(Setting::Attention)),
        Switches::Attention => found.extend((0..2).map(Setting::Attention)),
        Switches::Cudnn | Switches::None => {}
    }
    found
}

impl Setting {
    fn name(self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::Cudnn(switch, on) => Some(format!("{}={}", switch.name, if on { "on" } else { "off" })),
            Self::Attention(index) => Some(format!("sdpa.backend={}", switches::ATTENTION[index].name)),
        }
    }

    fn hold(self) -> Result<(), String> {
        match self {
            Self::Default => Ok(()),
            Self::Cudnn(switch, on) => switch.set(on),
            Self::Attention(index) => {
                switches::ATTENTION.iter().enumerate().try_for_each(|(at, switch)| switch.set(at == index))
            }
        }
    }

    fn release(self) -> Result<(), String> {
        match self {
            Self::Default => Ok(()),
            Self::Cudnn(switch, on) => switch.set(!on),
            Self::Attention(_) => switches::ATTENTION.iter().try_for_each(|switch| switch.set(true)),
        }
    }
}

/// One operation under one set of conditions.
struct Conditions<'a> {
    asked: &'a Asked,
    device: Device,
    operation: &'a Operation,
    size: &'a str,
    dtype: &'a str,
    setting: Setting,
}

impl Conditions<'_> {
    /// Calls the operation at every number of threads and says what came of it.
    fn check(&self) -> io::Result<()> {
        let Some(kind) = kind(self.dtype) else { return self.skip("no such type of elements") };
        if let Err(why) = self.setting.hold() {
            return self.skip(&why);
        }
        let call = (self.operation.make)(&mut Case::new(kind, self.device, self.size == "large"));
        let shape = call.leaves.first().map(|leaf| format!("{:?}", leaf.size())).unwrap_or_default();
        let mut one_thread: BTreeMap<Pass, Tally> = BTreeMap::new();
        let threads: &[u32] = if self.device.is_cuda() { &[0] } else { &self.asked.threads };
        for threads in threads {
            if *threads > 0 {
                tch::set_num_threads(i32::try_from(*threads).unwrap_or(i32::MAX));
            }
            match trial(&call, self.device, self.asked.times) {
                Ok(tried) => self.tell(tried, *threads, &shape, &mut one_thread)?,
                Err(why) => {
                    self.skip(&why)?;
                    break;
                }
            }
        }
        self.setting.release().or_else(|why| self.skip(&why))
    }

    fn skip(&self, why: &str) -> io::Result<()> {
        let setting = self.setting.name().map(|name| format!(", {name}")).unwrap_or_default();
        let what = format!("{} on {}, {}, {}{setting}", self.operation.name, word(self.device), self.dtype, self.size);
        say(&json!({ "skip": { "what": what, "why": why } }))
    }

    fn tell(&self, tried: Tried, threads: u32, shape: &str, one_thread: &mut BTreeMap<Pass, Tally>) -> io::Result<()> {
        self.half(Pass::Forward, tried.forward, threads, shape, one_thread)?;
        match tried.backward {
            Some(Ok(half)) => self.half(Pass::Backward, half, threads, shape, one_thread),
            Some(Err(why)) => self.skip(&format!("its gradients: {why}")),
            None => Ok(()),
        }
    }

    fn half(
        &self,
        pass: Pass,
        half: Half,
        threads: u32,
        shape: &str,
        one_thread: &mut BTreeMap<Pass, Tally>,
    ) -> io::Result<()> {
        let check = OperationCheck {
            operation: self.operation.name.to_owned(),
            names: self.operation.names.split_whitespace().map(str::to_owned).collect(),
            pass,
            device: word(self.device),
            threads,
            switch: self.setting.name(),
            dtype: self.dtype.to_owned(),
            size: format!("{} {shape}", self.size).trim_end().to_owned(),
            spread: half.tally.spread(),
            as_one_thread: one_thread.get(&pass).map(|tally| tally.begins_as(&half.tally)),
            deterministic: half.deterministic,
        };
        say(&line(&check))?;
        if threads == 1 {
            one_thread.insert(pass, half.tally);
        }
        Ok(())
    }
}

fn kind(dtype: &str) -> Option<Kind> {
    Some(match dtype {
        "float16" => Kind::Half,
        "bfloat16" => Kind::BFloat16,
        "float32" => Kind::Float,
        "float64" => Kind::Double,
        _ => return None,
    })
}
