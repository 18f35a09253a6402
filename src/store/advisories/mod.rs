//! Advisories: merging records and details into versions, and what each source last sent.

pub mod advisory;
pub(crate) mod cell;
pub(crate) mod columns;
pub mod comparison;
pub mod copy;
pub mod detail;
pub(crate) mod facts;
pub mod history;
pub mod members;
pub mod plan;
pub mod received;
pub mod row;
pub mod sighting;
pub mod write_lock;
