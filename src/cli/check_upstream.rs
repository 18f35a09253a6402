//! The part of `check` that asks upstream. Every request counts against the
//! account's limits, so each list, the JSON API
//! and the names of all lists cost one and the tickets at most five.

use std::sync::Arc;

use sqlx::PgPool;

use super::check_advice::{advice, is_useless, of_failure};
use super::check_asked::Asked;
use super::check_names;
use super::check_rules::Seen;
use super::finding::{CheckResult, Reporter};
use crate::config::Config;
use crate::config::ListSource;
use crate::http::{Answer, BodyType, ClientError, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::feeds::feed::{Feed, feeds};
use crate::job::lists::discover;
use crate::job::lists::exists::{self, Existence};
use crate::job::tickets::filter;
use crate::model::{DateFilter, ListedList, SourceKey, chain, counted};
use crate::source::xml::{FeedError, RecordReader};
use crate::store::lists::evidence;
use crate::store::wanted::feed_days;

/// Enough of a document to know whether its records are recognised.
const MAX_FEED_BYTES: usize = 8 * 1024 * 1024;

/// What can be asked besides upstream.
#[derive(Debug, Clone, Copy)]
pub(super) enum LocalData<'a> {
    /// The database, with what former runs have found out.
    Database(&'a PgPool),
    /// Nothing.
    Nothing,
}

/// Asks for everything. After an answer that no further request can change, the rest is
/// reported as not checked.
pub(super) async fn check(
    context: &Context,
    known: LocalData<'_>,
    seen: &mut Seen,
    reporter: &mut Reporter,
) -> anyhow::Result<()> {
    let Lists {
        config,
        discovery,
        listed,
        is_complete,
    } = lists(context).await;
    let mut is_end = false;
    if let Some(asked) = discovery {
        is_end = asked.ends_all();
        let is_discovery = config.discovery.watch_lists;
        let name = if is_discovery {
            "discovery"
        } else {
            "watch lists"
        };
        reporter.report(asked.finding(name));
    }
    if is_complete {
        seen.listed(&config, &listed);
    }
    names(&config, &listed, reporter);
    let mut json = None;
    if config.fetches_details() {
        json = reported_end(json_unless(context, is_end).await, &mut is_end, reporter);
    }
    let has_json = matches!(json, Some(Asked::Readable(_)));
    for (feed, _) in feeds(&config) {
        if is_end {
            reporter.report(not_checked(feed.key.to_string()));
            continue;
        }
        let asked = ask_feed(context, known, &feed).await;
        is_end = asked.ends_all();
        reporter.report(instead(asked, &feed, has_json));
    }
    if let Some(asked) = json {
        reporter.report(asked.finding("JSON API"));
        if let LocalData::Database(pool) = known {
            reporter.report(days(pool).await?);
        }
    }
    if config.tickets.enabled {
        reporter.report(if is_end {
            not_checked("tickets")
        } else {
            tickets(context).await
        });
    }
    Ok(())
}

/// What is not asked because nothing would be answered.
fn not_checked(what: impl Into<String>) -> CheckResult {
    let says = "not checked, because no request would be answered";
    CheckResult::skipped(what, says)
}

/// Whether the JSON API can be read, unless nothing would be answered.
async fn json_unless(context: &Context, is_end: bool) -> Option<Asked> {
    if is_end {
        return None;
    }
    Some(json(context).await)
}

/// Reports an answer at once if it is the end of all or was not asked for; others are
/// reported after the feeds.
fn reported_end(asked: Option<Asked>, is_end: &mut bool, reporter: &mut Reporter) -> Option<Asked> {
    match asked {
        None => {
            reporter.report(not_checked("JSON API"));
            None
        }
        Some(asked) if asked.ends_all() => {
            *is_end = true;
            reporter.report(asked.finding("JSON API"));
            None
        }
        Some(asked) => Some(asked),
    }
}

/// Compares the configuration with the account's lists.
fn names(config: &Config, listed: &[ListedList], reporter: &mut Reporter) {
    let others = check_names::not_followed(config, listed);
    let others = others.filter(|_| !config.discovery.watch_lists);
    let names = check_names::differing(config, listed);
    for finding in names.into_iter().chain(others) {
        reporter.report(finding);
    }
}

/// The lists that would be followed now.
struct Lists {
    config: Config,
    /// What became of discovery, if it is on.
    discovery: Option<Asked>,
    /// The account's lists, as far as they can be read.
    listed: Vec<ListedList>,
    /// Whether these are all.
    is_complete: bool,
}

/// The lists that would be followed now, and those of the account; nothing is stored.
async fn lists(context: &Context) -> Lists {
    let config = &context.config;
    if !config.discovery.watch_lists {
        let listing = discover::ask(context).await;
        // Every further request would fail as well.
        let useless = match &listing {
            Err(Failure::Upstream(error)) if is_useless(error) => {
                Some(Asked::Useless(advice(error)))
            }
            _ => None,
        };
        let listing = listing.ok();
        let is_complete = listing.as_ref().is_some_and(|one| one.failure().is_none());
        return Lists {
            config: Config::clone(config),
            discovery: useless,
            // An account whose lists cannot be read has nothing to compare.
            listed: listing.map(|listing| listing.lists).unwrap_or_default(),
            is_complete,
        };
    }
    let (config, discovery, listed) = discovered(context, config).await;
    Lists {
        config,
        is_complete: matches!(discovery, Asked::Readable(_)),
        discovery: Some(discovery),
        listed,
    }
}

async fn discovered(context: &Context, config: &Config) -> (Config, Asked, Vec<ListedList>) {
    match discover::ask(context).await {
        Ok(listing) => {
            let enabled = discover::enabled(&listing.lists);
            let found = config.with_discovered(&enabled);
            if let Some(failure) = listing.failure() {
                return (found, Asked::Unreadable(failure.chain()), listing.lists);
            }
            let listed = listing.lists;
            let says = format!(
                "reachable; {} upstream, {} enabled, {} followed",
                counted(listed.len(), "watch list"),
                enabled.len(),
                found.watch_lists.len()
            );
            (found, Asked::Readable(says), listed)
        }
        Err(failure) => {
            let known = |says: String| format!("{says}; the known lists are still followed");
            let asked = match &failure {
                Failure::Upstream(error) if is_useless(error) => {
                    Asked::Useless(known(advice(error)))
                }
                Failure::Upstream(error) => Asked::Unreadable(known(advice(error))),
                _ => Asked::Unreadable(known(failure.chain())),
            };
            (Config::clone(config), asked, Vec::new())
        }
    }
}

/// Whether the JSON API may be asked, which the revision scan, details and lists without a
/// readable feed live on. Not being allowed is no fault where the feeds say all.
async fn json(context: &Context) -> Asked {
    let request = Request::new("/api/advisories/", BodyType::Json).with("page_size", "1");
    match context.client.get_whole(&request).await {
        Ok(_) => Asked::Readable("readable; details and the revision scan work".to_owned()),
        Err(ClientError::Forbidden { .. } | ClientError::NotFound { .. }) => Asked::Closed(
            "this account may not use the JSON API: data that the feeds lack stays unknown; ask Flexera for access, or set [feeds] details = \"never\" and sweep = false".to_owned(),
        ),
        Err(error) => Asked::refused(&error),
    }
}

/// A list whose feed cannot be read is served all the same where JSON can be.
fn instead(asked: Asked, feed: &Feed, has_json: bool) -> CheckResult {
    let what = feed.key.to_string();
    match (feed.source, asked) {
        (_, missing @ Asked::Missing(_)) => missing.finding(what),
        (ListSource::Json, _) if has_json => {
            CheckResult::good(what, "its advisories are read from the JSON API")
        }
        (ListSource::Auto, Asked::Unreadable(says)) if has_json => {
            let says = format!("read through the JSON API because its feed cannot be read: {says}");
            CheckResult::warning(what, says)
        }
        (_, asked) => asked.finding(what),
    }
}

/// What is known of the feeds' `days`.
async fn days(pool: &PgPool) -> anyhow::Result<CheckResult> {
    let mut connection = pool.acquire().await?;
    let says = match feed_days::get(&mut connection).await? {
        Some(known) => format!(
            "`days` counts {} (shown by {})",
            known.counts.name(),
            known.said
        ),
        None => "it is not known yet whether `days` counts releases or modifications".to_owned(),
    };
    Ok(CheckResult::good("feeds", says))
}

async fn ask_feed(context: &Context, known: LocalData<'_>, feed: &Feed) -> Asked {
    let mut query = feed.query.clone();
    query.push(("days".to_owned(), "1".to_owned()));
    let request = Request {
        path: "/api/xml-feed/".to_owned(),
        query,
        kind: BodyType::Xml,
    };
    let (asked, is_document) = match context.client.get(&request).await {
        Ok(answer) => match read_beginning(context, answer).await {
            Ok(asked) => (asked, true),
            Err(Unread::Request(asked)) => (asked, false),
            Err(Unread::Document(error)) => {
                let is_document = matches!(error, FeedError::NotRecognised { .. });
                (unread(&error), is_document)
            }
        },
        Err(error) => (Asked::refused(&error), false),
    };
    match (asked, &feed.key) {
        (Asked::Unreadable(says), SourceKey::WatchList(id)) => {
            or_missing(context, known, *id, (says, is_document)).await
        }
        (asked, _) => asked,
    }
}

/// What was asked of a feed that cannot be read, of a list that exists or does not. A
/// document, although its records are not recognised, is a sign that there is a list.
async fn or_missing(
    context: &Context,
    known: LocalData<'_>,
    id: i64,
    (says, is_document): (String, bool),
) -> Asked {
    let was_shown = match known {
        LocalData::Database(pool) => was_shown(pool, id).await.unwrap_or(false),
        LocalData::Nothing => false,
    };
    match exists::find(context, id, is_document || was_shown).await {
        Err(failure @ Failure::NoSuchList { .. }) => Asked::Missing(failure.chain()),
        Ok(Existence::NotShown { why }) => {
            Asked::Unreadable(format!("{says}; the entry of the list was not read: {why}"))
        }
        Ok(Existence::Shown) | Err(_) => Asked::Unreadable(says),
    }
}

async fn was_shown(pool: &PgPool, id: i64) -> Result<bool, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let known = evidence::of_list(&mut connection, id, None).await?;
    Ok(known.is_shown)
}

/// Why the beginning of a feed cannot be read.
enum Unread {
    /// The response did not arrive.
    Request(Asked),
    /// The document cannot be read.
    Document(FeedError),
}

/// Reads the beginning of a feed.
async fn read_beginning(context: &Context, mut answer: Answer) -> Result<Asked, Unread> {
    let mut reader = RecordReader::new(Arc::clone(&context.rules), answer.charset.as_deref(), None);
    let (mut bytes, mut records) = (0, 0_u64);
    let mut count = |_: &[u8]| records += 1;
    while bytes < MAX_FEED_BYTES {
        let piece = answer.body.chunk().await;
        let Some(piece) = piece.map_err(|error| Unread::Request(Asked::refused(&error)))? else {
            let document = reader.finish(&mut count).map_err(Unread::Document)?;
            return Ok(Asked::Readable(format!(
                "readable, {} in the last day ({})",
                counted(document.records, "advisory"),
                document.profile.name()
            )));
        };
        bytes += piece.len();
        reader.push(&piece, &mut count).map_err(Unread::Document)?;
    }
    Ok(Asked::Readable(format!(
        "readable, more than {} in the last day",
        counted(records, "advisory")
    )))
}

fn unread(error: &FeedError) -> Asked {
    Asked::Unreadable(match error {
        FeedError::NotRecognised {
            identifier: None, ..
        } => {
            format!("{}; add its element names to [feeds.aliases]", chain(error))
        }
        _ => chain(error),
    })
}

async fn tickets(context: &Context) -> CheckResult {
    match filter::discover(context).await {
        Ok(Some(DateFilter::Modified)) => CheckResult::good(
            "tickets",
            "readable; `modified__gte` works, so only changes are read",
        ),
        Ok(Some(DateFilter::Created)) => CheckResult::good(
            "tickets",
            "readable; only `created__gte` works, so changes are read by the full scans of [schedule] full_walk",
        ),
        Ok(Some(DateFilter::None)) => CheckResult::good(
            "tickets",
            "readable; no date filter works, so tickets are read by the full scans of [schedule] full_walk",
        ),
        Ok(None) => CheckResult::good("tickets", "readable; there is none yet"),
        Err(failure) => CheckResult::bad("tickets", of_failure(&failure)),
    }
}
