//! Reports: queries for commands, health endpoints and metrics.

pub(crate) mod budget;
pub(crate) mod counts;
mod filter;
pub(crate) mod full_reads;
pub(crate) mod missing;
pub(crate) mod monitoring;
pub(crate) mod named_list;
pub(crate) mod products;
pub(crate) mod question;
pub(crate) mod receipt;
pub(crate) mod report;
pub(crate) mod ticket_question;
pub(crate) mod unread;
