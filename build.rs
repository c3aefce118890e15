//! Compiles the digest library that the Python shim loads, so that the binary can carry it.
//!
//! Where it does not compile, an empty file takes its place and the shim falls back to zlib's crc32.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=shim");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("repro_audit_digest.bin");
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let compiled = Command::new(rustc)
        .args([
            "--edition",
            "2021",
            "--crate-type",
            "cdylib",
            "--crate-name",
            "repro_audit_digest",
            "--target",
            &target,
        ])
        .args(["-C", "opt-level=3", "-C", "panic=abort", "-C", "strip=symbols", "-o"])
        .arg(&out)
        .arg("shim/digest/digest.rs")
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        println!("cargo::warning=the native digest did not compile; the shim will use crc32");
        fs::write(&out, b"").expect("OUT_DIR can be written");
    }
}
