//! Feeds: pull a watch list's feed, store its records, fall back to JSON, import files.

pub(crate) mod batch;
pub(crate) mod due;
pub(crate) mod fallback;
pub mod feed;
pub mod full;
pub(crate) mod import;
pub(crate) mod members;
pub mod pull;
mod reach;
pub(crate) mod seen;
pub(crate) mod store;
pub(crate) mod stream;
pub(crate) mod write;
