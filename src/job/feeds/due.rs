//! When a full pull is due, and which pulls are full ones.

use chrono::{DateTime, TimeDelta, Utc};

use super::feed::LookBack;
use crate::job::context::Context;
use crate::store::ledger::source::Source;

/// Pause after a failed full pull. Until then only windows are pulled, so that a document
/// that is too large for upstream keeps no list from being read.
const RETRY_AFTER: TimeDelta = TimeDelta::hours(1);

/// Whether the tick of a source that was read before has to be a full pull.
pub fn is_due(context: &Context, source: &Source) -> bool {
    let now = context.clock.now();
    let failed_at = source
        .full_attempt_at
        .filter(|at| source.full_at < Some(*at));
    let is_paused = failed_at.is_some_and(|at| at <= now && now - at < RETRY_AFTER);
    let is_due = edited_at(source).is_some()
        // A window may not contain them.
        || source.has_undecided
        || due_at(context, source).is_some_and(|at| at <= now);
    // The first pull is a full one anyway.
    source.covered_to.is_some() && !is_paused && is_due
}

/// When an edit of what the list contains was found that no complete full pull has followed.
/// Only a full pull brings the old advisories of a product that was added.
pub(crate) fn edited_at(source: &Source) -> Option<DateTime<Utc>> {
    let edited_at = source.contents_changed_at;
    edited_at.filter(|at| source.full_at.is_none_or(|full_at| full_at < *at))
}

/// The scheduled time of the next full pull; in the past if it is due.
pub(crate) fn due_at(context: &Context, source: &Source) -> Option<DateTime<Utc>> {
    let schedule = &context.config.schedule;
    let last = source.full_at.or(source.followed_since)?;
    schedule.full_feeds.next_after(last, schedule.timezone)
}

/// Whether the run reads as far back as a first pull does.
pub(crate) fn is_full(source: &Source, look_back: LookBack) -> bool {
    let is_first = look_back == LookBack::Missing && source.covered_to.is_none();
    look_back.is_full() || is_first
}
