//! Verification, retention and replay.

pub mod alert_retention;
pub mod reread;
pub mod retention;
pub mod verification;
pub mod verification_rows;
