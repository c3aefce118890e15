//! The common language of every stage: plain values and run events, one noun of the vocabulary per file.
//!
//! Nothing here reads a file, starts a process or knows a format: `model` uses the standard library only, and
//! JSON shapes live in [`crate::record`] and [`crate::report`], which convert by hand.

pub mod audit;
pub mod cause;
pub mod checkpoint;
pub mod checkpoint_difference;
pub mod confidence;
pub mod course;
pub mod divergence;
pub mod effect;
pub mod environment;
pub mod event;
pub mod evidence;
pub mod flight;
pub mod fnv;
mod half;
pub mod operation_check;
pub mod outcome;
pub mod point;
pub mod precision;
pub mod reading;
pub mod resolution;
pub mod run;
pub mod series;
pub mod setting;
pub mod shell;
pub mod token;
pub mod tolerance;
pub mod treatment;
pub mod trial;
pub mod verdict;

pub use audit::{Audit, Comparison, Curve, RawLine};
pub use cause::{Blame, Cause, Grade, Price, Remedy, SourceLine};
pub use checkpoint::{Checkpoint, Dtype, Number, Piece, Place, State, StateValue, Storage, Tensor, row_major};
pub use checkpoint_difference::{
    CheckpointDifference, ElementPair, ElementSpread, Match, Part, StateMatch, TensorMatch,
};
pub use confidence::{Confidence, Missed};
pub use course::Course;
pub use divergence::{Divergence, Kind, RunValue, Stage};
pub use effect::{Effect, LevelPrice};
pub use environment::Environment;
pub use event::{Control, RunEvent, Stream};
pub use evidence::{
    Decider, Evidence, FirstDifference, GlobalGenerator, Leftover, Library, Loader, Operation, Order, Outside,
    OwnGenerator, Read, Seeding,
};
pub use fnv::Fnv;
pub use half::half;
pub use operation_check::{OperationCheck, OperationProbe, Pass, ResultSpread, UnderDeterminism};
pub use outcome::Outcome;
pub use point::{Point, Position};
pub use precision::Precision;
pub use reading::{Candidate, Reading, Role};
pub use resolution::{Resolution, Source};
pub use run::{Attempt, Run, Status};
pub use series::{Series, name_of_rank, rank_in_name};
pub use setting::{Level, Levels, Need, Reach, ReadBack, Setting, SettingId};
pub use shell::shell;
pub use token::Token;
pub use tolerance::Tolerance;
pub use treatment::{Treatment, TreatmentResult};
pub use trial::{Launch, Trial};
pub use verdict::Verdict;
