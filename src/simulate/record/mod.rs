//! Generated advisories: each is a pure function of the seed, its number and its state.

mod advisory;
mod entry;
pub(super) mod examples;
mod expected;
mod json;
mod parts;
mod scores;
mod text;

pub use advisory::SimulatedAdvisory;
pub use entry::{AdvisoryEntry, FIRST_ID, FIRST_SAID};
pub use json::time;
pub use parts::Weakness;
pub use scores::Score;
