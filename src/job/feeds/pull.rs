//! Pulls one feed: what its list said since it was last read completely.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::fallback;
use super::feed::{Feed, LookBack};
use super::store::Stored;
use super::stream::pull_stream;
use crate::http::{Answer, Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Run, Work};
use crate::model::{FeedWindow, Mode, feed_days, missing_from};

/// Where upstream serves every feed (contract §5).
const PATH: &str = "/api/xml-feed/";
/// How often a request may be repeated because upstream's clock shows that it
/// asked for too few days. Once is enough: the second request knows the clock.
const CLOCK_CORRECTIONS: u32 = 1;
/// Documents of one run, should a feed ever be paged.
const MAX_DOCUMENTS: u32 = 10_000;

/// Pulls a feed. Fails only where the ledger itself could not be written; a
/// pull that went wrong is a [`run::Report`] that says so.
pub async fn pull(context: &Context, feed: &Feed, look_back: LookBack) -> Result<Ran, Failure> {
    let mode = match look_back {
        LookBack::Full => Mode::Full,
        LookBack::Again(_) => Mode::Reconcile,
        LookBack::Missing | LookBack::Days(_) => Mode::Window,
    };
    let Some(mut run) = run::begin(context, &feed.key, mode).await? else {
        return Ok(Ran::Busy);
    };
    let mut work = Work::default();
    let result = match fallback::without_feed(&run, feed, look_back) {
        Some(why) => fallback::read(&mut run, look_back, &why, &mut work).await,
        None => read_or_fall_back(&mut run, feed, look_back, &mut work).await,
    };
    Ok(Ran::Ended(run.end(work, result).await?))
}

/// Reads the feed, and where it cannot be read, the JSON API in its place.
async fn read_or_fall_back(
    run: &mut Run,
    feed: &Feed,
    look_back: LookBack,
    work: &mut Work,
) -> Result<(), Failure> {
    let far = fallback::far_enough(run, look_back).await?;
    let failure = match read(run, feed, far, work).await {
        Ok(()) => return fallback::back_to_feed(run).await,
        Err(failure) => failure,
    };
    let Some(why) = fallback::fallback(feed, &failure) else {
        return Err(failure);
    };
    // What the feed held is stored; the run is about what JSON says.
    *work = Work::default();
    match fallback::read(run, look_back, &why, work).await {
        Ok(()) => fallback::pause_feed(run).await,
        Err(refusal) if fallback::is_refused(&refusal) => {
            fallback::serve(run, run.source.served_by, run.source.served_why.as_deref()).await?;
            Err(failure)
        }
        Err(other) => Err(other),
    }
}

async fn read(run: &Run, feed: &Feed, look_back: LookBack, work: &mut Work) -> Result<(), Failure> {
    let (answer, window) = ask(run, feed, look_back).await?;
    work.covers = Some((window.from, window.to));
    {
        let mut connection = run.context.pool.acquire().await?;
        crate::store::ledger::run::records_window(
            &mut connection,
            run.origin.run_id,
            (window.from, window.to),
        )
        .await?;
    }
    let mut stored = Stored::default();
    let read = read_documents(run, answer, work, &mut stored).await;
    work.tally = stored.tally;
    work.sightings = stored.sightings;
    work.received = stored.received;
    work.accounted = Some(work.tally.seen + work.tally.quarantined);
    read
}

/// Reads the document, and those that its `next` leads to, should feeds be paged.
async fn read_documents(
    run: &Run,
    first: Answer,
    work: &mut Work,
    stored: &mut Stored,
) -> Result<(), Failure> {
    let mut answer = first;
    let mut known_root = run.source.root_element.clone();
    for _ in 0..MAX_DOCUMENTS {
        let (part, document) =
            pull_stream(&run.context, run.origin, known_root.as_deref(), answer).await;
        stored.add(part);
        let document = document?;
        if !document.ignored.is_empty() {
            warn!(
                source = %run.source_name(), ignored = ?document.ignored,
                "{}: the feed also holds elements that are not advisories: {:?}; if they are, teach their identifier with [feeds] id_pattern or [feeds.aliases] said",
                run.source_name(), document.ignored
            );
        }
        stored.tally.claimed = stored.tally.claimed.or(document.claimed);
        known_root = Some(document.root.clone());
        work.root_element.clone_from(&known_root);
        let Some(next) = document.next else {
            return reconcile(stored);
        };
        let asked = run.context.client.get_url(&next, Kind::Xml);
        answer = run.context.or_stopped(asked).await??;
    }
    Err(Failure::TooManyPages {
        pages: MAX_DOCUMENTS,
    })
}

/// Fewer records than upstream's own count are not a complete run.
fn reconcile(stored: &Stored) -> Result<(), Failure> {
    let seen = stored.tally.seen + stored.tally.quarantined;
    match stored.tally.claimed {
        Some(claimed) if claimed > seen => Err(Failure::Disagree {
            collection: "records",
            tries: 1,
            claimed,
            received: seen,
        }),
        _ => Ok(()),
    }
}

/// Sends the request and learns from the answer what it covers. Upstream counts
/// `days` back from its own clock, so what was computed by ours is checked
/// against its `Date` and asked again where that shows a hole.
async fn ask(run: &Run, feed: &Feed, look_back: LookBack) -> Result<(Answer, FeedWindow), Failure> {
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
            kind: Kind::Xml,
        };
        let answer = context.or_stopped(context.client.get(&request)).await??;
        let to = answer.date.unwrap_or_else(|| context.clock.now());
        if corrections < CLOCK_CORRECTIONS && self::days(run, look_back, to) > days {
            corrections += 1;
            now = to;
            continue;
        }
        if let Some(length) = answer.content_length {
            context.progress.expect_bytes(length);
        }
        let from = to - TimeDelta::days(i64::from(days));
        return Ok((answer, FeedWindow { from, to }));
    }
}

fn days(run: &Run, look_back: LookBack, now: DateTime<Utc>) -> u32 {
    let (source, config) = (&run.source, &run.context.config);
    let feeds = &config.feeds;
    match look_back {
        LookBack::Days(days) | LookBack::Again(days) => days.clamp(1, feeds.max_days),
        LookBack::Full => feeds.first_days,
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
