//! Raw texts that are read again, and columns that become what today's parser
//! finds in them. Nothing here makes a version: a version is what upstream said.

pub mod advisory;
pub mod conflicting_copy;
pub mod detail;
pub mod ticket;

use serde_json::{Map, Value};

/// Rows of one batch.
const ROWS: i64 = 500;
/// Bytes of raw texts of one batch, so that memory is bounded; a single longer one is one batch.
const BYTES: i64 = 4 * 1024 * 1024;

/// Current versions, or those that they replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// In `advisory` and `ticket`.
    Current,
    /// In `advisory_version` and `ticket_version`.
    Former,
}

/// A field that is stored otherwise than it reads today.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Identifier or number.
    pub key: String,
    /// Which version.
    pub version: i32,
    /// Name of the column.
    pub field: String,
    /// As stored.
    pub old: Option<Value>,
    /// As read today.
    pub new: Option<Value>,
}

fn insert(row: &mut Map<String, Value>, name: &str, value: Value) {
    row.insert(name.to_owned(), value);
}
