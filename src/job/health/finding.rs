//! Parts of findings: evidence of a source, and words for people.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Condition, Evidence, Finding, shortened};
use crate::store::health::condition::SourceState;

/// Maximum length of an included error, in characters.
pub(super) const ERROR_CHARS: usize = 300;

pub(super) fn of_source(
    source: &SourceState,
    condition: Condition,
    is_active: bool,
    (value, summary): (i64, String),
) -> Finding {
    Finding {
        condition,
        key: source.key.to_string(),
        evidence: if is_active {
            Evidence::For
        } else {
            Evidence::Against
        },
        value,
        summary,
    }
}

pub(super) fn error(source: &SourceState) -> String {
    shortened(
        source.last_error.as_deref().unwrap_or("unknown"),
        ERROR_CHARS,
    )
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

pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
