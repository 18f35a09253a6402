//! Findings about what a feed sends: not as far back as requested, or different contents in
//! turn.

use chrono::{DateTime, TimeDelta, Utc};

use super::finding::{ERROR_CHARS, of_source, time};
use crate::config::Config;
use crate::model::{Condition, Finding, counted, shortened};
use crate::store::health::condition::SourceState;
use crate::store::reports::full_reads::FailedFullRead;

/// Whether the last full pull went back as far as requested.
pub(super) fn window_not_honoured(config: &Config, source: &SourceState) -> Finding {
    let (members, summary) = match source.cut_off {
        None => (
            0,
            "the last full pull went back as far as requested".to_owned(),
        ),
        // No member shows it, but the dates do.
        Some((0, oldest_at)) => (
            1,
            format!(
                "the last full pull asked for {} and has nothing before {}. At the rate of later records, older ones are expected, and no other feed has any of that time either: upstream probably sends less than requested. Only the time since then counts as covered; lower [feeds] first_days to what upstream sends, or ask the vendor",
                counted(config.feeds.first_days, "day"),
                time(oldest_at)
            ),
        ),
        Some((members, oldest_at)) => (
            members,
            format!(
                "the last full pull goes back to {} only, although {members} older members are in the requested time; they stay members, but older changes are not seen: lower [feeds] first_days to what upstream sends, or ask the vendor; if they were removed from the list on purpose, run `advisoryd sync feeds --full --accept-removals`",
                time(oldest_at)
            ),
        ),
    };
    let condition = Condition::WindowNotHonoured;
    of_source(source, condition, members > 0, (members, summary))
}

/// How long full reads may fail: a single one is repeated after an hour.
const FULL_READS_MAY_FAIL: TimeDelta = TimeDelta::hours(6);

/// Whether full reads have failed for long, while other runs may succeed.
pub(super) fn full_read(
    source: &SourceState,
    failed: &[FailedFullRead],
    now: DateTime<Utc>,
) -> Finding {
    let failed = failed.iter().find(|one| one.key == source.key);
    let is_active = failed.is_some_and(|one| now - one.since >= FULL_READS_MAY_FAIL);
    let summary = match failed {
        None => "the last full pull or scan was complete".to_owned(),
        Some(one) => format!(
            "no {} was complete since {}; the last one failed at {}: {}; until one is complete, {} are not detected",
            one.name(),
            one.complete_at
                .map_or_else(|| "the first run".to_owned(), time),
            time(one.last_at),
            shortened(&one.error, ERROR_CHARS),
            one.unknown()
        ),
    };
    of_source(
        source,
        Condition::FullReadFailed,
        is_active,
        (i64::from(failed.is_some()), summary),
    )
}

/// Whether it sends different contents of one revision in turn.
pub(super) fn alternating(source: &SourceState) -> Finding {
    let (count, summary) = match &source.alternating {
        None => (
            0,
            "no feed has alternated between two contents for a week".to_owned(),
        ),
        Some((count, said)) => (
            *count,
            format!(
                "for {}, for example {said}, the feed alternates between different contents with the same modification time: servers of upstream disagree. The content that appeared last is kept; the others make no new versions. Ask the vendor",
                counted(count, "advisory")
            ),
        ),
    };
    let condition = Condition::ContentAlternates;
    of_source(source, condition, count > 0, (count, summary))
}
