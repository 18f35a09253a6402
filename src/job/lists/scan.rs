//! Walks over upstream's watch lists.

use std::collections::BTreeMap;

use tracing::warn;

use crate::http::{Kind, Request};
use crate::job::collection::count::{Tried, Tries};
use crate::job::collection::page::Pages;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::ListedList;
use crate::source::asset_list;

/// Where upstream serves its watch lists (contract §8).
const PATH: &str = "/api/asset-lists/";
/// Lists a page; more is not recommended (contract §4).
const PAGE_SIZE: &str = "100";
/// Pages in one walk.
const MAX_PAGES: u32 = 100;
/// More lists than an account has; each is at least one request per tick.
const MAX_LISTS: usize = 1000;

/// Asks upstream for all its watch lists; writes nothing. The walk is repeated
/// while it does not find as many as upstream claims.
pub async fn ask(context: &Context) -> Result<Vec<ListedList>, Failure> {
    let mut tries = Tries::at("watch lists");
    let (lists, unreadable) = loop {
        if let Some(found) = tries.judge(walk(context).await?)? {
            break found;
        }
    };
    if unreadable > 0 {
        warn!(
            unreadable,
            "discovery: {unreadable} watch lists have no number and cannot be followed"
        );
    }
    Ok(lists.into_values().collect())
}

/// The lists by id, and how many rows are none.
type Found = (BTreeMap<i64, ListedList>, usize);

async fn walk(context: &Context) -> Result<Tried<Found>, Failure> {
    let request = Request::new(PATH, Kind::Json).with("page_size", PAGE_SIZE);
    let mut pages = Pages::new(context, request).at_most(MAX_PAGES);
    let (mut lists, mut unreadable) = (BTreeMap::new(), 0);
    while let Some(came) = pages.next().await? {
        for row in &came.page.results {
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
    let (claimed, received) = (pages.claimed, (lists.len() + unreadable) as u64);
    Ok(Tried {
        claimed,
        received,
        whole: (claimed == received).then_some((lists, unreadable)),
    })
}
