//! The part of `check` that asks upstream. Every request counts against the
//! account's limits, so each list and the JSON API cost one and the tickets at most five.

use std::sync::Arc;

use super::finding::{Finding, Teller};
use crate::config::Config;
use crate::config::ListSource;
use crate::http::{Answer, ClientError, Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::feeds::feed::{Feed, feeds};
use crate::job::lists::discover;
use crate::job::tickets::filter;
use crate::model::chain;
use crate::source::xml::{FeedError, RecordReader};
use crate::store::tickets::reading::DateFilter;
use crate::store::wanted::feed_days;

/// Enough of a document to know whether its records are recognised.
const LOOK_BYTES: usize = 8 * 1024 * 1024;

pub(super) async fn check(context: &Context, teller: &mut Teller) -> anyhow::Result<()> {
    let (config, discovery) = lists(context).await;
    if let Some(finding) = discovery {
        let rejected = is_token(&finding);
        teller.tell(finding)?;
        if rejected {
            return Ok(());
        }
    }
    let json = if config.fetches_details() {
        Some(json(context).await)
    } else {
        None
    };
    if let Some(finding) = json.as_ref().filter(|json| is_token(json)) {
        return teller.tell(finding.clone());
    }
    for (feed, _) in feeds(&config) {
        let finding = feed_finding(context, &feed).await;
        let finding = instead(finding, &feed, json.as_ref());
        let rejected = is_token(&finding);
        teller.tell(finding)?;
        if rejected {
            // Every further request would say the same and look like an attack.
            return Ok(());
        }
    }
    if let Some(json) = json {
        teller.tell(json)?;
        teller.tell(days(context).await?)?;
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

/// Whether the token is what is wrong.
fn is_token(finding: &Finding) -> bool {
    !finding.ok && finding.says.contains("token")
}

/// Whether the JSON API may be asked, which sweep, details and lists without a
/// readable feed live on. Not being allowed is no fault where the feeds say all.
async fn json(context: &Context) -> Finding {
    let request = Request::new("/api/advisories/", Kind::Json).with("page_size", "1");
    match context.client.get_whole(&request).await {
        Ok(_) => Finding::good("JSON API", "readable; details and the sweep work"),
        Err(ClientError::Forbidden { .. } | ClientError::NotFound { .. }) => Finding::good(
            "JSON API",
            "not open to this account: what the feeds leave out and do not show stays unknown; set [feeds] details = \"never\" and sweep = false, or ask Flexera for it",
        ),
        Err(error) => Finding::bad("JSON API", advice(&error)),
    }
}

/// A list whose feed cannot be read is served all the same where JSON can be.
fn instead(finding: Finding, feed: &Feed, json: Option<&Finding>) -> Finding {
    let has_json = json.is_some_and(|json| json.ok && json.says.starts_with("readable"));
    match feed.source {
        ListSource::Json if has_json => {
            Finding::good(finding.what, "its advisories come from the JSON API")
        }
        ListSource::Auto if !finding.ok && has_json && !is_token(&finding) => {
            let says = format!(
                "its advisories come from the JSON API, because its feed cannot be read: {}",
                finding.says
            );
            Finding::good(finding.what, says)
        }
        _ => finding,
    }
}

/// What is known of the feeds' `days`.
async fn days(context: &Context) -> anyhow::Result<Finding> {
    let mut connection = context.pool.acquire().await?;
    let says = match feed_days::get(&mut connection).await? {
        Some(known) => format!(
            "`days` counts {}, as {} has shown",
            known.counts, known.said
        ),
        None => "it is not known yet whether `days` counts releases or modifications".to_owned(),
    };
    Ok(Finding::good("feeds", says))
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
    match filter::discover(context).await {
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
