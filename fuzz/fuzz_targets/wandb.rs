//! Wandb transaction logs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::parse::{Options, read_bytes};

fuzz_target!(|data: &[u8]| {
    read_bytes(&[b":W&B\xbe\xc2\x00", data].concat(), &Options::default());
});
