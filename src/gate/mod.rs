//! An audit and the accepted baseline to a verdict. Pure: nothing here reads a file or runs a job.
//!
//! In: what was seen of each treatment ([`Seen`]), and what was accepted ([`Baseline`]). Out: [`Finding`]s, of which the
//! worst decides. A gate that could not have failed says so: that is what the [`canary`] is for.

pub mod baseline;
pub mod canary;
mod digest;
pub mod envelope;
pub mod environment;
mod finding;
mod judge;
mod policy;
pub mod project;
mod sketch;
mod text;

pub use baseline::{Accepted, Baseline, Entry, JobRecord};
pub use environment::Change;
pub use finding::{Finding, Kind, verdict};
pub use judge::{Question, Seen, acceptable, judge};
pub use policy::Policy;
pub use sketch::accepted;
