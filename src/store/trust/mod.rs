//! Verification, retention and replay.

pub(crate) mod alert_retention;
pub(crate) mod contents;
pub(crate) mod erasure;
mod person_errors;
pub(crate) mod person_texts;
pub(crate) mod reread;
pub(crate) mod retention;
pub(crate) mod verification;
pub(crate) mod verification_rows;
