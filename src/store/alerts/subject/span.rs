//! Which changes are asked for, and values that both kinds of subject share.

use crate::model::{Product, Severity};

/// Which changes to look at.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// Those after this one…
    pub after: i64,
    /// …up to this one.
    pub to: i64,
    /// Only those of this advisory or ticket.
    pub key: Option<&'a str>,
    /// Whether products are wanted; they are the larger part of an advisory.
    pub products: bool,
}

pub(super) fn severity(rank: Option<i16>) -> Option<Severity> {
    rank.and_then(Severity::from_rank)
}

/// What a pattern of products may fit.
pub(super) fn names(product: Product) -> impl Iterator<Item = String> {
    std::iter::once(product.name).chain(product.cpes)
}
