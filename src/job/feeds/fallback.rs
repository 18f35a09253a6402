//! Serves a watch list from the JSON API, where its feed cannot be read: windows
//! over all modified advisories name the candidates, their details tell which
//! lists they are in.

use chrono::TimeDelta;
use tracing::{info, warn};

use crate::config::ListSource;
use crate::http::ClientError;
use crate::job::collection::window::Frozen;
use crate::job::details::revision_scan;
use crate::job::details::window::{For, walk};
use crate::job::failure::Failure;
use crate::job::feeds::feed::Feed;
use crate::job::feeds::feed::LookBack;
use crate::job::run::{Run, Work};
use crate::model::{IngestedVia, SourceKey, feed_days};
use crate::source::xml::FeedError;
use crate::store::ledger::source;
use crate::store::wanted::queue;

/// How long a feed that could not be read is left alone while JSON serves its list.
const FEED_RESTS: TimeDelta = TimeDelta::hours(1);

/// Whether a list is to be read from JSON without asking its feed, and why.
pub(crate) fn without_feed(run: &Run, feed: &Feed, look_back: LookBack) -> Option<String> {
    let now = run.context.clock.now();
    let rests = run.source.rests_until.is_some_and(|until| until > now);
    match feed.source {
        ListSource::Json => Some("[[watch_lists]] source = \"json\" says so".to_owned()),
        ListSource::Auto if run.source.served_by == IngestedVia::Json && rests => {
            let is_tick = look_back == LookBack::Missing;
            run.source.served_why.clone().filter(|_| is_tick)
        }
        ListSource::Auto | ListSource::Feed => None,
    }
}

/// Why JSON may serve the list whose feed failed so; `None` where trying the feed
/// again is all there is to do.
pub(crate) fn fallback(feed: &Feed, failure: &Failure) -> Option<String> {
    let is_list = matches!(feed.key, SourceKey::WatchList(_));
    if !is_list || feed.source != ListSource::Auto {
        return None;
    }
    let is_hopeless = matches!(
        failure,
        Failure::Feed(FeedError::NotRecognised { .. } | FeedError::Html)
            | Failure::Upstream(
                ClientError::Forbidden { .. }
                    | ClientError::NotFound { .. }
                    | ClientError::Html { .. }
                    | ClientError::WrongType { .. }
            )
    );
    is_hopeless.then(|| failure.chain())
}

/// Reads the list from JSON. That it does is written down first: details that
/// come meanwhile must know whose members they name.
pub(crate) async fn read(
    run: &mut Run,
    look_back: LookBack,
    why: &str,
    work: &mut Work,
) -> Result<(), Failure> {
    serve(run, IngestedVia::Json, Some(why)).await?;
    run.reads_json().await?;
    let window = window(run, look_back);
    let covers = (window.from, window.to);
    {
        let mut connection = run.context.pool.acquire().await?;
        crate::store::ledger::run::records_window(&mut connection, run.origin.run_id, covers)
            .await?;
    }
    let again = look_back == LookBack::Full;
    walk(run, &window, For::List { again }, work).await?;
    if run.source.served_by == IngestedVia::Feed {
        warn!(
            source = %run.source_name(),
            "{}: its advisories come from the JSON API: {why}", run.source_name()
        );
    }
    Ok(())
}

/// Whether JSON too is closed to this account: then the feed's failure is what an
/// operator must know.
pub(crate) fn is_refused(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Upstream(ClientError::Forbidden { .. } | ClientError::NotFound { .. })
    )
}

/// Notes who serves the list. A feed that was left for JSON is asked again after
/// a while.
pub(crate) async fn serve(
    run: &Run,
    served_by: IngestedVia,
    why: Option<&str>,
) -> Result<(), Failure> {
    let mut connection = run.context.pool.acquire().await?;
    source::serve(&mut connection, run.source.id, served_by, why).await?;
    Ok(())
}

/// Lets the feed alone for a while.
pub(crate) async fn pause_feed(run: &Run) -> Result<(), Failure> {
    let until = run.context.clock.now() + FEED_RESTS;
    let mut connection = run.context.pool.acquire().await?;
    source::pause_until(&mut connection, run.source.id, Some(until)).await?;
    Ok(())
}

/// How far back the feed of a list is asked that JSON has served. While details are
/// wanted that would have told its members, to the beginning of what is covered:
/// once the feed serves the list, its members are those that the feed names.
pub(crate) async fn far_enough(run: &Run, look_back: LookBack) -> Result<LookBack, Failure> {
    if run.source.served_by == IngestedVia::Feed {
        return Ok(look_back);
    }
    let mut connection = run.context.pool.acquire().await?;
    let Some(since) = queue::pending_since(&mut connection, run.source.id).await? else {
        return Ok(look_back);
    };
    let feeds = &run.context.config.feeds;
    let owed = feed_days(run.context.upstream_now(), since, feeds.max_days);
    Ok(match look_back {
        LookBack::Missing => LookBack::Days(owed),
        LookBack::Full => LookBack::Days(owed.max(feeds.first_days)),
        LookBack::Days(days) => LookBack::Days(owed.max(days)),
        LookBack::Again(days) => LookBack::Again(owed.max(days)),
    })
}

/// Notes that the feed serves the list again, once it was read well.
pub(crate) async fn back_to_feed(run: &Run) -> Result<(), Failure> {
    if run.source.served_by == IngestedVia::Feed {
        return Ok(());
    }
    serve(run, IngestedVia::Feed, None).await?;
    info!(
        source = %run.source_name(),
        "{}: its feed can be read again, and serves it", run.source_name()
    );
    Ok(())
}

fn window(run: &Run, look_back: LookBack) -> Frozen {
    let feeds = &run.context.config.feeds;
    let now = run.context.upstream_now();
    let days = match look_back {
        LookBack::Missing => return revision_scan::window(run),
        LookBack::Days(days) | LookBack::Again(days) => days.clamp(1, feeds.max_days),
        LookBack::Full => feeds.first_days,
    };
    Frozen::new("modified", now - TimeDelta::days(i64::from(days)), now)
}
