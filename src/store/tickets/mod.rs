//! Tickets: upsert, cursor and date filter, checkpoints of full scans.

pub(crate) mod facts;
pub mod known;
pub(crate) mod reading;
pub(crate) mod scan;
pub mod ticket;
mod unversioned;
