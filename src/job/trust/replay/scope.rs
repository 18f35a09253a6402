//! What is replayed, and with what.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::clock::Clock;
use crate::source::xml::Rules;

/// What is replayed.
pub struct Replay<'a> {
    /// The database.
    pub pool: &'a PgPool,
    /// How records are read today.
    pub rules: &'a Arc<Rules>,
    /// The time.
    pub clock: &'a Clock,
    /// Only versions that were stored since, and what came to quarantine since.
    pub since: Option<DateTime<Utc>>,
}
