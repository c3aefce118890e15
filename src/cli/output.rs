//! How an answer is written.

use clap::{Args, ValueEnum};

/// How the answer is written.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Form of the report on standard output
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = formats())]
    pub format: String,
    /// Also write the report to FILE, in FORMAT where it is named (may be given several times)
    #[arg(long, value_name = "[FORMAT=]FILE")]
    pub output: Vec<String>,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Nothing on standard error but errors
    #[arg(long, short)]
    pub quiet: bool,
}

fn formats() -> clap::builder::PossibleValuesParser {
    crate::report::FORMATS.iter().map(|format| format.id()).collect::<Vec<_>>().into()
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
