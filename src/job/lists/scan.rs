//! Reads all watch lists of the account, page by page.

use std::collections::BTreeMap;

use tracing::warn;

use crate::http::{Kind, Request};
use crate::job::collection::count::{Attempt, Attempts};
use crate::job::collection::page::Pages;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::ListedList;
use crate::source::asset_list;

/// Path of the watch lists.
pub(super) const PATH: &str = "/api/asset-lists/";
/// Lists per page; upstream does not recommend more.
const PAGE_SIZE: &str = "100";
/// Maximum number of pages.
const MAX_PAGES: u32 = 100;
/// More lists than any account has; each costs at least one request per tick.
const MAX_LISTS: usize = 1000;

/// Requests all watch lists; writes nothing. The scan is repeated until the number of
/// lists matches upstream's total count.
pub async fn ask(context: &Context) -> Result<Vec<ListedList>, Failure> {
    let mut attempts = Attempts::at("watch lists");
    let (lists, unreadable) = loop {
        if let Some(found) = attempts.check(scan_once(context).await?)? {
            break found;
        }
    };
    if unreadable > 0 {
        warn!(
            unreadable,
            "discovery: {unreadable} watch lists have no id and cannot be followed"
        );
    }
    Ok(lists.into_values().collect())
}

/// The lists by id, and the number of unreadable rows.
type Found = (BTreeMap<i64, ListedList>, usize);

async fn scan_once(context: &Context) -> Result<Attempt<Found>, Failure> {
    let request = Request::new(PATH, Kind::Json).with("page_size", PAGE_SIZE);
    let mut pages = Pages::new(context, request).at_most(MAX_PAGES);
    let (mut lists, mut unreadable) = (BTreeMap::new(), 0);
    while let Some(received) = pages.next().await? {
        unreadable += received.page.unreadable.len();
        for row in &received.page.results {
            match asset_list::read(row) {
                Some(list) => {
                    lists.insert(list.id, list);
                }
                None => unreadable += 1,
            }
        }
    }
    if lists.len() > MAX_LISTS {
        return Err(Failure::TooManyLists { limit: MAX_LISTS });
    }
    let (claimed, count) = (pages.claimed, (lists.len() + unreadable) as u64);
    Ok(Attempt {
        claimed,
        received: count,
        complete: (claimed == count).then_some((lists, unreadable)),
    })
}
