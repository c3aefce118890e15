//! This machine and the job's process to facts: environment, read-back of settings, flight record.

pub mod machine;

pub use machine::machine;
