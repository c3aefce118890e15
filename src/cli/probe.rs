//! What was typed behind `repro-audit probe`.

use clap::Args;

use super::Output;

/// `repro-audit probe`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  repro-audit probe
  repro-audit probe --device cpu --threads 1,2 --only index --only scatter
  repro-audit probe --device cuda --output html=operations.html

Exit codes: 0 every operation called repeats, 1 some do not, 2 the tool failed or was misused, 3 nothing was compared.")]
pub struct Probe {
    /// Where to call them: cpu, cuda (every card), cuda:N
    #[arg(long, value_name = "DEVICES", value_delimiter = ',', default_values = ["cpu", "cuda"], value_parser = device)]
    pub device: Vec<String>,
    /// Threads within an operation, on the CPU [default: 1 and one per core, at least 2]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Vec<u32>,
    /// Calls of each operation with equal inputs
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..))]
    pub times: u32,
    /// Only operations with this in their name (may be given several times)
    #[arg(long, value_name = "TEXT")]
    pub only: Vec<String>,
    /// Types of the elements
    #[arg(long, value_name = "TYPES", value_delimiter = ',', default_values = ["float32", "float64", "bfloat16"],
        value_parser = ["float16", "bfloat16", "float32", "float64"])]
    pub dtype: Vec<String>,
    /// Sizes: small stays within one thread's share of work, large does not
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_values = ["small", "large"],
        value_parser = ["small", "large"])]
    pub size: Vec<String>,
    /// Do not keep the answer for later audits on this machine
    #[arg(long)]
    pub no_cache: bool,
    /// How the answer is written.
    #[command(flatten)]
    pub output: Output,
}

fn device(text: &str) -> Result<String, String> {
    let card = text.strip_prefix("cuda:").is_some_and(|index| index.parse::<usize>().is_ok());
    let known = card || ["cpu", "cuda"].contains(&text);
    known.then(|| text.to_owned()).ok_or_else(|| "a device is cpu, cuda or cuda:N".to_owned())
}
