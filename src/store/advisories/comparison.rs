//! A single record beside what is stored under its key.

use chrono::{DateTime, Utc};

/// What a record is, judged by itself alone, beside what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing is stored under its key.
    Unknown,
    /// What is stored says the same.
    Same,
    /// Upstream made it later than what is stored.
    Newer,
    /// It says something else, and nothing shows that it is newer.
    Other,
}

impl Comparison {
    pub(crate) fn judge(
        same: bool,
        theirs: Option<DateTime<Utc>>,
        stored: Option<DateTime<Utc>>,
    ) -> Self {
        match (theirs, stored) {
            _ if same => Self::Same,
            (Some(theirs), Some(stored)) if theirs > stored => Self::Newer,
            _ => Self::Other,
        }
    }
}
