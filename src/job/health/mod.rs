//! Health checks and the heartbeat.

pub(crate) mod catalogues;
pub mod check;
mod feeds;
mod finding;
pub(crate) mod findings;
pub mod freshness;
pub mod heartbeat;
mod lists;
mod quiet;
