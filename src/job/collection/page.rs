//! The pages of a collection, one after the other (contract §4).

use chrono::{DateTime, Utc};

use crate::http::{Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::source::page::Page;

/// Pages in one walk; at 100 rows a page that is ten million.
const MAX_PAGES: u32 = 100_000;

/// A page as it came.
pub(crate) struct PageResult {
    pub page: Page,
    pub bytes: u64,
}

/// A walk over a collection, page by page.
pub(crate) struct Pages<'c> {
    context: &'c Context,
    next: Next,
    at_most: u32,
    /// Address of the page that was read last; `None` for the first one.
    pub url: Option<String>,
    /// Pages that were read.
    pub read: u32,
    /// How many rows upstream claims, by the first page.
    pub claimed: u64,
    /// Upstream's clock when it answered with the first page.
    pub date: Option<DateTime<Utc>>,
}

enum Next {
    First(Request),
    At(String),
    End,
}

impl<'c> Pages<'c> {
    /// From the first page on.
    pub(crate) fn new(context: &'c Context, first: Request) -> Self {
        Self {
            context,
            next: Next::First(first),
            at_most: MAX_PAGES,
            url: None,
            read: 0,
            claimed: 0,
            date: None,
        }
    }

    /// Goes on at `url` as if `read` pages had been read before, where there is a
    /// URL to go on at.
    pub(crate) fn resumed(mut self, url: Option<String>, read: u32) -> Self {
        if let Some(url) = url {
            self.next = Next::At(url);
            self.read = read;
        }
        self
    }

    /// Fails when there are more pages than this.
    pub(crate) fn at_most(self, at_most: u32) -> Self {
        Self { at_most, ..self }
    }

    /// The next page, `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<PageResult>, Failure> {
        let (context, client) = (self.context, &self.context.client);
        let (url, answer) = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return Ok(None),
            Next::First(request) => (None, context.or_stopped(client.get_whole(&request)).await?),
            Next::At(url) if self.read >= self.at_most || self.url.as_ref() == Some(&url) => {
                return Err(Failure::TooManyPages { pages: self.read });
            }
            Next::At(url) => {
                let asked = client.get_url_whole(&url, Kind::Json);
                let answer = context.or_stopped(asked).await?;
                (Some(url), answer)
            }
        };
        let mut answer = match answer {
            // Past the end, which only a page that is not the first can be.
            Err(error) if url.is_some() && error.is_invalid_page() => return Ok(None),
            answer => answer?,
        };
        let body = answer.bytes().await?;
        let mut page = Page::read(&body)?;
        let next = page.next.take().filter(|url| !url.is_empty());
        if self.read == 0 {
            self.claimed = page.count;
            self.date = answer.date;
        }
        self.read += 1;
        self.url = url;
        self.next = next.map_or(Next::End, Next::At);
        Ok(Some(PageResult {
            page,
            bytes: body.len() as u64,
        }))
    }
}
