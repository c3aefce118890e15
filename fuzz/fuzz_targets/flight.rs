//! The flight record that the shim leaves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let _ = repro_audit::probe::flight::process(Path::new("record"), data);
});
