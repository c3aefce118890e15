//! The facts of this machine that can change a result: system, processor, memory, cards, and variables that libraries read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::model::Environment;

/// Variables that change arithmetic, order or threads, recorded with their values where they are set.
const VARIABLES: &[&str] = &[
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "MKL_CBWR",
    "MKL_NUM_THREADS",
    "NCCL_ALGO",
    "NCCL_NVLS_ENABLE",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "XLA_FLAGS",
];

/// Instruction sets by which numeric libraries pick their kernels; other processor flags say nothing about results.
const INSTRUCTION_SETS: &[&str] =
    &["sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "neon", "asimd", "sve"];

/// What this machine is, as far as results can depend on it.
///
/// A fact that cannot be read is left out; nothing here fails.
pub fn machine() -> Environment {
    let mut facts = BTreeMap::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()) {
            facts.insert(name.to_owned(), value);
        }
    };
    add("tool", Some(format!("repro-audit {}", env!("CARGO_PKG_VERSION"))));
    add("os", os_release(&read("/etc/os-release").unwrap_or_default()));
    add("os.kernel", read("/proc/sys/kernel/osrelease"));
    add("os.architecture", Some(std::env::consts::ARCH.to_owned()));
    let processor = read("/proc/cpuinfo").unwrap_or_default();
    add("cpu.model", field(&processor, "model name"));
    add("cpu.instruction_sets", instruction_sets(&processor));
    add("cpu.cores", std::thread::available_parallelism().ok().map(|cores| cores.to_string()));
    add("memory", read("/proc/meminfo").and_then(|text| field(&text, "MemTotal")));
    add("driver.nvidia", read("/proc/driver/nvidia/version").and_then(|text| driver(&text)));
    for (index, model) in cards().into_iter().enumerate() {
        add(&format!("card.{index}"), Some(model));
    }
    for name in VARIABLES {
        add(&format!("env.{name}"), std::env::var(name).ok());
    }
    Environment { facts }
}

/// What drivers put there: NVIDIA's, AMD's, and the one inside WSL.
const CARD_DEVICES: &[&str] = &["/dev/nvidiactl", "/dev/kfd", "/dev/dxg"];

/// Whether a driver of cards is at work here.
pub fn has_card() -> bool {
    !cards().is_empty() || CARD_DEVICES.iter().any(|device| Path::new(device).exists())
}

/// Host name, as the kernel knows it.
pub fn host() -> String {
    read("/proc/sys/kernel/hostname").map_or_else(|| "localhost".to_owned(), |name| name.trim().to_owned())
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// `PRETTY_NAME` of an os-release file (os-release(5)).
fn os_release(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"').to_owned())
}

/// The first `name : value` line of a file such as /proc/cpuinfo.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn instruction_sets(processor: &str) -> Option<String> {
    let flags = field(processor, "flags").or_else(|| field(processor, "Features"))?;
    let present: BTreeSet<&str> = flags.split_whitespace().collect();
    let known: Vec<&str> = INSTRUCTION_SETS.iter().copied().filter(|name| present.contains(name)).collect();
    Some(known.join(" "))
}

/// The version number in the driver's own sentence: "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.03  …".
fn driver(text: &str) -> Option<String> {
    let first = text.lines().next()?;
    let is_version = |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    first.split_whitespace().find(is_version).map(str::to_owned)
}

/// Models of the NVIDIA cards that the kernel's driver lists.
fn cards() -> Vec<String> {
    let Ok(folder) = fs::read_dir(Path::new("/proc/driver/nvidia/gpus")) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = folder.flatten().map(|entry| entry.path().join("information")).collect();
    paths.sort();
    paths.iter().filter_map(|path| field(&fs::read_to_string(path).ok()?, "Model")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_tables() {
        assert_eq!(os_release("NAME=x\nPRETTY_NAME=\"Debian 12\"\n").as_deref(), Some("Debian 12"));
        assert_eq!(field("model name\t: Xeon\n", "model name").as_deref(), Some("Xeon"));
        assert_eq!(instruction_sets("flags\t: fpu avx512f avx avx2\n").as_deref(), Some("avx avx2 avx512f"));
        let sentence = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.03  Tue Oct 7\nGCC version:";
        assert_eq!(driver(sentence).as_deref(), Some("580.159.03"));
    }

    #[test]
    fn knows_something_of_the_machine_it_runs_on() {
        let facts = machine().facts;
        assert!(facts.contains_key("cpu.cores") && facts.contains_key("os.architecture"), "{facts:?}");
        assert!(!host().is_empty());
    }
}
