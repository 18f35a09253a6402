//! A small collection that is read as a whole: page by page, again until the number of
//! rows matches upstream's total count.

use std::collections::BTreeMap;

use serde_json::Value;

use super::count::{Attempt, Attempts};
use super::page::Pages;
use crate::http::{Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;

/// Rows per page; upstream does not recommend more.
const PAGE_SIZE: &str = "100";
/// Maximum number of pages.
const MAX_PAGES: u32 = 100;

/// All rows of a collection.
#[derive(Debug)]
pub(crate) struct Whole<K, T> {
    /// The rows by key.
    pub rows: BTreeMap<K, T>,
    /// Rows without a key.
    pub unreadable: usize,
    /// The first of them, as it came.
    pub sample: Option<String>,
}

/// Requests all rows; writes nothing. `collection` is the name of the rows in messages,
/// `read` returns key and value of a row.
pub(crate) async fn read<K: Ord, T>(
    context: &Context,
    path: &str,
    collection: &'static str,
    read: impl Fn(&Value) -> Option<(K, T)>,
) -> Result<Whole<K, T>, Failure> {
    let mut attempts = Attempts::at(collection);
    loop {
        if let Some(whole) = attempts.check(read_once(context, path, &read).await?)? {
            return Ok(whole);
        }
    }
}

async fn read_once<K: Ord, T>(
    context: &Context,
    path: &str,
    read: impl Fn(&Value) -> Option<(K, T)>,
) -> Result<Attempt<Whole<K, T>>, Failure> {
    let request = Request::new(path, Kind::Json).with("page_size", PAGE_SIZE);
    let mut pages = Pages::new(context, request).at_most(MAX_PAGES);
    let (mut rows, mut unreadable, mut sample) = (BTreeMap::new(), 0, None);
    while let Some(received) = pages.next().await? {
        unreadable += received.page.unreadable.len();
        if let Some(first) = received.page.unreadable.first() {
            sample.get_or_insert_with(|| first.raw.clone());
        }
        for row in &received.page.results {
            if let Some((key, value)) = read(row) {
                rows.insert(key, value);
            } else {
                unreadable += 1;
                sample.get_or_insert_with(|| row.to_string());
            }
        }
    }
    let (claimed, count) = (pages.claimed, (rows.len() + unreadable) as u64);
    Ok(Attempt {
        claimed,
        received: count,
        complete: (claimed == count).then_some(Whole {
            rows,
            unreadable,
            sample,
        }),
    })
}
