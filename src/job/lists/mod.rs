//! Watch lists of the account: discovery, what they contain, and pending approvals.

pub mod discover;
pub(crate) mod exists;
pub mod mirror;
pub(crate) mod mirror_store;
mod names;
pub(crate) mod scan;
