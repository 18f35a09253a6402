//! Backup, restore and copy of the database, by `pg_dump` and `pg_restore`.
//!
//! The dump has the schemas of advisoryd without owners and privileges, so that it can
//! be restored by any role into any database. It is restored in one transaction.

mod error;
mod file;
mod program;
mod restore;

pub(crate) use file::{backup, backup_to_stdout};
pub(crate) use program::DatabaseServer;
pub(crate) use restore::{copy, readable, restore};
