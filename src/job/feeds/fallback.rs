//! Fallback to the JSON API for a watch list whose feed cannot be read: windows over all
//! modified advisories yield the candidates, their details show which lists they are in.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use crate::config::ListSource;
use crate::http::ClientError;
use crate::job::collection::window::FixedWindow;
use crate::job::details::revision_scan;
use crate::job::details::window::{ReadPurpose, scan_window};
use crate::job::failure::Failure;
use crate::job::feeds::due::{due_at, edited_at, is_full};
use crate::job::feeds::feed::Feed;
use crate::job::feeds::feed::LookBack;
use crate::job::feeds::members;
use crate::job::lists::exists::{self, Existence};
use crate::job::run::{Run, Work};
use crate::model::{IngestedVia, SourceKey, chain, feed_days};
use crate::source::xml::FeedError;
use crate::store::ledger::source;
use crate::store::lists::evidence::{self, ListEvidence};
use crate::store::reports::missing;
use crate::store::wanted::queue;

/// How long an unreadable feed is not requested while the JSON API replaces it.
const FEED_PAUSE: TimeDelta = TimeDelta::hours(1);

/// Why a list is read from the JSON API without requesting its feed, if so. While details
/// cannot be fetched, the JSON API is no replacement: the feed is requested each time.
pub(crate) async fn reason_to_skip_feed(
    run: &Run,
    feed: &Feed,
    look_back: LookBack,
) -> Result<Option<String>, Failure> {
    let (now, until) = (run.context.clock.now(), run.source.paused_until);
    let pauses = &run.context.pauses;
    let is_paused = pauses.is_in_force(run.source_name(), until, FEED_PAUSE, now);
    let is_tick = look_back == LookBack::Missing;
    match feed.source {
        ListSource::Json => {
            let why = "configured: [[watch_lists]] source = \"json\"";
            Ok(Some(why.to_owned()))
        }
        ListSource::Auto
            if run.source.ingested_via == IngestedVia::Json && is_paused && is_tick =>
        {
            let mut connection = run.context.pool.acquire().await?;
            let missing = missing::of_lists(&mut connection).await?;
            let why = run.source.ingested_via_reason.clone();
            Ok(why.filter(|_| missing.failed == 0))
        }
        ListSource::Auto | ListSource::Feed => Ok(None),
    }
}

/// Why the JSON API may replace a feed that failed like this; `None` where only
/// retrying the feed can help.
pub(crate) fn reason_to_fall_back(feed: &Feed, failure: &Failure) -> Option<String> {
    let is_list = matches!(feed.key, SourceKey::WatchList(_));
    if !is_list || feed.source != ListSource::Auto {
        return None;
    }
    let is_unreadable = matches!(
        failure,
        Failure::Feed(FeedError::NotRecognised { .. } | FeedError::Html)
            | Failure::Upstream(
                ClientError::Forbidden { .. }
                    | ClientError::NotFound { .. }
                    | ClientError::Html { .. }
                    | ClientError::WrongType { .. }
            )
    );
    is_unreadable.then(|| failure.chain())
}

/// Reads the list from the JSON API. This is recorded first: details that arrive
/// meanwhile must know which lists they decide the members of.
pub(crate) async fn read_json(
    run: &mut Run,
    look_back: LookBack,
    why: &str,
    work: &mut Work,
) -> Result<(), Failure> {
    set_ingested_via(run, IngestedVia::Json, Some(why)).await?;
    run.switch_to_json().await?;
    let window = window(run, look_back);
    let covers = (window.from, window.to);
    run.record_window(covers).await?;
    let older_than = refresh_older_than(run, look_back);
    scan_window(run, &window, ReadPurpose::List { older_than }, work).await?;
    work.is_full = is_full(&run.source, look_back);
    if work.is_full {
        members::judge_json(run, look_back).await?;
    }
    if run.source.ingested_via == IngestedVia::Feed {
        warn!(
            source = %run.source_name(),
            "{}: reading from the JSON API instead of the feed: {why}", run.source_name()
        );
    }
    Ok(())
}

/// Fails if a list that is read without its feed does not exist: the JSON API would show
/// no advisory of it, for ever. Asked once a day, until the list is read completely, and
/// while nothing has shown it.
pub(crate) async fn require_list(run: &Run, look_back: LookBack) -> Result<Existence, Failure> {
    let SourceKey::WatchList(id) = run.source_name() else {
        return Ok(Existence::Shown);
    };
    let was_shown = evidence(run, *id).await?.is_shown;
    let today = run.context.clock.now().date_naive();
    let last = run.source.last_success_at.map(|at| at.date_naive());
    if last == Some(today) && look_back == LookBack::Missing && was_shown {
        return Ok(Existence::Shown);
    }
    exists::find(&run.context, *id, was_shown).await
}

/// Whether the list exists whose feed failed; fails if it does not.
pub(crate) async fn list_of_feed(run: &Run, failure: &Failure) -> Result<Existence, Failure> {
    let SourceKey::WatchList(id) = run.source_name() else {
        return Ok(Existence::Shown);
    };
    // A document, although its records are not recognised, is a sign that there is a list.
    let is_document = matches!(failure, Failure::Feed(FeedError::NotRecognised { .. }));
    let was_shown = is_document || evidence(run, *id).await?.is_shown;
    match exists::find(&run.context, *id, was_shown).await {
        // What failed is the feed: it says more.
        Err(Failure::Upstream(error)) => Ok(Existence::NotShown { why: chain(&error) }),
        found => found,
    }
}

/// Fails after a read of the JSON API if nothing shows that the list exists: neither
/// upstream nor any advisory.
pub(crate) async fn require_shown(run: &Run, existence: Existence) -> Result<(), Failure> {
    let (SourceKey::WatchList(id), Existence::NotShown { why }) = (run.source_name(), existence)
    else {
        return Ok(());
    };
    // A bundle holds what was recorded.
    if run.context.bundled.is_some() {
        return Ok(());
    }
    let evidence = evidence(run, *id).await?;
    if evidence.is_shown || evidence.is_pending {
        return Ok(());
    }
    Err(Failure::NothingShown { id: *id, why })
}

/// What is known of the list. Details that only this run has requested say nothing, unless it
/// is the first one.
async fn evidence(run: &Run, id: i64) -> Result<ListEvidence, Failure> {
    let pending_before = run.source.last_success_at.map(|_| run.origin.at);
    let mut connection = run.context.pool.acquire().await?;
    Ok(evidence::of_list(&mut connection, id, pending_before).await?)
}

/// Details fetched before this time are fetched again by a full pull, because they say
/// the lists of an advisory as of then. Those that another list has fetched again since
/// the scheduled time or the edit need not be, nor those fetched since a new list is
/// followed.
fn refresh_older_than(run: &Run, look_back: LookBack) -> Option<DateTime<Utc>> {
    let now = run.context.clock.now();
    if look_back.is_full() {
        let due_at = due_at(&run.context, &run.source).filter(|at| *at <= now);
        return Some(due_at.max(edited_at(&run.source)).unwrap_or(now));
    }
    let is_first = is_full(&run.source, look_back);
    is_first.then(|| run.source.followed_since.unwrap_or(now))
}

/// Whether this account may not use the JSON API either: then the failure of the feed
/// is what the operator must know.
pub(crate) fn is_refused(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Upstream(ClientError::Forbidden { .. } | ClientError::NotFound { .. })
    )
}

/// Whether the JSON API lists no advisory although there are some. Then, too, the failure of
/// the feed is what the operator must know, and the feed is requested at the next tick.
pub(crate) fn is_empty(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::ListsNothing
            | Failure::StoredNotListed { .. }
            | Failure::SelectsNothing { .. }
            | Failure::NothingShown { .. }
    )
}

/// Records which API the list is read from. A feed that was replaced by the JSON API is
/// requested again after a while.
pub(crate) async fn set_ingested_via(
    run: &Run,
    via: IngestedVia,
    why: Option<&str>,
) -> Result<(), Failure> {
    let mut transaction = run.transaction().await?;
    source::set_ingested_via(&mut transaction, run.source.id, via, why).await?;
    transaction.commit().await?;
    Ok(())
}

/// Stops requesting the feed for a while, if the JSON API has replaced it.
pub(crate) async fn pause_feed(run: &Run, work: &Work) -> Result<(), Failure> {
    let until = run.context.clock.now() + FEED_PAUSE;
    let has_replaced = work.tally.seen > 0;
    run.pause_source_until(has_replaced.then_some(until)).await
}

/// The look-back period for the feed of a list that was read from the JSON API. While
/// details are pending that would decide its members, the feed is read back to the
/// beginning of the pending time: from then on the feed alone decides the members.
pub(crate) async fn extend_look_back(run: &Run, look_back: LookBack) -> Result<LookBack, Failure> {
    if run.source.ingested_via == IngestedVia::Feed {
        return Ok(look_back);
    }
    let mut connection = run.context.pool.acquire().await?;
    let Some(since) = queue::pending_since(&mut connection, run.source.id).await? else {
        return Ok(look_back);
    };
    let feeds = &run.context.config.feeds;
    let pending = feed_days(run.context.upstream_now(), since, feeds.max_days);
    Ok(match look_back {
        LookBack::Missing => LookBack::Days(pending),
        LookBack::Full | LookBack::FullAccepted => LookBack::Days(pending.max(feeds.first_days)),
        LookBack::Days(days) => LookBack::Days(pending.max(days)),
        LookBack::Again(days) => LookBack::Again(pending.max(days)),
    })
}

/// Records that the list is read from its feed again, after a successful read.
pub(crate) async fn return_to_feed(run: &Run) -> Result<(), Failure> {
    if run.source.ingested_via == IngestedVia::Feed {
        return Ok(());
    }
    set_ingested_via(run, IngestedVia::Feed, None).await?;
    info!(
        source = %run.source_name(),
        "{}: the feed can be read again and is used", run.source_name()
    );
    Ok(())
}

fn window(run: &Run, look_back: LookBack) -> FixedWindow {
    if let Some((from, to)) = run.context.bundled {
        return FixedWindow::new("modified", from, to);
    }
    let feeds = &run.context.config.feeds;
    let now = run.context.upstream_now();
    let days = match look_back {
        LookBack::Missing => return revision_scan::window(run),
        LookBack::Days(days) | LookBack::Again(days) => days.clamp(1, feeds.max_days),
        LookBack::Full | LookBack::FullAccepted => feeds.first_days,
    };
    FixedWindow::until_now("modified", now - TimeDelta::days(i64::from(days)), now)
}
