//! Replay: parsing raw texts again and correcting the columns with the result of
//! the current parser. It creates no versions: a version comes from upstream only.

pub(crate) mod advisory;
pub(crate) mod conflicting_copy;
pub(crate) mod detail;
pub(crate) mod ticket;

use serde_json::{Map, Value};

/// Rows per batch.
const ROWS: i64 = 500;
/// Bytes of raw texts per batch, to limit memory; a single longer text is one batch.
const BYTES: i64 = 4 * 1024 * 1024;

/// Current or former versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// In `advisory` and `ticket`.
    Current,
    /// In `advisory_version` and `ticket_version`.
    Former,
}

/// A field whose stored value differs from the parsed one.
#[derive(Debug, Clone)]
pub struct FieldDifference {
    /// Advisory identifier or ticket id.
    pub key: String,
    /// The version.
    pub version: i32,
    /// Name of the column.
    pub field: String,
    /// The stored value.
    pub old: Option<Value>,
    /// The value parsed now.
    pub new: Option<Value>,
}

fn insert(row: &mut Map<String, Value>, name: &str, value: Value) {
    row.insert(name.to_owned(), value);
}
