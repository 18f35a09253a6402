//! Origin of stored rows: source, run and time.

use chrono::{DateTime, Utc};

use crate::model::{DetailsMode, is_implausible};

/// Origin of a chunk of records.
#[derive(Debug, Clone, Copy)]
pub struct ChunkOrigin {
    /// Row in `source`.
    pub source_id: i32,
    /// Row in `sync_run`.
    pub run_id: i64,
    /// When it is stored, by our clock.
    pub at: DateTime<Utc>,
    /// Set when a covered period is read again: everything modified before this time
    /// was in complete runs, so whatever is new and older has drifted.
    pub settled_before: Option<DateTime<Utc>>,
    /// Which of the advisories also get details from the JSON API.
    pub details: DetailsMode,
    /// Whether upstream has just sent it: it is no import and nothing stored.
    pub is_live: bool,
}

impl ChunkOrigin {
    /// Whether a new record with this modification time should have come with an
    /// earlier run: upstream changed it without a new modification date.
    pub(crate) fn has_drifted(&self, modified_at: Option<DateTime<Utc>>) -> bool {
        let both = modified_at.zip(self.settled_before);
        both.is_some_and(|(modified_at, settled_before)| modified_at < settled_before)
    }

    /// Whether a modification time lies more than a day in the future: no clock is that
    /// wrong, so the time is.
    pub(crate) fn precedes(&self, modified_at: DateTime<Utc>) -> bool {
        is_implausible(modified_at, self.at)
    }

    /// A modification time, unless it lies that far in the future.
    pub(crate) fn plausible(&self, modified_at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        modified_at.filter(|at| !self.precedes(*at))
    }
}
