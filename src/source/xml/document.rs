//! What a feed document turned out to be once it was read to its end.

use std::collections::{BTreeMap, HashSet};

use super::error::FeedError;
use super::name::{key, keys};
use super::partial::{NamedPart, Partial, ValuePosition};
use super::profile::Profile;

/// Headers, without `x-`, and keys beside the rows of a page that count all records.
const TOTALS: &[u64] = keys![
    "total_count",
    "total",
    "total_items",
    "total_records",
    "total_results",
];

/// The number of all rows or records that a header or key names.
pub fn total(name: &str, value: &str) -> Option<u64> {
    let is_total = TOTALS.contains(&key(name.as_bytes()));
    value.trim().parse().ok().filter(|_| is_total)
}

/// What a document that was read to its end turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedDocument {
    /// Records handed out.
    pub records: u64,
    /// Name of the root element, as written.
    pub root: String,
    /// Name of the first record's element, as written.
    pub record: Option<String>,
    /// The shape that the first record has.
    pub profile: Profile,
    /// How many records the envelope claims there are (`count`), perhaps on all pages
    /// together; with pages before it, the largest number that any of them claims.
    pub claimed: Option<u64>,
    /// Where the envelope says that more follows. From outside: check the origin.
    pub next: Option<String>,
    /// Another link to the next page, if there are two that differ.
    pub other_next: Option<String>,
    /// Elements that are neither records nor known envelope, the first few names.
    pub ignored: Vec<String>,
    /// Names and values around and beside records of which nothing is known.
    pub unknown: BTreeMap<String, String>,
    /// What it says about parts that it does not hold.
    pub(super) partial: Partial,
    /// Hashes of the different records.
    pub(super) distinct: HashSet<u64>,
}

impl ParsedDocument {
    /// Whether its root element is known to stand around records of this feed.
    pub fn has_records_in_root(&self) -> bool {
        self.records > 0 && self.record.as_deref() != Some(&self.root)
    }

    /// Fails if the document says that something is missing in it, or that there are more
    /// than the `pages` documents that were read. With a link to the next one, that one
    /// may hold it.
    pub fn check_parts(&self, pages: u64, is_linked: bool) -> Result<(), FeedError> {
        self.partial.check(pages, is_linked)
    }

    /// The same for a document on its own, which cannot be followed by another one.
    pub fn check_alone(&self) -> Result<(), FeedError> {
        self.check_parts(1, self.next.is_some())?;
        match &self.next {
            Some(next) => Err(FeedError::OnePage { next: next.clone() }),
            None => Ok(()),
        }
    }

    /// Takes what a header of the response says about how much the document holds.
    pub fn header(&mut self, name: &str, value: &str) {
        match total(name, value) {
            Some(total) => self.claimed = self.claimed.max(Some(total)),
            None => {
                if let NamedPart::Next(next) =
                    self.partial
                        .value(name.as_bytes(), value, ValuePosition::Header)
                {
                    self.next.get_or_insert(next);
                }
            }
        }
    }

    /// Takes from the page before it what was read until then: how many pages and records
    /// there are, and which.
    pub fn inherit(&mut self, before: Self) {
        self.partial.inherit(&before.partial);
        self.claimed = self.claimed.max(before.claimed);
        self.distinct.extend(before.distinct);
    }

    /// How many different records it holds, together with the pages before it. One that
    /// comes again as it was is no other: what is counted in its place is missing.
    pub fn distinct(&self) -> u64 {
        self.distinct.len() as u64
    }
}
