//! Watch-list discovery.

pub mod discover;
pub(crate) mod exists;
pub mod scan;
