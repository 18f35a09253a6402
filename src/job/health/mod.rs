//! Health checks and the heartbeat.

pub mod catalogues;
pub mod check;
pub(crate) mod findings;
pub mod freshness;
pub mod heartbeat;
