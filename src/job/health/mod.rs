//! Health checks and the heartbeat.

pub mod check;
pub mod findings;
pub mod heartbeat;
