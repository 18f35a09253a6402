//! Pagination: follows a collection's `next` links page by page.

use chrono::{DateTime, Utc};
use tracing::warn;

use super::border::Known;
use super::links::Links;
use crate::http::{Answer, Client, ClientError, Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::counted;
use crate::source::page::Page;

/// Pages in one scan. At 100 rows a page that is ten million rows.
const MAX_PAGES: u32 = 100_000;

/// A received page.
pub(crate) struct PageResult {
    pub page: Page,
    pub bytes: u64,
}

/// A scan of a collection, page by page.
///
/// Rows can move from the next page to one that was read before, when others leave the
/// collection. So each page is read again after the next one, unless no row can be between
/// them, and what has moved to it is added to the next one. Where rows are not in the order
/// of their ids, one that is modified can move to the front: the first page is read again
/// at the end.
pub(crate) struct Pages<'c> {
    context: &'c Context,
    first: Request,
    next: Next,
    links: Links,
    limit: u32,
    /// What the page that was read last had, and the first one.
    last_had: Option<Known>,
    first_had: Known,
    /// Whether rows may have moved between two of the pages.
    is_loose: bool,
    /// Number of rows that had moved to a page that was read before.
    pub moved: u64,
    /// URL of the page that was read last; `None` for the first one.
    pub url: Option<String>,
    /// Number of pages read.
    pub read: u32,
    /// The total count that the first page reports.
    pub claimed: u64,
    /// Upstream's clock at the response with the first page. Without a `Date` it is our
    /// estimate of that clock, if the first page was read.
    pub date: Option<DateTime<Utc>>,
}

enum Next {
    First,
    At(String),
    /// After a page that is not complete: its rows are used, the scan fails.
    Failed(Failure),
    /// After the last page: the first one again.
    FirstAgain,
    End,
}

impl<'c> Pages<'c> {
    /// Starts at the first page.
    pub(crate) fn new(context: &'c Context, first: Request) -> Self {
        Self {
            context,
            first,
            next: Next::First,
            links: Links::default(),
            limit: MAX_PAGES,
            last_had: None,
            first_had: Known::default(),
            is_loose: false,
            moved: 0,
            url: None,
            read: 0,
            claimed: 0,
            date: None,
        }
    }

    /// Resumes at `url`, if there is one, as if `read` pages had been read before.
    pub(crate) fn resumed(mut self, url: Option<String>, read: u32) -> Self {
        if let Some(url) = url {
            self.next = Next::At(url);
            self.read = read;
        }
        self
    }

    /// Sets the page limit; more pages are an error.
    pub(crate) fn at_most(self, limit: u32) -> Self {
        Self { limit, ..self }
    }

    /// The next page, `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<PageResult>, Failure> {
        let (context, client) = (self.context, &self.context.client);
        let url = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return Ok(None),
            Next::Failed(failure) => return Err(failure),
            Next::FirstAgain => return self.moved_to_the_front().await,
            Next::First => None,
            Next::At(_) if self.read >= self.limit => {
                return Err(Failure::TooManyPages { pages: self.read });
            }
            Next::At(url) => {
                self.links.follow(&url)?;
                Some(url)
            }
        };
        let response = get(&self.first, url.as_deref(), client);
        let mut response = match context.or_stopped(response).await? {
            // Past the end. Only a page after the first can be that.
            Err(error) if url.is_some() && error.is_invalid_page() => {
                return self.moved_to_the_front().await;
            }
            response => response?,
        };
        let body = response.bytes().await?;
        let mut page = Page::read(&body)?;
        warn_of_repairs(&page);
        let next = page.next.take().filter(|url| !url.is_empty());
        if self.read == 0 {
            self.claimed = page.count;
            self.date = Some(response.date.unwrap_or_else(|| client.upstream_at_most()));
        }
        let mut bytes = body.len() as u64;
        // A page that was received is used, even if the one before cannot be read again.
        let moved = self.add_moved(&mut page, next.is_some()).await;
        bytes += moved.as_ref().copied().unwrap_or_default();
        let rows = page.results.len() + page.unreadable.len();
        self.links.read(rows as u64, Some(page.count))?;
        self.read += 1;
        self.url = url;
        self.next = match (page.claim.take(), moved) {
            (Some(claim), _) => Next::Failed(claim.into()),
            (None, Err(failure)) => Next::Failed(failure),
            (None, Ok(_)) => next.map_or(Next::FirstAgain, Next::At),
        };
        Ok(Some(PageResult { page, bytes }))
    }

    /// Adds what has moved from this page to the one before; returns the bytes received.
    async fn add_moved(&mut self, page: &mut Page, is_linked: bool) -> Result<u64, Failure> {
        let before = self.last_had.take();
        // A single page needs no comparison.
        let had = (is_linked || before.is_some()).then(|| Known::of(page));
        let mut bytes = 0;
        if let (Some(before), Some(had)) = (before, &had)
            && !before.is_before(had)
        {
            self.is_loose = true;
            if let Some(PageResult {
                page: again,
                bytes: more,
            }) = read_again(self.context, &self.first, self.url.as_deref()).await?
            {
                self.merge(page, again, &[&before, had]);
                bytes = more;
            }
        }
        if self.read == 0 {
            self.first_had = had.clone().unwrap_or_default();
        }
        self.last_had = had;
        Ok(bytes)
    }

    /// After the last page: what has moved to the first one.
    async fn moved_to_the_front(&mut self) -> Result<Option<PageResult>, Failure> {
        // Of two pages, the first one was just read again.
        if !self.is_loose || self.read <= 2 {
            return Ok(None);
        }
        let found = read_again(self.context, &self.first, None).await?;
        let Some(PageResult {
            page: mut again,
            bytes,
        }) = found
        else {
            return Ok(None);
        };
        self.first_had.remove_from(&mut again);
        let rows = again.results.len() + again.unreadable.len();
        self.moved += rows as u64;
        if let Some(claim) = again.claim.take() {
            self.next = Next::Failed(claim.into());
        }
        Ok((rows > 0).then_some(PageResult { page: again, bytes }))
    }

    /// Adds the rows of a page that was read `again`, but for those that were received.
    fn merge(&mut self, page: &mut Page, mut again: Page, received: &[&Known]) {
        for known in received {
            known.remove_from(&mut again);
        }
        self.moved += (again.results.len() + again.unreadable.len()) as u64;
        page.results.append(&mut again.results);
        page.unreadable.append(&mut again.unreadable);
        page.claim = page.claim.take().or(again.claim);
    }
}

async fn get(first: &Request, url: Option<&str>, client: &Client) -> Result<Answer, ClientError> {
    match url {
        Some(url) => client.get_url_whole(url, Kind::Json).await,
        None => client.get_whole(first).await,
    }
}

/// Reads a page again, at `url` or the first one. `None` if it no longer exists, or only
/// saved pages can be read.
async fn read_again(
    context: &Context,
    first: &Request,
    url: Option<&str>,
) -> Result<Option<PageResult>, Failure> {
    let client = context.client.without_saved();
    let mut response = match context.or_stopped(get(first, url, &client)).await? {
        Err(ClientError::Offline { .. }) => return Ok(None),
        Err(error) if url.is_some() && error.is_invalid_page() => return Ok(None),
        response => response?,
    };
    let body = response.bytes().await?;
    let page = Page::read(&body)?;
    let bytes = body.len() as u64;
    Ok(Some(PageResult { page, bytes }))
}

fn warn_of_repairs(page: &Page) {
    if page.repaired > 0 {
        warn!(
            repaired = page.repaired,
            "upstream's page is not valid JSON in UTF-8: {} of its {} repaired",
            page.repaired,
            counted(page.results.len() + page.unreadable.len(), "row")
        );
    }
}
