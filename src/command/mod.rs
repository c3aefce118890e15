//! One file per subcommand; the only place where stages meet.

pub mod words;

use std::ffi::OsString;

/// Runs the command line `arguments` (program name first) and gives the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let _ = arguments.into_iter();
    crate::exit::FAILED
}
