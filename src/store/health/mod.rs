//! Health: conditions and the heartbeat.

pub(crate) mod condition;
pub(crate) mod heartbeat;
