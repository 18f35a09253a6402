//! Details: fetch pending JSON details, scan for revisions.

pub mod fetch;
pub mod revision_scan;
mod selects;
pub(crate) mod window;
