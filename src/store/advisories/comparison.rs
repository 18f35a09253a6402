//! Comparison of a single record with the stored one.

use chrono::{DateTime, Utc};

use crate::store::origin::ChunkOrigin;

/// Result of comparing a record with the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordComparison {
    /// Nothing is stored for its key.
    Unknown,
    /// The stored content is the same.
    Same,
    /// Its modification time is later than the stored one.
    Newer,
    /// Its content differs and it is not known to be newer.
    Other,
}

impl RecordComparison {
    /// A time in the future is a mistake: `theirs` wins over nothing. If the stored one is
    /// and `is_own`, the record is of the same source, which corrects it.
    pub(crate) fn judge(
        same: bool,
        theirs: Option<DateTime<Utc>>,
        (stored, is_own): (Option<DateTime<Utc>>, bool),
        origin: ChunkOrigin,
    ) -> Self {
        match (origin.plausible(theirs), stored) {
            _ if same => Self::Same,
            (Some(_), Some(stored)) if is_own && origin.precedes(stored) => Self::Newer,
            (Some(theirs), Some(stored)) if theirs > stored => Self::Newer,
            _ => Self::Other,
        }
    }
}
