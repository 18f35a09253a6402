//! Tickets: full scans and incremental windows.

mod again;
mod alone;
pub(crate) mod filter;
mod gone;
mod newest;
pub(crate) mod page;
pub(crate) mod scan;
mod store_page;
pub(crate) mod stub;
pub mod sync;
pub(crate) mod window;
