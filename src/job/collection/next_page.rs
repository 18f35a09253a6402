//! The link to the next page, where a page names it: in its body, in a header, or in both.

use url::Url;

use crate::http::{asked, is_same_page, quote, resolved};
use crate::job::failure::Failure;
use crate::source::page::{Incomplete, Page};
use crate::source::xml::ParsedDocument;

/// The URL of the next page of the one at `url`.
///
/// # Errors
/// [`Incomplete::LinksDiffer`] if two links lead to different pages: only one can be followed.
/// [`Incomplete::LinkElsewhere`] if it leads to another server.
fn next_page(
    url: &Url,
    links: impl IntoIterator<Item = String>,
) -> Result<Option<String>, Incomplete> {
    let mut links = links.into_iter().filter(|link| !link.trim().is_empty());
    let Some(next) = links.next() else {
        return Ok(None);
    };
    match links.find(|other| !is_same_page(url, &next, other)) {
        None if is_elsewhere(url, &next) => Err(Incomplete::LinkElsewhere {
            page: asked(url),
            target: quote(&next),
            origin: url.origin().ascii_serialization(),
        }),
        None => Ok(Some(resolved(url, &next))),
        Some(other) => Err(Incomplete::LinksDiffer {
            one: quote(&next),
            other: quote(&other),
        }),
    }
}

/// Whether a link leads to another server than its page came from. The client would not follow
/// it either, but does not know the page.
fn is_elsewhere(page: &Url, link: &str) -> bool {
    let target = page.join(link.trim());
    target.is_ok_and(|target| target.origin() != page.origin())
}

/// Takes the link of a header, too, for the page of a collection at `url`.
pub(super) fn link(page: &mut Page, url: &Url, header: Option<String>) {
    let links = page.next.take().into_iter().chain(header);
    match next_page(url, links) {
        Ok(next) => page.next = next,
        Err(differ) => page.claim = page.claim.take().or(Some(differ)),
    }
}

/// The URL of the document that follows the one at `url` of a feed, if one does; `header` is
/// the link of its header.
///
/// # Errors
/// As [`next_page`].
pub(crate) fn next_document(
    url: &Url,
    document: &ParsedDocument,
    header: Option<&String>,
) -> Result<Option<String>, Incomplete> {
    let links = [document.next.as_ref(), document.other_next.as_ref(), header];
    next_page(url, links.into_iter().flatten().cloned())
}

/// Fails if the next page of a feed is one of another feed: it has another value of a
/// parameter of `query`.
pub(crate) fn require_same_feed(next: &str, query: &[(String, String)]) -> Result<(), Failure> {
    let (_, given) = next.split_once('?').unwrap_or_default();
    for (name, value) in url::form_urlencoded::parse(given.as_bytes()) {
        let asked = query.iter().find(|(asked, _)| *asked == name);
        if asked.is_some_and(|(_, asked)| *asked != value) {
            return Err(Failure::OtherFeed {
                name: quote(&name),
                value: quote(&value),
                url: quote(next),
            });
        }
    }
    Ok(())
}
