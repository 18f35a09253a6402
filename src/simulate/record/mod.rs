//! Generated advisories: each is a pure function of the seed, its number and its state.

mod advisory;
mod expected;
mod json;
mod parts;
mod place;
mod scores;
mod text;

pub use advisory::Record;
pub use json::time;
pub use parts::Weakness;
pub use place::{FIRST_ID, FIRST_SAID, Place};
pub use scores::Score;
