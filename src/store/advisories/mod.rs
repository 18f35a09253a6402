//! Advisories: merging records and details into versions, and what each source last sent.

pub(crate) mod advisory;
mod blank;
pub(crate) mod cell;
pub(crate) mod columns;
pub(crate) mod comparison;
pub(crate) mod copy;
mod damage;
pub(crate) mod detail;
mod detail_rows;
pub(crate) mod facts;
pub(crate) mod history;
pub(crate) mod members;
pub(crate) mod news;
mod plan;
mod put_forward;
pub(crate) mod received;
pub(crate) mod row;
mod same_time;
pub(crate) mod sighting;
pub(crate) mod write_lock;
