//! A page of one of upstream's collections (contract §4).

use serde::Deserialize;
use serde_json::Value;

/// A record that was received and could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its identifier, where one could be found.
    pub key: Option<String>,
    /// Why it could not be understood.
    pub reason: String,
    /// As it came.
    pub raw: String,
}

/// The envelope of a collection.
#[derive(Debug, Clone, Deserialize)]
pub struct Page {
    /// How many rows the whole collection has, as upstream says.
    pub count: u64,
    /// URL of the next page.
    #[serde(default)]
    pub next: Option<String>,
    /// The rows of this page.
    pub results: Vec<Value>,
}

/// Why a body is no page.
#[derive(Debug, thiserror::Error)]
#[error("the answer is no page of a collection (`count`, `next`, `results`)")]
pub struct NotAPage(#[from] serde_json::Error);

impl Page {
    /// Reads a page. Keys beyond the envelope's are ignored.
    pub fn read(body: &[u8]) -> Result<Self, NotAPage> {
        Ok(serde_json::from_slice(body)?)
    }
}
