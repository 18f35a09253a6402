//! Verify, reconcile, retry quarantine, retention, replay.

mod advice;
pub(crate) mod erase;
mod erase_lock;
pub mod reconcile;
pub(crate) mod replay;
pub mod retention;
pub(crate) mod retry;
pub mod verify;
