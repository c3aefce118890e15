//! Placeholder until the reference training job lands.
fn main() {}
