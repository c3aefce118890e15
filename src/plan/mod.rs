//! Settings to trials: the catalogue, designs, and how a level reaches the job.

pub mod apply;
pub mod catalogue;
pub mod design;
pub mod needs;
pub mod trials;

pub use apply::{Applied, Route, apply};
pub use catalogue::Catalogue;
pub use design::{Design, treatments};
pub use needs::{needs_card, without_card};
pub use trials::{Job, trials};
