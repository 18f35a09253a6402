//! Watch-list discovery.

pub mod discover;
pub(crate) mod exists;
pub(crate) mod scan;
