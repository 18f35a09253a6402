//! Details: fetch pending JSON details, scan for revisions.

mod failures;
pub mod fetch;
pub(crate) mod identifier;
mod one;
pub(crate) mod outlook;
mod refusals;
pub mod revision_scan;
mod selects;
pub(crate) mod window;
