//! Watch-list discovery.

pub mod discover;
pub mod scan;
