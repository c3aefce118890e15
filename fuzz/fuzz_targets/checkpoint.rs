//! Checkpoints: safetensors, torch archives, pickles, npy and npz.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::parse::checkpoint;

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    for name in ["model.safetensors", "model.pt", "arrays.npz", "array.npy"] {
        let path = folder.path().join(name);
        std::fs::write(&path, data).expect("space");
        let _ = checkpoint::read(&path);
    }
});
