//! Where rows come from: source, run and time.

use chrono::{DateTime, Utc};

use crate::model::Details;

/// Where a chunk of records comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// Row in `source`.
    pub source_id: i32,
    /// Row in `sync_run`.
    pub run_id: i64,
    /// When it is stored, by our clock: what it says is known from then on.
    pub at: DateTime<Utc>,
    /// What upstream said before this came with complete runs; set where old time
    /// is read again. What is new and older has drifted.
    pub settled_before: Option<DateTime<Utc>>,
    /// Which of the advisories are also to be asked for by JSON.
    pub details: Details,
}

impl Origin {
    /// Whether what came as new and was modified at this time should have come with
    /// a run before: upstream changed it without telling.
    pub(crate) fn has_drifted(&self, modified_at: Option<DateTime<Utc>>) -> bool {
        let both = modified_at.zip(self.settled_before);
        both.is_some_and(|(modified_at, settled_before)| modified_at < settled_before)
    }
}
