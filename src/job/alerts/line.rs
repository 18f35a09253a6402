//! An alert of a dry run.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::{Alert, RecordKind};

/// One alert that would have been raised.
#[derive(Debug, Clone, Serialize)]
pub struct BackTestAlert {
    /// The change; `None` for what the clock finds.
    pub seq: Option<i64>,
    /// When advisoryd read it.
    pub at: DateTime<Utc>,
    /// What happened.
    pub what: String,
    /// What it happened to.
    #[serde(skip)]
    pub kind: RecordKind,
    /// Whether it says that the advisory was rejected.
    #[serde(skip)]
    pub resolved: bool,
    /// The advisory or ticket.
    pub key: String,
    /// Title at that time.
    pub title: String,
    /// One sentence.
    pub summary: String,
}

impl BackTestAlert {
    pub(super) fn of(kind: RecordKind, seq: Option<i64>, at: DateTime<Utc>, alert: Alert) -> Self {
        Self {
            seq,
            at,
            kind,
            resolved: alert.resolved,
            what: alert.what,
            key: alert.key,
            title: alert.title,
            summary: alert.summary,
        }
    }
}
