//! Comparison of a single record with the stored one.

use chrono::{DateTime, Utc};

/// Result of comparing a record with the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing is stored for its key.
    Unknown,
    /// The stored content is the same.
    Same,
    /// Its modification time is later than the stored one.
    Newer,
    /// Its content differs and it is not known to be newer.
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
