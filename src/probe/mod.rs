//! This machine and the job's process to facts: environment, read-back of settings, flight record.

pub mod flight;
pub mod machine;
pub mod shim;
mod software;

pub use machine::machine;
pub use shim::{Checkpoint, Detail, Instructions, Kill, Shim};
pub use software::software;
