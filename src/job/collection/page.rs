//! Pagination: follows a collection's `next` links page by page.

use chrono::{DateTime, Utc};
use tracing::warn;

use super::links::Links;
use crate::http::{Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::counted;
use crate::source::page::Page;
use crate::source::xml::FeedError;

/// Pages in one scan. At 100 rows a page that is ten million rows.
const MAX_PAGES: u32 = 100_000;

/// A received page.
pub(crate) struct PageResult {
    pub page: Page,
    pub bytes: u64,
}

/// A scan of a collection, page by page.
pub(crate) struct Pages<'c> {
    context: &'c Context,
    next: Next,
    links: Links,
    limit: u32,
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
    First(Request),
    At(String),
    /// After a page that says that something is missing: its rows are used, the scan fails.
    Failed(FeedError),
    End,
}

impl<'c> Pages<'c> {
    /// Starts at the first page.
    pub(crate) fn new(context: &'c Context, first: Request) -> Self {
        Self {
            context,
            next: Next::First(first),
            links: Links::default(),
            limit: MAX_PAGES,
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
        let (url, response) = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return Ok(None),
            Next::Failed(error) => return Err(error.into()),
            Next::First(request) => (None, context.or_stopped(client.get_whole(&request)).await?),
            Next::At(_) if self.read >= self.limit => {
                return Err(Failure::TooManyPages { pages: self.read });
            }
            Next::At(url) => {
                self.links.follow(&url)?;
                let request = client.get_url_whole(&url, Kind::Json);
                let response = context.or_stopped(request).await?;
                (Some(url), response)
            }
        };
        let mut response = match response {
            // Past the end. Only a page after the first can be that.
            Err(error) if url.is_some() && error.is_invalid_page() => return Ok(None),
            response => response?,
        };
        let body = response.bytes().await?;
        let mut page = Page::read(&body)?;
        warn_of_repairs(&page);
        let rows = page.results.len() + page.unreadable.len();
        self.links.read(rows as u64, Some(page.count))?;
        let next = page.next.take().filter(|url| !url.is_empty());
        if self.read == 0 {
            self.claimed = page.count;
            self.date = Some(response.date.unwrap_or_else(|| client.upstream_at_most()));
        }
        self.read += 1;
        self.url = url;
        self.next = match page.claim.take() {
            Some(claim) => Next::Failed(claim),
            None => next.map_or(Next::End, Next::At),
        };
        Ok(Some(PageResult {
            page,
            bytes: body.len() as u64,
        }))
    }
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
