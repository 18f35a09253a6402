//! The part of `check` that asks upstream. Every request counts against the
//! account's limits, so each list costs one and the tickets at most five.

use std::sync::Arc;

use super::check::{Finding, Teller};
use crate::config::Config;
use crate::daemon::lanes::feeds;
use crate::http::{Answer, ClientError, Kind, Request};
use crate::job::context::Context;
use crate::job::discover;
use crate::job::failure::{Failure, chain};
use crate::job::pull_feed::Feed;
use crate::job::ticket_filter;
use crate::source::xml::{FeedError, RecordReader};
use crate::store::ticket_reading::DateFilter;

/// Enough of a document to know whether its records are recognised.
const LOOK_BYTES: usize = 8 * 1024 * 1024;

pub(super) async fn check(context: &Context, teller: &mut Teller) -> anyhow::Result<()> {
    let (config, discovery) = lists(context).await;
    if let Some(finding) = discovery {
        let rejected = !finding.ok && finding.says.contains("token");
        teller.tell(finding)?;
        if rejected {
            return Ok(());
        }
    }
    for (feed, _) in feeds(&config) {
        let finding = feed_finding(context, &feed).await;
        let rejected = !finding.ok && finding.says.contains("token");
        teller.tell(finding)?;
        if rejected {
            // Every further request would say the same and look like an attack.
            return Ok(());
        }
    }
    if context.config.tickets.enabled {
        teller.tell(tickets(context).await)?;
    }
    Ok(())
}

/// The lists that would be followed now, asked of upstream where `[discovery]`
/// does; nothing is written down.
async fn lists(context: &Context) -> (Config, Option<Finding>) {
    let config = &context.config;
    if !config.discovery.watch_lists {
        return (Config::clone(config), None);
    }
    match discover::ask(context).await {
        Ok(listed) => {
            let enabled = discover::enabled(&listed);
            let found = config.with_discovered(&enabled);
            let says = format!(
                "readable; upstream has {} watch lists, {} of them enabled, {} are followed",
                listed.len(),
                enabled.len(),
                found.watch_lists.len()
            );
            (found, Some(Finding::good("discovery", says)))
        }
        Err(failure) => {
            let says = match &failure {
                Failure::Upstream(error) => advice(error),
                _ => failure.chain(),
            };
            let says = format!("{says}; the lists known so far are followed");
            (Config::clone(config), Some(Finding::bad("discovery", says)))
        }
    }
}

async fn feed_finding(context: &Context, feed: &Feed) -> Finding {
    let what = feed.key.to_string();
    let mut query = feed.query.clone();
    query.push(("days".to_owned(), "1".to_owned()));
    let request = Request {
        path: "/api/xml-feed/".to_owned(),
        query,
        kind: Kind::Xml,
    };
    match context.client.get(&request).await {
        Ok(answer) => match look(context, answer).await {
            Ok(says) => Finding::good(what, says),
            Err(says) => Finding::bad(what, says),
        },
        Err(error) => Finding::bad(what, advice(&error)),
    }
}

fn advice(error: &ClientError) -> String {
    let says = chain(error);
    match error {
        ClientError::TokenRejected { .. } => {
            format!(
                "{says}; make a new token in Flexera's web interface and put it where [upstream] token_file points"
            )
        }
        ClientError::NotFound { .. } => {
            format!("{says}; does the watch list exist, and may this account see it?")
        }
        ClientError::Forbidden { .. } => format!("{says}; is the API licensed for this account?"),
        _ => says,
    }
}

/// Reads the beginning of a feed.
async fn look(context: &Context, mut answer: Answer) -> Result<String, String> {
    let mut reader = RecordReader::new(Arc::clone(&context.rules), answer.charset.as_deref(), None);
    let (mut bytes, mut records) = (0, 0_u64);
    let mut count = |_: &[u8]| records += 1;
    while bytes < LOOK_BYTES {
        let Some(piece) = answer.body.chunk().await.map_err(|error| advice(&error))? else {
            let document = reader.finish(&mut count).map_err(|error| unread(&error))?;
            return Ok(format!(
                "readable, {} advisories in the last day ({})",
                document.records,
                document.profile.name()
            ));
        };
        bytes += piece.len();
        reader
            .push(&piece, &mut count)
            .map_err(|error| unread(&error))?;
    }
    Ok(format!(
        "readable, {records} advisories and more in the last day"
    ))
}

fn unread(error: &FeedError) -> String {
    match error {
        FeedError::NotRecognised { .. } => {
            format!("{}; name its elements under [feeds.aliases]", chain(error))
        }
        _ => chain(error),
    }
}

async fn tickets(context: &Context) -> Finding {
    match ticket_filter::discover(context).await {
        Ok(Some(DateFilter::Modified)) => Finding::good(
            "tickets",
            "readable; `modified__gte` works, so only differences are read",
        ),
        Ok(Some(DateFilter::Created)) => Finding::good(
            "tickets",
            "readable; only `created__gte` works, so changes come with the full walks of [schedule] full_walk",
        ),
        Ok(Some(DateFilter::None)) => Finding::good(
            "tickets",
            "readable; no date filter works, so they come with the full walks of [schedule] full_walk",
        ),
        Ok(None) => Finding::good("tickets", "readable; there is none yet"),
        Err(failure) => Finding::bad("tickets", failure.chain()),
    }
}
