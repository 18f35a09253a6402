//! The feeds of `advisoryd sync`: which there are, which were chosen, and their pulls.

use std::sync::Arc;

use super::output::{print_done, print_error, print_json};
use super::progress;
use super::report::not_followed;
use super::sync_report::report;
use crate::config::Config;
use crate::job::context::Context;
use crate::job::feeds::feed::{Feed, LookBack, feeds};
use crate::job::feeds::{full, pull};
use crate::job::lists::discover as discovery;
use crate::model::{Outcome, SourceKey, counted};

/// Asks which lists there are before all feeds are pulled, where `[discovery]`
/// wants it. One that fails is reported; the lists known so far are pulled.
pub(super) async fn discover(context: &mut Context, json: bool) -> anyhow::Result<bool> {
    if !context.config.discovery.watch_lists {
        return Ok(true);
    }
    let found = discovery::discover(context).await?;
    let mut connection = context.pool.acquire().await?;
    context.config = Arc::new(discovery::followed(&mut connection, &context.config).await?);
    drop(connection);
    let Ok(found) = found else {
        return Ok(true); // another process has just found out
    };
    if json {
        print_json(&found)?;
    } else {
        print_done(&format!(
            "discovery: {}, {} upstream, {} followed, {}, {}",
            found.outcome.name(),
            counted(found.listed, "watch list"),
            found.followed,
            counted(found.changed, "change"),
            counted(found.requests, "request")
        ));
    }
    if let Some(error) = found.outcome.error() {
        print_error(&format!("discovery: {error}"));
    }
    Ok(found.outcome == Outcome::Ok)
}

/// The feeds to pull; a watch list that is not followed is a mistake of the caller.
pub(super) fn chosen_feeds(config: &Config, lists: &[i64]) -> anyhow::Result<Vec<Feed>> {
    let all: Vec<Feed> = feeds(config).into_iter().map(|(feed, _)| feed).collect();
    if lists.is_empty() {
        return Ok(all);
    }
    lists
        .iter()
        .map(|id| {
            let key = SourceKey::WatchList(*id);
            all.iter()
                .find(|feed| feed.key == key)
                .cloned()
                .ok_or_else(|| not_followed(config, *id))
        })
        .collect()
}

/// Pulls one feed, with the runs that are due.
pub(super) async fn pull_feed(
    context: &Context,
    feed: &Feed,
    look_back: LookBack,
    json: bool,
) -> anyhow::Result<bool> {
    let bar = progress::Bar::start(context, &feed.key.to_string());
    let ran = match look_back {
        LookBack::Missing => full::pull_due(context, feed).await,
        _ => pull::pull(context, feed, look_back)
            .await
            .map(|ran| vec![ran]),
    };
    bar.finish();
    let ran = match ran {
        Ok(all) => all.into_iter().map(Ok).collect(),
        Err(failure) => vec![Err(failure.chain())],
    };
    let mut good = true;
    for ran in ran {
        good &= report(context, &feed.key, ran, json).await?;
    }
    Ok(good)
}
