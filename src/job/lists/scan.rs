//! Walks over upstream's watch lists.

use std::collections::BTreeMap;

use tracing::warn;

use crate::http::{Answer, Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::ListedList;
use crate::source::asset_list;
use crate::source::page::Page;

/// Where upstream serves its watch lists (contract §8).
const PATH: &str = "/api/asset-lists/";
/// Lists a page; more is not recommended (contract §4).
const PAGE_SIZE: &str = "100";
/// Pages in one walk.
const MAX_PAGES: u32 = 100;
/// More lists than an account has; each is at least one request per tick.
const MAX_LISTS: usize = 1000;
/// How often the walk is repeated while rows move between its pages.
const ATTEMPTS: u32 = 3;

/// Asks upstream for all its watch lists; writes nothing. The walk is repeated
/// while it does not find as many as upstream claims.
pub async fn ask(context: &Context) -> Result<Vec<ListedList>, Failure> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (claimed, lists, unreadable) = walk(context).await?;
        let seen = (lists.len() + unreadable) as u64;
        if lists.len() > MAX_LISTS {
            return Err(Failure::TooManyLists { limit: MAX_LISTS });
        }
        if claimed == seen {
            if unreadable > 0 {
                warn!(
                    unreadable,
                    "discovery: {unreadable} watch lists have no number and cannot be followed"
                );
            }
            return Ok(lists.into_values().collect());
        }
        if attempts == ATTEMPTS {
            return Err(Failure::Short { claimed, seen });
        }
    }
}

/// One walk: what upstream claims, the lists by id, and how many had none.
async fn walk(context: &Context) -> Result<(u64, BTreeMap<i64, ListedList>, usize), Failure> {
    let (mut claimed, mut lists, mut unreadable) = (None, BTreeMap::new(), 0);
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let Some(page) = page(context, next.as_deref()).await? else {
            return Ok((claimed.unwrap_or(0), lists, unreadable));
        };
        let Page {
            count,
            next: more,
            results,
        } = page;
        claimed.get_or_insert(count);
        for row in &results {
            match asset_list::read(row) {
                Some(list) => {
                    lists.insert(list.id, list);
                }
                None => unreadable += 1,
            }
        }
        next = more.filter(|url| !url.is_empty());
        if next.is_none() {
            return Ok((claimed.unwrap_or(0), lists, unreadable));
        }
    }
    Err(Failure::TooManyPages { pages: MAX_PAGES })
}

/// One page; `None` past the end, which only one that is not the first can be.
async fn page(context: &Context, next: Option<&str>) -> Result<Option<Page>, Failure> {
    let answer = async {
        if let Some(url) = next {
            return context.client.get_url_whole(url, Kind::Json).await;
        }
        let request = Request::new(PATH, Kind::Json).with("page_size", PAGE_SIZE);
        context.client.get_whole(&request).await
    };
    let answer = tokio::select! {
        biased;
        () = context.stop.cancelled() => return Err(Failure::Stopped),
        answer = answer => answer,
    };
    let mut answer: Answer = match answer {
        Err(error) if next.is_some() && error.is_invalid_page() => return Ok(None),
        answer => answer?,
    };
    Ok(Some(Page::read(&answer.bytes().await?)?))
}
