//! Fetch queue: what is still to be fetched, and why.

pub(crate) mod backlog;
pub(crate) mod feed_days;
pub(crate) mod listed;
pub(crate) mod queue;
pub(crate) mod readable;
pub(crate) mod throttled;
