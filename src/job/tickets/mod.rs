//! Tickets: full scans and incremental windows.

pub(crate) mod filter;
pub(crate) mod page;
pub(crate) mod scan;
pub mod sync;
pub(crate) mod window;
