//! Reports: queries for commands, health endpoints and metrics.

mod filter;
pub(crate) mod missing;
pub(crate) mod monitoring;
pub(crate) mod question;
pub(crate) mod receipt;
pub(crate) mod report;
