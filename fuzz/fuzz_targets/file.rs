//! Files as they lie on disk: compressed, in any encoding, damaged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::parse::{Options, read_path};

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let path = folder.path().join("log");
    std::fs::write(&path, data).expect("space");
    let _ = read_path(&path, &Options::default());
});
