//! Pagination: follows a collection's `next` links page by page.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tracing::warn;

use super::border::{PageContent, repeats};
use super::links::VisitedPages;
use super::next_page::link;
use crate::http::{Answer, BodyType, Client, ClientError, Request, RowHashes, SeenRows, Staleness};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::counted;
use crate::source::large::Large;
use crate::source::page::{Incomplete, Page};
use crate::source::xml::FeedError;

/// Pages in one scan. At 100 rows a page that is ten million rows.
const MAX_PAGES: u32 = 100_000;

/// A received page, or a part of one that does not fit into memory as a whole.
pub(crate) struct PageResult {
    pub page: Page,
    /// Its rows that are too large to be read.
    pub large: Vec<Large>,
    /// Ids of rows whose id another row of the same response has.
    pub repeats: Vec<i64>,
    pub bytes: u64,
}

impl PageResult {
    fn rows(&self) -> u64 {
        (self.page.results.len() + self.page.unreadable.len() + self.large.len()) as u64
    }
}

/// What came of one request.
struct Received {
    page: Page,
    rows: RowHashes,
    date: Option<DateTime<Utc>>,
    staleness: Staleness,
    bytes: u64,
}

/// A page whose parts are being read.
#[derive(Default)]
struct Begun {
    url: Option<String>,
    parts: u32,
    /// The answer with the next part. What has references to a scan is sent between threads.
    answer: Option<Mutex<Answer>>,
    /// What the parts say of the next page, and that something is missing.
    next: Option<String>,
    claim: Option<Incomplete>,
}

impl Begun {
    fn at(url: Option<String>) -> Self {
        Self {
            url,
            ..Self::default()
        }
    }
}

/// A scan of a collection, page by page.
///
/// Rows can move from the next page to one that was read before, when others leave the
/// collection. So each page is read again after the next one, unless no row can be between
/// them, and what has moved to it is added to the next one. Where rows are not in the order
/// of their ids, one that is modified can move to the front: the first page is read again
/// at the end. A page that does not fit into memory is read in parts while it arrives.
pub(crate) struct Pages<'c> {
    context: &'c Context,
    first: Request,
    next: Next,
    links: VisitedPages,
    limit: u32,
    /// What the page before the last one had, and its URL.
    before: Option<(PageContent, Option<String>)>,
    /// What the page that was read last had, and the first one.
    last_had: Option<PageContent>,
    first_had: PageContent,
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
    /// How old the oldest of the pages is.
    pub staleness: Staleness,
}

enum Next {
    First,
    At(String),
    /// After a part of a page.
    Rest(Box<Begun>),
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
            links: VisitedPages::default(),
            limit: MAX_PAGES,
            before: None,
            last_had: None,
            first_had: PageContent::default(),
            is_loose: false,
            moved: 0,
            url: None,
            read: 0,
            claimed: 0,
            date: None,
            staleness: Staleness::default(),
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

    /// The next page or part of one, `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<PageResult>, Failure> {
        let mut begun = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return Ok(None),
            Next::Failed(failure) => return Err(failure),
            Next::FirstAgain => return self.moved_to_the_front().await,
            Next::First => Box::default(),
            Next::At(_) if self.read >= self.limit => {
                return Err(Failure::TooManyPages { pages: self.read });
            }
            Next::At(url) => {
                self.links.follow(&url)?;
                Box::new(Begun::at(Some(url)))
            }
            Next::Rest(begun) => begun,
        };
        // Past the end. Only a page after the first can be that.
        let Some(mut received) = self.receive_part(&mut begun).await? else {
            return self.moved_to_the_front().await;
        };
        self.staleness = self.staleness.or(received.staleness);
        warn_of_repairs(&received.page);
        let next = received.page.next.take().filter(|url| !url.is_empty());
        begun.next = next.or(begun.next);
        begun.claim = begun.claim.or(received.page.claim.take());
        self.begin(&begun, &received);
        begun.parts += 1;
        let is_part = received.rows.is_part;
        let read = u64::from(self.read);
        let pages = received.page.pages.take();
        let unread_pages = pages
            .filter(|(pages, _)| *pages > read)
            .map(|(_, text)| text);
        let mut result = result(received);
        // In a part, the count may be missing: it can stand behind the rows.
        let counted = Some(result.page.count).filter(|count| *count > 0 || !is_part);
        self.next = if is_part {
            Next::Rest(begun)
        } else {
            if self.read == 1 && begun.next.is_some() {
                self.first_had = self.last_had.clone().unwrap_or_default();
            }
            // A page that was received is used, even if the one before cannot be read again.
            let moved = self.add_moved(&mut result).await;
            after(*begun, moved, unread_pages)
        };
        self.links.read(result.rows(), counted)?;
        Ok(Some(result))
    }

    /// Takes what is known of a page with each part of it.
    fn begin(&mut self, begun: &Begun, received: &Received) {
        let is_single = begun.next.is_none() && self.last_had.is_none() && !received.rows.is_part;
        // A single page needs no comparison.
        let had = (!is_single).then(|| PageContent::of(&received.page, &received.rows));
        if begun.parts > 0 {
            if let (Some(known), Some(had)) = (&mut self.last_had, had) {
                known.add(had);
            }
            if self.read == 1 {
                // It may stand behind the rows.
                self.claimed = self.claimed.max(received.page.count);
            }
            return;
        }
        if self.read == 0 {
            let date = received.date;
            self.claimed = received.page.count;
            self.date = Some(date.unwrap_or_else(|| self.context.client.upstream_at_most()));
        }
        let url = std::mem::replace(&mut self.url, begun.url.clone());
        self.before = self.last_had.take().map(|before| (before, url));
        self.last_had = had;
        self.read += 1;
    }

    /// Adds what has moved from a page, which was received to its end, to the one before.
    async fn add_moved(&mut self, result: &mut PageResult) -> Result<(), Failure> {
        let (Some((before, url)), Some(had)) = (self.before.take(), &self.last_had) else {
            return Ok(());
        };
        if before.is_before(had) {
            return Ok(());
        }
        self.is_loose = true;
        let seen = before.seen_with(had);
        let Some(mut again) = self.read_again(url.as_deref(), seen).await? else {
            return Ok(());
        };
        for known in [&before, had] {
            known.remove_from(&mut again.page);
        }
        self.moved += again.rows();
        let PageResult {
            page, large, bytes, ..
        } = result;
        page.results.append(&mut again.page.results);
        page.unreadable.append(&mut again.page.unreadable);
        large.append(&mut again.large);
        *bytes += again.bytes;
        again
            .page
            .claim
            .map_or(Ok(()), |claim| Err(Failure::from(claim)))
    }

    /// After the last page: what has moved to the first one.
    async fn moved_to_the_front(&mut self) -> Result<Option<PageResult>, Failure> {
        // Of two pages, the first one was just read again.
        if !self.is_loose || self.read <= 2 {
            return Ok(None);
        }
        let seen = self.first_had.seen();
        let Some(mut again) = self.read_again(None, seen).await? else {
            return Ok(None);
        };
        self.first_had.remove_from(&mut again.page);
        // Those of the first page are counted already.
        again.repeats.clear();
        let rows = again.rows();
        self.moved += rows;
        if let Some(claim) = again.page.claim.take() {
            self.next = Next::Failed(claim.into());
        }
        Ok((rows > 0).then_some(again))
    }

    /// Reads a page again, at `url` or the first one, without the rows that were `seen`. `None`
    /// if it no longer exists, or only saved pages can be read.
    async fn read_again(
        &self,
        url: Option<&str>,
        seen: SeenRows,
    ) -> Result<Option<PageResult>, Failure> {
        let client = self.context.client.without_saved();
        let received = match self.receive(&client, url, seen).await {
            Err(Failure::Upstream(ClientError::Offline { .. })) => return Ok(None),
            received => received?,
        };
        match received {
            Some(received) if received.rows.is_part => Err(Failure::LargePage),
            received => Ok(received.map(result)),
        }
    }

    /// Requests a page, or reads the next part of it. `None` if it is past the end.
    async fn receive_part(&self, begun: &mut Begun) -> Result<Option<Received>, Failure> {
        let context = self.context;
        let url = begun.url.as_deref();
        let mut answer = if let Some(answer) = begun.answer.take() {
            let mut answer = answer.into_inner().unwrap_or_else(PoisonError::into_inner);
            context.or_stopped(answer.next_part()).await??;
            answer
        } else {
            let response = context.client.get_parts(&self.first, url);
            match context.or_stopped(response).await? {
                Err(error) if url.is_some() && error.is_invalid_page() => return Ok(None),
                response => response?,
            }
        };
        let received = received(&mut answer).await;
        let received = received.map_err(|failure| match failure {
            // It began as a page.
            Failure::Page(error) if begun.parts > 0 => {
                let why = error.to_string();
                Incomplete::Broken { why, rows: 0 }.into()
            }
            other => other,
        })?;
        begun.answer = received.rows.is_part.then(|| Mutex::new(answer));
        Ok(Some(received))
    }

    /// Requests a page, at `url` or the first one, without the rows that were `seen`. `None` if
    /// `url` is past the end.
    async fn receive(
        &self,
        client: &Client,
        url: Option<&str>,
        seen: SeenRows,
    ) -> Result<Option<Received>, Failure> {
        let response = async {
            match url {
                Some(url) => client.get_url_rest(url, BodyType::Json, seen).await,
                None => client.get_rest(&self.first, seen).await,
            }
        };
        let mut response = match self.context.or_stopped(response).await? {
            Err(error) if url.is_some() && error.is_invalid_page() => return Ok(None),
            response => response?,
        };
        Ok(Some(received(&mut response).await?))
    }
}

/// Reads a page, or the part of it that an answer has.
async fn received(answer: &mut Answer) -> Result<Received, Failure> {
    let body = answer.bytes().await?;
    let rows = std::mem::take(&mut answer.rows);
    let mut page = Page::read(&body)?;
    link(&mut page, &answer.url, answer.next.take());
    if !rows.is_part {
        page.headers(&answer.header_claims);
    }
    Ok(Received {
        page,
        rows,
        date: answer.date,
        staleness: answer.staleness,
        bytes: body.len() as u64,
    })
}

/// What follows a page whose rows are used. `unread` is how the page says that there are
/// further ones.
fn after(begun: Begun, moved: Result<(), Failure>, unread: Option<String>) -> Next {
    match (begun.claim, moved, begun.next, unread) {
        (Some(claim), ..) => Next::Failed(claim.into()),
        (None, Err(failure), ..) => Next::Failed(failure),
        (None, Ok(()), Some(url), _) => Next::At(url),
        (None, Ok(()), None, Some(text)) => {
            Next::Failed(Incomplete::from(FeedError::Partial { text }).into())
        }
        (None, Ok(()), None, None) => Next::FirstAgain,
    }
}

fn result(received: Received) -> PageResult {
    let Received {
        page, rows, bytes, ..
    } = received;
    PageResult {
        repeats: repeats(&page.results),
        page,
        large: rows.large.into_iter().map(Large::from).collect(),
        bytes,
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
