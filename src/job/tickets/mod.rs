//! Tickets: full scans and incremental windows.

pub mod filter;
pub mod page;
pub mod scan;
pub mod sync;
pub mod window;
