//! Filter for changes, and values that both kinds of subject share.

use chrono::{DateTime, Utc};

use crate::model::{Product, Severity};

/// Filter for changes.
#[derive(Debug, Clone, Copy)]
pub struct ChangeSpan<'a> {
    /// After this change…
    pub after: i64,
    /// …up to and including this one.
    pub to: i64,
    /// Only of this advisory or ticket.
    pub key: Option<&'a str>,
    /// Whether to load products; they are the larger part of an advisory.
    pub products: bool,
    /// Full-text searches to make in the texts of the advisories.
    pub words: &'a [String],
    /// The time whose advisory, lists and acknowledgement a ticket has; `None` = the time of
    /// its change.
    pub as_of: Option<DateTime<Utc>>,
}

pub(super) fn severity(rank: Option<i16>) -> Option<Severity> {
    rank.and_then(Severity::from_rank)
}

/// The texts that product patterns are matched with.
pub(super) fn names(product: Product) -> impl Iterator<Item = String> {
    std::iter::once(product.name).chain(product.cpes)
}
