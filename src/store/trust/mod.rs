//! Verification, retention and replay.

pub mod alert_retention;
pub mod proof;
pub mod proof_rows;
pub mod reread;
pub mod retention;
