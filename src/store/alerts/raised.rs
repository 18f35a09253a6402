//! An alert that is to be written.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::model::{Alert, Purpose};

/// An alert that is to be raised.
#[derive(Debug, Clone)]
pub struct Raised {
    /// Derived from the fact.
    pub id: Uuid,
    /// Which rule asks for it.
    pub rule: String,
    /// Why it is sent.
    pub purpose: Purpose,
    /// The change behind it.
    pub seq: Option<i64>,
    /// The watch list that the change came through.
    pub through: Option<i64>,
    /// What receivers are told.
    pub alert: Alert,
    /// Evaluated and recorded only.
    pub is_shadow: bool,
    /// What keeps it from being sent.
    pub silence_id: Option<i64>,
    /// Who is told.
    pub sinks: Vec<String>,
    /// How long its message gathers others of its rule; zero = it goes alone.
    pub group: TimeDelta,
}

impl Raised {
    /// Whether anybody is told.
    pub fn is_sent(&self) -> bool {
        !self.is_shadow && self.silence_id.is_none() && !self.sinks.is_empty()
    }
}
