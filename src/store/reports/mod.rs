//! Reports: queries for commands, health endpoints and metrics.

pub mod question;
pub mod receipt;
pub mod report;
