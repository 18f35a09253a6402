//! When the data of a source becomes stale.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Allowed, Config};
use crate::model::{DateFilter, SourceKey};
use crate::store::reports::report::SourceReport;

/// Added to the second scheduled time: the run that it starts may take a while.
const SLACK: TimeDelta = TimeDelta::hours(1);

/// The age by default where data comes by `import`: a bundle a week, and a day to carry it.
pub(super) const OFFLINE_AGE: TimeDelta = TimeDelta::days(8);

/// Until when data that is complete up to `from` is fresh; `None` without a limit.
/// `filter` is the date filter for tickets that upstream supports.
pub(super) fn allowed_until(
    config: &Config,
    key: &SourceKey,
    filter: Option<DateFilter>,
    from: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match config.allowed_age_of(key) {
        Allowed::Off => None,
        Allowed::Age(age) => from.checked_add_signed(TimeDelta::from_std(age).ok()?),
        Allowed::BySchedule if config.upstream.offline => from.checked_add_signed(OFFLINE_AGE),
        Allowed::BySchedule => {
            // A list that was discovered since the start has the schedule of all feeds.
            let all = &config.schedule.feeds;
            let schedule = config.schedule_of_changes(key, filter).unwrap_or(all);
            let zone = config.schedule.timezone;
            let first = schedule.next_after(from, zone)?;
            Some(schedule.next_after(first, zone)? + SLACK)
        }
    }
}

/// Until when the watch lists that discovery last found at `from` count as known.
pub(crate) fn lists_known_until(config: &Config, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let zone = config.schedule.timezone;
    let schedule = &config.discovery.schedule;
    let first = schedule.next_after(from, zone)?;
    Some(schedule.next_after(first, zone)? + SLACK)
}

/// The age at which the data of a source is stale, counted from
/// `SourceReport::data_from`; `None` without a limit. A source that is followed again
/// counts from then on, like the condition `data_stale`.
pub fn limit(
    config: &Config,
    report: &SourceReport,
    filter: Option<DateFilter>,
) -> Option<TimeDelta> {
    let from = report.covered_to.max(report.followed_since)?;
    let until = allowed_until(config, &report.key, filter, from)?;
    Some(until - report.data_from()?)
}
