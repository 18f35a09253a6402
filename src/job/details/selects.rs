//! Tests the date filter of the JSON API's list of advisories when a window is empty: an
//! upstream that no longer understands the filter, or reads its value in another unit,
//! or has lost its index, also returns nothing.

use chrono::{DateTime, TimeDelta, Utc};

use super::fetch::PATH;
use super::identifier::is_plain;
use crate::http::{BodyType, ClientError, Request};
use crate::job::collection::window::FixedWindow;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::Run;
use crate::source::detail;
use crate::source::page::Page;
use crate::store::wanted::listed;

/// An advisory can be modified between the two requests; then the test is repeated.
const TRIES: u32 = 3;

/// The window, from the newest stored modification before it. Upstream must return that
/// advisory, or a later revision of it, so that a window that starts there is not empty.
/// Saved responses are those to the window itself.
pub(super) async fn from_known(run: &Run, window: FixedWindow) -> Result<FixedWindow, Failure> {
    let context = &run.context;
    if context.client.has_saved() {
        return Ok(window);
    }
    let reachable = window.to - TimeDelta::days(i64::from(context.config.feeds.max_days));
    let mut connection = context.pool.acquire().await?;
    let known = listed::newest_before(&mut connection, window.from).await?;
    let known = known.filter(|known| *known >= reachable);
    Ok(known.map_or(window, |known| window.since(known)))
}

/// Fails if upstream has no advisory, if the filter of an empty window does not return one
/// that upstream has, or if an advisory of the window is stored.
pub(super) async fn require(run: &Run, window: &FixedWindow) -> Result<(), Failure> {
    let context = &run.context;
    if context.client.has_saved() {
        return Ok(());
    }
    require_filter(context, window.stem).await?;
    require_none_stored(context, window).await
}

async fn require_filter(context: &Context, filter: &'static str) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let Some(at) = modification_of_any(context).await? else {
            return Ok(());
        };
        let second = FixedWindow::new(filter, at, at + TimeDelta::seconds(1));
        if count_in(context, &second).await? > 0 {
            return Ok(());
        }
    }
    Err(Failure::SelectsNothing { filter })
}

/// Feeds and the JSON API may disagree about a time, and an advisory can be modified again
/// after the window: upstream is asked for the stored one itself.
async fn require_none_stored(context: &Context, window: &FixedWindow) -> Result<(), Failure> {
    let mut connection = context.pool.acquire().await?;
    let bounds = (window.from, window.to);
    let stored = listed::newest_within(&mut connection, bounds).await?;
    drop(connection);
    let Some(said) = stored else {
        return Ok(());
    };
    match modification_of(context, &said).await? {
        Modified::At(at) if !window.contains(at) => Ok(()),
        Modified::Gone => Ok(()),
        Modified::At(_) | Modified::Unknown => Err(Failure::StoredNotListed {
            said,
            from: window.from,
        }),
    }
}

/// When upstream modified an advisory.
enum Modified {
    At(DateTime<Utc>),
    /// Upstream does not have it any more.
    Gone,
    /// Upstream does not say it.
    Unknown,
}

async fn modification_of(context: &Context, said: &str) -> Result<Modified, Failure> {
    if !is_plain(said) {
        return Ok(Modified::Unknown);
    }
    let request = Request::new(format!("{PATH}{said}/"), BodyType::JsonObject);
    let response = context.client.get_whole(&request);
    let mut response = match context.or_stopped(response).await? {
        Err(ClientError::NotFound { is_copy: false, .. }) => return Ok(Modified::Gone),
        Err(ClientError::Forbidden { .. } | ClientError::NotFound { .. }) => {
            return Ok(Modified::Unknown);
        }
        response => response?,
    };
    let detail = detail::read(&context.rules, &response.bytes().await?).ok();
    let own = detail.filter(|detail| detail.advisory.said == said);
    let modified_at = own.and_then(|detail| detail.advisory.modified_at);
    Ok(modified_at.map_or(Modified::Unknown, Modified::At))
}

/// The modification time of an advisory that upstream has; `None` if the time cannot be
/// read.
async fn modification_of_any(context: &Context) -> Result<Option<DateTime<Utc>>, Failure> {
    let request = Request::new(PATH, BodyType::Json).with("page_size", "1".to_owned());
    let page = page(context, &request).await?;
    if page.results.is_empty() && page.unreadable.is_empty() {
        return Err(Failure::ListsNothing);
    }
    let (elements, _) = detail::read_page(&context.rules, page);
    Ok(elements.into_iter().find_map(|element| element.modified_at))
}

async fn count_in(context: &Context, window: &FixedWindow) -> Result<u64, Failure> {
    Ok(page(context, &window.request(PATH, 1)).await?.count)
}

async fn page(context: &Context, request: &Request) -> Result<Page, Failure> {
    let response = context.client.get_whole(request);
    let body = context.or_stopped(response).await??.bytes().await?;
    Ok(Page::read(&body)?)
}
