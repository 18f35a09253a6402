//! A small collection that is read as a whole: page by page, again until the number of
//! rows matches upstream's total count.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde_json::Value;
use tracing::warn;

use super::count::{Attempts, ReadAttempt};
use super::page::Pages;
use super::unnamed::Unnamed;
use crate::http::{BodyType, Request, Staleness};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{counted, plain_fingerprint};

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
    /// Keys with rows that differ. The row that is greatest was taken.
    pub repeated: BTreeSet<K>,
    /// How old the oldest of its pages is.
    pub staleness: Staleness,
    /// Rows that were not taken of pages that have several with the same key.
    left_out: u64,
}

impl<K, T> Default for Whole<K, T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            unreadable: 0,
            sample: None,
            repeated: BTreeSet::new(),
            staleness: Staleness::default(),
            left_out: 0,
        }
    }
}

impl<K: Ord + Clone, T: Ord> Whole<K, T> {
    /// Adds a row. Of two that differ the greater one is taken, whatever their order.
    fn add(&mut self, key: K, value: T, on_page: &mut BTreeSet<K>) {
        self.left_out += u64::from(!on_page.insert(key.clone()));
        match self.rows.entry(key) {
            Entry::Vacant(free) => {
                free.insert(value);
            }
            Entry::Occupied(mut known) => {
                if *known.get() != value {
                    self.repeated.insert(known.key().clone());
                }
                if *known.get() < value {
                    known.insert(value);
                }
            }
        }
    }
}

/// Requests all rows; writes nothing. `collection` is the name of the rows in messages,
/// `read` returns key and value of a row.
pub(crate) async fn read<K: Ord + Clone + Display, T: Ord>(
    context: &Context,
    path: &str,
    collection: &'static str,
    read: impl Fn(&Value) -> Option<(K, T)>,
) -> Result<Whole<K, T>, Failure> {
    let mut attempts = Attempts::at(collection);
    loop {
        if let Some(whole) = attempts.check(read_once(context, path, &read).await?)? {
            if let Some(first) = whole.repeated.first() {
                warn!(
                    repeated = whole.repeated.len(),
                    "{collection}: upstream lists {} several times with different values, the first is {first}; one of each was taken",
                    counted(whole.repeated.len(), "id")
                );
            }
            return Ok(whole);
        }
    }
}

async fn read_once<K: Ord + Clone, T: Ord>(
    context: &Context,
    path: &str,
    read: impl Fn(&Value) -> Option<(K, T)>,
) -> Result<ReadAttempt<Whole<K, T>>, Failure> {
    let request = Request::new(path, BodyType::Json).with("page_size", PAGE_SIZE);
    let mut pages = Pages::new(context, request).at_most(MAX_PAGES);
    let (mut whole, mut unnamed) = (Whole::default(), Unnamed::default());
    while let Some(received) = pages.next().await? {
        let unreadable = received.page.unreadable.into_iter();
        let mut without_key: Vec<String> = unreadable.map(|row| row.raw).collect();
        let mut on_page = BTreeSet::new();
        for row in received.large {
            // What is short in a row that is too large may be all that is read of it.
            match read(&row.fields) {
                Some((key, value)) => whole.add(key, value, &mut on_page),
                None => without_key.push(row.head),
            }
        }
        for row in &received.page.results {
            match read(row) {
                Some((key, value)) => whole.add(key, value, &mut on_page),
                None => without_key.push(row.to_string()),
            }
        }
        unnamed.add_page(
            without_key
                .iter()
                .map(|row| plain_fingerprint(row.as_bytes())),
        );
        whole.sample = whole.sample.or_else(|| without_key.into_iter().next());
    }
    whole.staleness = pages.staleness;
    whole.unreadable = usize::try_from(unnamed.count()).unwrap_or(usize::MAX);
    let (claimed, count) = (pages.claimed, (whole.rows.len() + whole.unreadable) as u64);
    Ok(ReadAttempt {
        claimed,
        received: count,
        complete: (claimed == count || claimed == count + whole.left_out).then_some(whole),
    })
}
