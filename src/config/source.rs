//! Settings per source: schedule, overlap and allowed age of its data.

use chrono::TimeDelta;

use super::{Allowed, Config, CronExpression};
use crate::model::{DateFilter, SourceKey};

impl Config {
    /// Schedule of the source. Tickets without a date filter are only synced by full
    /// scans. `None` for details, which are fetched on demand, and for sources that are
    /// not configured.
    pub fn schedule_of(
        &self,
        key: &SourceKey,
        filter: Option<DateFilter>,
    ) -> Option<&CronExpression> {
        match key {
            SourceKey::WatchList(id) => {
                let list = self.watch_lists.iter().find(|list| list.id == *id)?;
                Some(self.feed_schedule(list.schedule.as_ref()))
            }
            SourceKey::ExtraFeed(name) => {
                let feed = self.extra_feeds.iter().find(|feed| feed.name == *name)?;
                Some(self.feed_schedule(feed.schedule.as_ref()))
            }
            SourceKey::Tickets => Some(match filter {
                Some(DateFilter::None) => &self.schedule.full_walk,
                Some(DateFilter::Modified | DateFilter::Created) | None => &self.schedule.tickets,
            }),
            SourceKey::RevisionScan => Some(&self.schedule.feeds),
            SourceKey::Details => None,
        }
    }

    /// Schedule of the runs that show all changes of the source. Where windows show new tickets
    /// only, those are the full scans.
    pub fn schedule_of_changes(
        &self,
        key: &SourceKey,
        filter: Option<DateFilter>,
    ) -> Option<&CronExpression> {
        match (key, filter) {
            (SourceKey::Tickets, Some(DateFilter::Created)) => Some(&self.schedule.full_walk),
            _ => self.schedule_of(key, filter),
        }
    }

    /// Schedule of a feed: its own one if it has one, else the default.
    pub fn feed_schedule<'a>(&'a self, own: Option<&'a CronExpression>) -> &'a CronExpression {
        own.unwrap_or(&self.schedule.feeds)
    }

    /// How far each run of the source reaches back beyond the previous one.
    pub fn overlap_of(&self, key: &SourceKey) -> TimeDelta {
        let overlap = match key {
            SourceKey::Tickets => self.tickets.overlap,
            SourceKey::WatchList(_)
            | SourceKey::ExtraFeed(_)
            | SourceKey::RevisionScan
            | SourceKey::Details => self.feeds.overlap,
        };
        // Both settings are limited to days, so they always fit.
        TimeDelta::from_std(overlap).unwrap_or(TimeDelta::days(1))
    }

    /// The age from which the source's data is stale.
    pub fn allowed_age_of(&self, key: &SourceKey) -> Allowed {
        match key {
            SourceKey::Tickets => self.freshness.tickets,
            SourceKey::WatchList(_) | SourceKey::ExtraFeed(_) => self.freshness.feeds,
            // They complete the data of other sources and have no age of their own.
            SourceKey::RevisionScan | SourceKey::Details => Allowed::Off,
        }
    }
}
