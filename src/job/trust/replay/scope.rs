//! Scope and dependencies of a replay.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::clock::Clock;
use crate::source::xml::ParserRules;

/// Scope and dependencies of a replay.
pub struct ReplayScope<'a> {
    /// The database.
    pub pool: &'a PgPool,
    /// The current rules for parsing records.
    pub rules: &'a Arc<ParserRules>,
    /// The clock.
    pub clock: &'a Clock,
    /// Only versions that were stored, and records that were quarantined, since this time.
    pub since: Option<DateTime<Utc>>,
}
