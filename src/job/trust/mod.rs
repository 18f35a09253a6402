//! Verify, reconcile, retry quarantine, retention, replay.

pub mod reconcile;
pub mod replay;
pub mod retention;
pub mod retry;
pub mod verify;
