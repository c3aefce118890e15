//! The folder on disk that keeps an audit: written as it happens, never rewritten, versioned.
//!
//! In: the header of an audit, its plans, and runs as they end. Out: the same, read back and treated as untrusted.
//!
//! ```text
//! .repro-audit/
//!   .gitignore                 keeps all of it out of version control
//!   latest                     the newest audit's id (a link to its folder)
//!   20260131-093012-5be1/      one audit
//!     audit.json               who started it and how
//!     plan-1.json, plan-2.json treatments and trials, one file for each round of the search
//!     lock                     held while the audit goes on
//!     report.json, ...         documents that others leave here
//!     runs/r1/
//!       command.sh             does this run again by hand
//!       repro-audit.env        the variables that the audit set for it
//!       folder/                its own working folder while it lasts, where it is not to see what earlier runs left
//!       stdout.log stderr.log  what it wrote; beside them whatever else was recorded inside the process
//!       run.json               how it ended; without it the run was lost
//!     lost/r1-1/               an earlier attempt at r1 that was lost
//!     slurm/                   what was submitted, where runs were jobs of a cluster; see docs/slurm.md
//! ```

mod atomic;
mod fingerprint;
mod header;
mod id;
mod leftovers;
mod reader;
mod script;
mod shape;
mod time;
mod traceback;
mod writer;

pub use fingerprint::fingerprint;
pub use header::Header;
pub use leftovers::Leftovers;
pub use reader::{Recorded, broke_off, last_lines, open, tail};
pub use writer::Record;

/// The version of the folder's format that is written, and the newest that can be read.
pub const FORMAT: u32 = 1;

/// Where audits are kept unless told otherwise.
pub const DEFAULT_FOLDER: &str = ".repro-audit";
