//! Two series to a divergence: alignment, tolerance, distance, digit floor.

pub mod band;
pub mod beginning;
pub mod checkpoint;
pub mod cursor;
pub mod distance;
pub mod flight;
pub mod lane;
pub mod lockstep;
pub mod readings;
pub mod replicates;
pub mod resolution;
pub mod resume;

pub use band::{Band, Explained, explained};
pub use cursor::{Cursor, End, Rule};
pub use lane::Parting;
pub use lockstep::Lockstep;
pub use readings::{Pair, compare};
pub use replicates::{Group, Member, group};
pub use resolution::{Digits, resolution};
