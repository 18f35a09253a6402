//! Tests the date filter of the JSON API's list of advisories when a window is empty: an
//! upstream that no longer understands the filter, or reads its value in another unit,
//! also returns nothing.

use chrono::{DateTime, TimeDelta, Utc};

use super::fetch::PATH;
use crate::http::{Kind, Request};
use crate::job::collection::window::FixedWindow;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::Run;
use crate::source::detail::read_page;
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

/// Fails if the filter of an empty window does not return an advisory that upstream has.
pub(super) async fn require(run: &Run, window: &FixedWindow) -> Result<(), Failure> {
    let context = &run.context;
    if context.client.has_saved() {
        return Ok(());
    }
    for _ in 0..TRIES {
        let Some(at) = modification_of_any(context).await? else {
            return Ok(());
        };
        let second = FixedWindow::new(window.stem, at, at + TimeDelta::seconds(1));
        if count_in(context, &second).await? > 0 {
            return Ok(());
        }
    }
    Err(Failure::SelectsNothing {
        filter: window.stem,
    })
}

/// The modification time of an advisory that upstream has; `None` if it has none, or the
/// time cannot be read.
async fn modification_of_any(context: &Context) -> Result<Option<DateTime<Utc>>, Failure> {
    let request = Request::new(PATH, Kind::Json).with("page_size", "1".to_owned());
    let page = page(context, &request).await?;
    let (elements, _) = read_page(&context.rules, page);
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
