use chrono::{DateTime, Utc};
use serde_json::Value;

/// One ticket: the whole of it as it came, and the columns that were found in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// Upstream's number, key in its URLs.
    pub id: i64,
    /// Number for people.
    pub pretty_id: Option<i64>,
    /// One line.
    pub title: Option<String>,
    /// Plain text.
    pub description: Option<String>,
    /// A row that the customer defined (contract §6).
    pub status: Named,
    /// A row that the customer defined.
    pub priority: Named,
    /// A row that the customer defined.
    pub queue: Named,
    /// Who works on it.
    pub assignee: Named,
    /// The watch list that made it.
    pub watch_list: Named,
    /// Identifier of its advisory.
    pub said: Option<String>,
    /// When upstream made it.
    pub created_at: Option<DateTime<Utc>>,
    /// When upstream last changed it.
    pub modified_at: Option<DateTime<Utc>>,
    /// The whole ticket as it came.
    pub raw: Value,
}

/// Something that upstream sends as an object, a bare id, a bare name or null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Upstream's number for it.
    pub id: Option<i64>,
    /// What people call it.
    pub name: Option<String>,
}
