//! Ticket: the parsed columns and the raw JSON.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// One ticket: the whole raw JSON and the columns parsed from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// Upstream's id, used in its URLs.
    pub id: i64,
    /// Ticket number.
    pub pretty_id: Option<i64>,
    /// One line.
    pub title: Option<String>,
    /// Plain text.
    pub description: Option<String>,
    /// Status, defined by the customer (contract §6).
    pub status: Named,
    /// A row that the customer defined.
    pub priority: Named,
    /// A row that the customer defined.
    pub queue: Named,
    /// Assignee.
    pub assignee: Named,
    /// The watch list that created it.
    pub watch_list: Named,
    /// Identifier of its advisory.
    pub said: Option<String>,
    /// When upstream created it.
    pub created_at: Option<DateTime<Utc>>,
    /// When upstream last modified it.
    pub modified_at: Option<DateTime<Utc>>,
    /// The whole ticket, unchanged.
    pub raw: Value,
}

/// A reference that upstream sends as an object, an id, a name or null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Upstream's id.
    pub id: Option<i64>,
    /// Name.
    pub name: Option<String>,
}
