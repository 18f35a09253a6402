//! Findings in words: a finding about a source, times and ages for people.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Condition, Evidence, Finding};
use crate::store::health::condition::SourceState;

/// Maximum length of an included error, in characters.
pub(super) const ERROR_CHARS: usize = 300;

pub(super) fn of_source(
    source: &SourceState,
    condition: Condition,
    holds: bool,
    (value, summary): (i64, String),
) -> Finding {
    Finding {
        condition,
        key: source.key.to_string(),
        evidence: if holds {
            Evidence::For
        } else {
            Evidence::Against
        },
        value,
        summary,
    }
}

/// A time, for people.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

pub(super) fn rounded(age: TimeDelta) -> String {
    match age.num_minutes() {
        minutes @ 0..120 => format!("{minutes} min"),
        minutes @ 120..2880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}
