//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(repro_audit::command::main(std::env::args_os()))
}
