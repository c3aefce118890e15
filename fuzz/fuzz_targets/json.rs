//! One JSON document, and JSON lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::parse::{Options, read_bytes};

fuzz_target!(|data: &[u8]| {
    read_bytes(&[b"{\"log_history\": [", data, b"]}"].concat(), &Options::default());
    read_bytes(&[b"{\"step\": 1, \"loss\": 0.5}\n{", data, b"}\n"].concat(), &Options::default());
});
