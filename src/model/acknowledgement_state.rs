//! Whether an acknowledgement is in force, or an advisory is only assigned.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The state of an acknowledgement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AcknowledgementState {
    /// It is in force.
    #[default]
    Active,
    /// Its time is over.
    Expired,
    /// It was withdrawn, or replaced by the next one.
    Withdrawn,
    /// The advisory is assigned to somebody, and not acknowledged.
    Assigned,
}

impl AcknowledgementState {
    /// At `now`, of one that ends at `until` (`None` = never).
    pub fn of(
        withdrawn_at: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        match (withdrawn_at, until) {
            (Some(_), _) => Self::Withdrawn,
            (None, Some(until)) if until <= now => Self::Expired,
            _ => Self::Active,
        }
    }

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Assigned => "assigned",
        }
    }
}
