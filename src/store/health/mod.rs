//! Health: conditions and the heartbeat.

pub mod condition;
pub mod heartbeat;
