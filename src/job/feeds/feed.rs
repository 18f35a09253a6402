//! A feed: its source, its query, and the look-back period of a pull.

use crate::config::{Config, CronExpression, ListSource};
use crate::model::SourceKey;

/// A feed to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The source.
    pub key: SourceKey,
    /// The query parameters, without `days`.
    pub query: Vec<(String, String)>,
    /// Whether the JSON API is used instead of the feed.
    pub source: ListSource,
}

/// The look-back period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookBack {
    /// Back to the end of the covered time minus the overlap, or `first_days`.
    Missing,
    /// This many days.
    Days(u32),
    /// As many as the first pull: `first_days`.
    Full,
    /// The same, and members that are missing have left, however many there are.
    FullAccepted,
    /// This many days that are covered already, to detect drift.
    Again(u32),
}

impl LookBack {
    /// Whether it is that of a first pull.
    pub(crate) fn is_full(self) -> bool {
        matches!(self, Self::Full | Self::FullAccepted)
    }
}

/// The feeds of a configuration: watch lists, then extra feeds.
pub fn feeds(config: &Config) -> Vec<(Feed, &CronExpression)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let lists = config.watch_lists.iter().map(|list| {
        let mut query = vec![
            pair("feed_type", "asset_list"),
            pair("asset_list_id", &list.id.to_string()),
        ];
        query.extend(list.query.iter().cloned());
        let feed = Feed {
            key: SourceKey::WatchList(list.id),
            query,
            source: list.source,
        };
        (feed, config.feed_schedule(list.schedule.as_ref()))
    });
    let extra = config.extra_feeds.iter().map(|feed| {
        let schedule = config.feed_schedule(feed.schedule.as_ref());
        let key = SourceKey::ExtraFeed(feed.name.clone());
        (
            Feed {
                key,
                query: feed.query.clone(),
                source: ListSource::Feed,
            },
            schedule,
        )
    });
    lists.chain(extra).collect()
}
