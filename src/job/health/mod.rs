//! Health checks and the heartbeat.

pub mod check;
pub(crate) mod findings;
pub mod freshness;
pub mod heartbeat;
mod lists;
mod words;
