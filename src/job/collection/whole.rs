//! A small collection that is read as a whole: page by page, again until the number of
//! rows matches upstream's total count.

use std::collections::BTreeMap;

use serde_json::Value;

use super::count::{Attempt, Attempts};
use super::page::Pages;
use super::unnamed::Unnamed;
use crate::http::{Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::plain_fingerprint;

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
    let (mut rows, mut unnamed, mut sample) = (BTreeMap::new(), Unnamed::default(), None);
    while let Some(received) = pages.next().await? {
        let mut without_key: Vec<String> = received
            .page
            .unreadable
            .into_iter()
            .map(|row| row.raw)
            .collect();
        for row in &received.page.results {
            match read(row) {
                Some((key, value)) => {
                    rows.insert(key, value);
                }
                None => without_key.push(row.to_string()),
            }
        }
        unnamed.add_page(
            without_key
                .iter()
                .map(|row| plain_fingerprint(row.as_bytes())),
        );
        sample = sample.or_else(|| without_key.into_iter().next());
    }
    let unreadable = usize::try_from(unnamed.count()).unwrap_or(usize::MAX);
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
