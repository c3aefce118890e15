//! The search for causes, in a simulated world: jobs with known causes, some of them intermittent, overlapping or out of
//! reach, with honest records, misleading ones and none.

mod cost;
mod intermittent;
mod limits;
mod overlaps;
mod properties;
mod records;
mod world;
