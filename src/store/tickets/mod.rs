//! Tickets: merging, what is known of reading them, checkpoints of full scans.

pub(crate) mod facts;
pub mod reading;
pub mod scan;
pub mod ticket;
