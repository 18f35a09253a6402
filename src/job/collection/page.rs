//! One page of a collection (contract §4), from upstream to its rows.

use chrono::{DateTime, Utc};

use crate::http::{Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::source::page::Page;

/// Pages in one walk; at 100 rows a page that is ten million.
pub(crate) const MAX_PAGES: u32 = 100_000;

/// Which page to read.
pub(crate) enum Which<'a> {
    First(Vec<(String, String)>),
    At(&'a str),
}

/// A page as it came.
pub(crate) struct Came {
    pub page: Page,
    /// Upstream's clock when it answered.
    pub date: Option<DateTime<Utc>>,
    pub bytes: u64,
}

/// Reads one page. `None`: the page is past the end (contract §4), which only a
/// page that is not the first can be.
pub(crate) async fn read(
    context: &Context,
    path: &str,
    which: Which<'_>,
) -> Result<Option<Came>, Failure> {
    let first = matches!(which, Which::First(_));
    let answer = async {
        match which {
            Which::First(query) => {
                let request = Request {
                    path: path.to_owned(),
                    query,
                    kind: Kind::Json,
                };
                context.client.get_whole(&request).await
            }
            Which::At(url) => context.client.get_url_whole(url, Kind::Json).await,
        }
    };
    let answer = tokio::select! {
        biased;
        () = context.stop.cancelled() => return Err(Failure::Stopped),
        answer = answer => answer,
    };
    let mut answer = match answer {
        Err(error) if !first && error.is_invalid_page() => return Ok(None),
        answer => answer?,
    };
    let body = answer.bytes().await?;
    let mut page = Page::read(&body)?;
    page.next = page.next.filter(|url| !url.is_empty());
    Ok(Some(Came {
        page,
        date: answer.date,
        bytes: body.len() as u64,
    }))
}
