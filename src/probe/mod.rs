//! This machine and the job's process to facts: environment, read-back of settings, flight record, and what libtorch's
//! operations do here. The folder `operations/` is the program that calls them: nothing else loads libtorch.

pub mod flight;
pub mod known;
pub mod libtorch;
pub mod machine;
pub mod shim;
mod software;

pub use machine::machine;
pub use shim::{Checkpoint, Detail, Instructions, Kill, Shim, asks_for_recording, can_be_found};
pub use software::{program, software};
