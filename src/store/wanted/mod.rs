//! Fetch queue: what is still to be fetched, and why.

pub mod backlog;
pub mod feed_days;
pub mod listed;
pub mod queue;
