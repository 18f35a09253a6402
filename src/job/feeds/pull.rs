//! Pulls one feed: everything since it was last read completely (cursor minus overlap).

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::due::is_full;
use super::fallback;
use super::feed::{Feed, LookBack};
use super::members;
use super::reach;
use super::store::StoredCounters;
use super::stream::{self, pull_stream};
use crate::http::{Answer, BodyType, ClientError, Request};
use crate::job::caught::caught;
use crate::job::collection::links::VisitedPages;
use crate::job::collection::next_page::{next_document, require_same_feed};
use crate::job::context::{Context, OUTCOME};
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Run, Work};
use crate::model::{FeedWindow, Mode, feed_days, missing_from};
use crate::source::xml::{FeedError, ParsedDocument};
use crate::store::ledger::{source, unknown_field};

/// Path of all feeds.
pub(crate) const PATH: &str = "/api/xml-feed/";
/// How often a request is repeated because upstream's clock shows that `days` was too
/// small. Once is enough: the second request uses that clock.
const CLOCK_CORRECTIONS: u32 = 1;
/// How often a document is requested again whose body ended without an error but before
/// its root element did. It may be what upstream has: more would only cost requests.
const TRUNCATED_RETRIES: u32 = 1;
/// Maximum number of documents of one run, should feeds be paginated.
const MAX_DOCUMENTS: u32 = 10_000;

/// Pulls a feed. Fails only if the run log could not be written; a failed pull is a
/// report with its error.
pub async fn pull(context: &Context, feed: &Feed, look_back: LookBack) -> Result<Ran, Failure> {
    let mode = match look_back {
        LookBack::Full | LookBack::FullAccepted => Mode::Full,
        LookBack::Again(_) => Mode::Reconcile,
        LookBack::Missing | LookBack::Days(_) => Mode::Window,
    };
    let mut run = match run::begin(context, &feed.key, mode).await? {
        Ok(run) => run,
        Err(holder) => return Ok(Ran::Busy(holder)),
    };
    if look_back.is_full() {
        let mut transaction = run.transaction().await?;
        source::full_attempted(&mut transaction, run.source.id, run.origin.at).await?;
        transaction.commit().await?;
    }
    let mut work = Work::default();
    let result = match fallback::reason_to_skip_feed(&run, feed, look_back).await? {
        Some(why) => caught(skip_feed(&mut run, look_back, &why, &mut work)).await,
        None => caught(read_or_fall_back(&mut run, feed, look_back, &mut work)).await,
    };
    Ok(Ran::Ended(run.end(work, result).await?))
}

/// Reads the JSON API without requesting the feed.
async fn skip_feed(
    run: &mut Run,
    look_back: LookBack,
    why: &str,
    work: &mut Work,
) -> Result<(), Failure> {
    let existence = fallback::require_list(run, look_back).await?;
    let mut read = fallback::read_json(run, look_back, why, work).await;
    if read.is_ok() {
        read = fallback::require_shown(run, existence).await;
    }
    let is_stopped = matches!(read, Err(Failure::Stopped));
    if !is_stopped && (read.is_err() || work.tally.seen == 0) {
        let ended = run.pause_source_until(None).await;
        read?;
        return ended;
    }
    read
}

/// Reads the feed, or the JSON API if the feed cannot be read.
async fn read_or_fall_back(
    run: &mut Run,
    feed: &Feed,
    look_back: LookBack,
    work: &mut Work,
) -> Result<(), Failure> {
    let extended = fallback::extend_look_back(run, look_back).await?;
    let failure = match read(run, feed, extended, work).await {
        Ok(()) => {
            fallback::return_to_feed(run).await?;
            work.is_full = is_full(&run.source, look_back);
            let cut_off = if work.is_full {
                members::judge(run, look_back, work).await?
            } else {
                None
            };
            return reach::limit(run, look_back, cut_off, work).await;
        }
        Err(failure) => failure,
    };
    let is_missing = matches!(failure, Failure::Upstream(ClientError::NotFound { .. }));
    let why = fallback::reason_to_fall_back(feed, &failure);
    if !is_missing && why.is_none() {
        return Err(failure);
    }
    let existence = fallback::list_of_feed(run, &failure).await?;
    let Some(why) = why else {
        return Err(failure);
    };
    // Records of the feed are stored; the run now counts those of the JSON API.
    *work = Work::default();
    let mut read = fallback::read_json(run, look_back, &why, work).await;
    if read.is_ok() {
        read = fallback::require_shown(run, existence).await;
    }
    match read {
        Ok(()) => fallback::pause_feed(run, work).await,
        Err(error) if fallback::is_refused(&error) || fallback::is_empty(&error) => {
            if fallback::is_empty(&error) {
                warn!(
                    source = %run.source_name(),
                    "{}: the JSON API cannot replace the feed: {error}", run.source_name()
                );
            }
            fallback::set_ingested_via(
                run,
                run.source.ingested_via,
                run.source.ingested_via_reason.as_deref(),
            )
            .await?;
            Err(failure)
        }
        Err(other) => Err(other),
    }
}

async fn read(run: &Run, feed: &Feed, look_back: LookBack, work: &mut Work) -> Result<(), Failure> {
    let (response, window) = request(run, feed, look_back).await?;
    work.covers = Some((window.from, window.to));
    run.record_window((window.from, window.to)).await?;
    let mut stored = StoredCounters::default();
    let read = read_documents((run, feed), response, work, &mut stored).await;
    work.tally = stored.tally;
    work.sightings = stored.sightings;
    work.received = stored.received;
    work.staleness = stored.staleness;
    work.accounted = Some(work.tally.seen + work.tally.quarantined);
    read
}

/// Reads the document, and those of its `next` links, should feeds be paginated.
async fn read_documents(
    (run, feed): (&Run, &Feed),
    first: Answer,
    work: &mut Work,
    stored: &mut StoredCounters,
) -> Result<(), Failure> {
    let mut response = first;
    let mut known_root = run.source.root_element.clone();
    let mut links = VisitedPages::default();
    let mut before: Option<ParsedDocument> = None;
    for page in 1..=MAX_DOCUMENTS {
        let (url, linked) = (response.url.clone(), response.next.take());
        let mut document = read_document(run, response, known_root.as_deref(), stored).await?;
        stream::warn_of_ignored(run.source_name(), &document);
        record_unknown(run, &document).await?;
        if let Some(before) = before {
            let known = before.distinct();
            document.inherit(before);
            if document.records > 0 && document.distinct() == known {
                return Err(Failure::RepeatedRecords { page });
            }
        }
        stored.tally.claimed = document.claimed;
        if document.has_records_in_root() {
            known_root = Some(document.root.clone());
            work.root_element.clone_from(&known_root);
        }
        let next = next_document(&url, &document, linked.as_ref())?;
        document.check_parts(u64::from(page), next.is_some())?;
        let Some(next) = next else {
            return stream::check_count(&document);
        };
        links.read(document.records, document.claimed)?;
        require_same_feed(&next, &feed.query)?;
        links.follow(&next)?;
        let request = run.context.client.get_url(&next, BodyType::Xml);
        response = run.context.or_stopped(request).await??;
        before = Some(document);
    }
    Err(Failure::TooManyPages {
        pages: MAX_DOCUMENTS,
    })
}

/// Stores the names around the records of which nothing is known.
async fn record_unknown(run: &Run, document: &ParsedDocument) -> Result<(), Failure> {
    if document.unknown.is_empty() {
        return Ok(());
    }
    let unknown = document.unknown.iter();
    let unknown = unknown
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut transaction = run.transaction().await?;
    unknown_field::record_names(&mut transaction, run.origin, unknown).await?;
    transaction.commit().await?;
    Ok(())
}

/// Reads one document; if its body is cut short it is requested again within the run.
async fn read_document(
    run: &Run,
    first: Answer,
    known_root: Option<&str>,
    stored: &mut StoredCounters,
) -> Result<ParsedDocument, Failure> {
    let mut part = StoredCounters::default();
    let document = attempt_document(run, first, known_root, &mut part).await;
    stored.add(part);
    document
}

async fn attempt_document(
    run: &Run,
    first: Answer,
    known_root: Option<&str>,
    stored: &mut StoredCounters,
) -> Result<ParsedDocument, Failure> {
    let client = &run.context.client;
    let (mut retries, mut truncated) = (client.retries(), 0);
    let mut response = first;
    loop {
        let url = response.url.to_string();
        let header_claims = std::mem::take(&mut response.header_claims);
        stored.staleness = stored.staleness.or(response.staleness);
        let (part, document) = pull_stream(run, known_root, response).await;
        stored.repeated(part);
        match document {
            Ok(mut document) => {
                for (name, value) in &header_claims {
                    document.header(name, value);
                }
                return Ok(document);
            }
            Err(Failure::Upstream(error)) => {
                run.context.or_stopped(retries.pause(error)).await??;
            }
            // Without a length, a body that is cut short looks like one that ends.
            Err(Failure::Feed(FeedError::Truncated { .. })) if truncated < TRUNCATED_RETRIES => {
                truncated += 1;
            }
            Err(failure) => return Err(failure),
        }
        warn!(
            target: OUTCOME, source = %run.source_name(), seen = stored.tally.seen,
            "{}: the response was cut short and is requested again", run.source_name()
        );
        response = run
            .context
            .or_stopped(client.get_url(&url, BodyType::Xml))
            .await??;
    }
}

/// Requests the feed and computes the window that the response covers. Upstream counts
/// `days` back from its own clock, so the number is checked against the `Date` of the
/// response, and the request is repeated if there would be a gap.
async fn request(
    run: &Run,
    feed: &Feed,
    look_back: LookBack,
) -> Result<(Answer, FeedWindow), Failure> {
    let context = &run.context;
    let mut now = context.upstream_now();
    let mut corrections = 0;
    loop {
        let days = days(run, look_back, now);
        let mut query = feed.query.clone();
        query.push(("days".to_owned(), days.to_string()));
        let request = Request {
            path: PATH.to_owned(),
            query,
            kind: BodyType::Xml,
        };
        let response = context.or_stopped(context.client.get(&request)).await??;
        let to = response
            .date
            .unwrap_or_else(|| context.client.upstream_at_most());
        if corrections < CLOCK_CORRECTIONS && self::days(run, look_back, to) > days {
            corrections += 1;
            now = to;
            continue;
        }
        if let Some(length) = response.content_length {
            context.progress.expect_bytes(length);
        }
        let from = to - TimeDelta::days(i64::from(days));
        return Ok((response, FeedWindow { from, to }));
    }
}

fn days(run: &Run, look_back: LookBack, now: DateTime<Utc>) -> u32 {
    let (source, config) = (&run.source, &run.context.config);
    let feeds = &config.feeds;
    match look_back {
        LookBack::Days(days) | LookBack::Again(days) => days.clamp(1, feeds.max_days),
        LookBack::Full | LookBack::FullAccepted => feeds.first_days,
        LookBack::Missing => {
            let overlap = config.overlap_of(run.source_name());
            let reachable = now - TimeDelta::days(i64::from(feeds.max_days));
            missing_from(source.covered_to, &source.gaps, overlap, reachable)
                .map_or(feeds.first_days, |from| {
                    feed_days(now, from, feeds.max_days)
                })
        }
    }
}
