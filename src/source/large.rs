//! Rows of a page of JSON that are too large to be read: what is known of them.

use serde_json::Value;

use super::repeated_keys;
use crate::http::LargeRow;
use crate::model::Fingerprint;

/// A row that was too large.
#[derive(Debug, Clone)]
pub(crate) struct Large {
    /// Why it was not read.
    pub reason: String,
    /// Its beginning, in a form that a text column can store.
    pub head: String,
    /// Fingerprint of all of it.
    pub byte_hash: Fingerprint,
    /// Its short values that are not nested, as far as they can be made out.
    pub fields: Value,
}

impl From<LargeRow> for Large {
    fn from(row: LargeRow) -> Self {
        Self {
            reason: reason(row.bytes, row.values, row.head.len()),
            head: String::from_utf8_lossy(&row.head).replace('\0', "\u{fffd}"),
            byte_hash: row.fingerprint,
            fields: fields(&row.fields),
        }
    }
}

fn fields(text: &str) -> Value {
    let fields = serde_json::from_str(text).ok();
    let fields = fields.filter(|_| repeated_keys::check(text).is_ok());
    fields.unwrap_or_default()
}

fn reason(bytes: u64, values: u64, kept: usize) -> String {
    format!(
        "too large to be read: {bytes} bytes, JSON values counted as {values}; only the first {kept} bytes are kept"
    )
}

/// Why an answer that is a single object was not read.
pub(crate) fn too_large(error: &str, kept: usize) -> String {
    format!("too large to be read: {error}; only the first {kept} bytes are kept")
}
