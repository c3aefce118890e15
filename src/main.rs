//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    match repro_audit::command::main(std::env::args_os()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            repro_audit::report::error(&error);
            ExitCode::from(repro_audit::exit::FAILED)
        }
    }
}
