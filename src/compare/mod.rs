//! Two series to a divergence: alignment, tolerance, distance, digit floor.

pub mod band;
pub mod checkpoint;
pub mod cursor;
pub mod distance;
pub mod flight;
pub mod readings;
pub mod replicates;
pub mod resolution;
pub mod resume;

pub use band::{Band, Explained, explained};
pub use cursor::{Cursor, End, Rule};
pub use readings::{Pair, compare};
pub use replicates::{Group, Member, group};
pub use resolution::resolution;
