//! Reports: queries for commands, health endpoints and metrics.

pub(crate) mod budget;
mod filter;
pub(crate) mod monitoring;
pub(crate) mod question;
pub(crate) mod receipt;
pub(crate) mod report;
