//! What was seen to a cause, or to the next treatments to try; pure, launches nothing.
//!
//! Input: the outcomes of treatments, and the flight record's [`Evidence`](crate::model::Evidence) where there is one.
//! Output: the effect table ([`effects()`]), what it alone says about the cause ([`matrix()`], [`places()`]), and the adaptive [`Search`]
//! that asks for one treatment after another until a cause is proved on both sides or shown to be out of reach.

mod candidate;
mod confidence;
mod effects;
mod flight;
mod guilty;
mod known;
mod leftovers;
mod locate;
mod luck;
mod matrix;
mod name;
mod nominate;
mod price;
mod recorded;
mod remedy;
mod resume;
mod search;
mod summary;
#[cfg(test)]
mod testing;

pub use confidence::confidence;
pub use effects::effects;
pub use flight::evidence;
pub use guilty::guilty_operation;
pub use known::known;
pub use leftovers::{left_by_the_first, repeats_after};
pub use locate::locate;
pub use luck::{Rate, agree_by_luck, recordings, repeats_for};
pub use matrix::{Question, matrix, places};
pub use nominate::{Nomination, Strength, nominate};
pub use price::price;
pub use recorded::{SOURCES, by_rank, sentence};
pub use remedy::{function, remedy};
pub use resume::{
    Attempt, Forgotten, Minimal, best_attempt, forgotten, is_generator, is_global_generator, next_attempt,
};
pub use search::{Answer, Ask, Config, Control, Search, Seen};
pub use summary::summary;
