//! Feeds: pull a watch list's feed, store its records, fall back to JSON, import files.

pub(crate) mod batch;
pub mod due;
pub mod fallback;
pub mod feed;
pub mod full;
pub mod import;
pub(crate) mod members;
pub mod pull;
pub(crate) mod seen;
pub mod store;
pub(crate) mod stream;
pub(crate) mod write;
