//! Tables: a header in front makes most inputs one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::parse::{Options, read_bytes};

fuzz_target!(|data: &[u8]| {
    for header in ["step,loss,lr\n", "epoch;train_loss;zeit\n", ""] {
        read_bytes(&[header.as_bytes(), data].concat(), &Options::default());
    }
});
