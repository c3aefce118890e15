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
    /// What counts as equal: exact, ulps=N, rel=X or abs=X
    #[arg(long, value_name = "RULE", default_value = "exact")]
    pub tolerance: String,
}
