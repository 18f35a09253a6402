//! An alert to be inserted.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::model::{Alert, MessagePurpose};

/// An alert to be inserted.
#[derive(Debug, Clone)]
pub struct Raised {
    /// Derived from rule and change.
    pub id: Uuid,
    /// The rule that matched.
    pub rule: String,
    /// Why it is sent.
    pub purpose: MessagePurpose,
    /// The change behind it.
    pub seq: Option<i64>,
    /// The watch list that the change came through.
    pub through: Option<i64>,
    /// The content that is sent.
    pub alert: Alert,
    /// From a shadow rule: recorded, not sent.
    pub is_shadow: bool,
    /// The silences that suppress it.
    pub silences: Vec<i64>,
    /// Names of the sinks.
    pub sinks: Vec<String>,
    /// Grouping time of its message; zero = a message of its own.
    pub group: TimeDelta,
    /// The digest or the mute times for which its message waits, in words: nothing sends it
    /// earlier.
    pub held_by: Option<String>,
}

impl Raised {
    /// Whether it is sent to any sink.
    pub fn is_sent(&self) -> bool {
        !self.is_shadow && self.silences.is_empty() && !self.sinks.is_empty()
    }
}
