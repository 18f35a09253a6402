//! Tickets: upsert, cursor and date filter, checkpoints of full scans.

pub(crate) mod facts;
pub mod reading;
pub mod scan;
pub mod ticket;
