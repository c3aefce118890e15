//! What is compared, and what counts as equal.

use clap::Args;

/// What is compared.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Comparison")]
pub struct Comparison {
    /// Compare this metric alone, instead of the training loss and all others
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Read values by this regular expression, with named groups `value` and, where there are any, `step`, `epoch`, `metric`
    #[arg(long, value_name = "REGEX")]
    pub pattern: Option<String>,
    /// What counts as equal: exact, ulps=N, rel=X or abs=X [default: exact]
    #[arg(long, value_name = "RULE")]
    pub tolerance: Option<String>,
}

impl Comparison {
    /// Whether anything was asked for.
    pub fn is_asked(&self) -> bool {
        self.metric.is_some() || self.pattern.is_some() || self.tolerance.is_some()
    }
}
