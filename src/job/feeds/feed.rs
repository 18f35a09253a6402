//! A feed: which query it is, and how far a pull looks back.

use crate::config::{Config, CronExpression, ListSource};
use crate::model::SourceKey;

/// A feed to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Which source it is.
    pub key: SourceKey,
    /// What selects it upstream, without `days`.
    pub query: Vec<(String, String)>,
    /// Whether JSON may take its place.
    pub source: ListSource,
}

/// How far back to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookBack {
    /// To the end of what is covered, less the overlap; or `first_days`.
    Missing,
    /// This many days.
    Days(u32),
    /// As at the first pull.
    Full,
    /// This many days, though they were read: is it still the same?
    Again(u32),
}

/// The feeds that a configuration names: watch lists, then extra feeds.
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
