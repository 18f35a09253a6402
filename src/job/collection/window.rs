//! Time window over a paginated collection, with both bounds fixed: rows that change
//! while it is read move out of it. Every row is checked against the window, and the
//! number of rows against upstream's total count.

use std::collections::HashSet;
use std::fmt::Display;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::count::Attempt;
use super::page::Pages;
use crate::http::{Kind, Request};
use crate::job::failure::Failure;

/// A window with fixed bounds, in whole seconds like upstream's filters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FixedWindow {
    /// The filter without `__gte` and `__lt`.
    pub stem: &'static str,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl FixedWindow {
    pub(crate) fn new(stem: &'static str, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let from = from.trunc_subsecs(0);
        let to = to.trunc_subsecs(0).max(from);
        Self { stem, from, to }
    }

    /// From the cursor minus the overlap until now.
    pub(crate) fn since(
        stem: &'static str,
        cursor_at: DateTime<Utc>,
        overlap: TimeDelta,
        now: DateTime<Utc>,
    ) -> Self {
        Self::new(stem, cursor_at - overlap, now)
    }

    /// The request for the first page.
    pub(crate) fn request(&self, path: &str, page_size: u32) -> Request {
        let stem = self.stem;
        Request::new(path, Kind::Json)
            .with(format!("{stem}__gte"), self.from.timestamp().to_string())
            .with(format!("{stem}__lt"), self.to.timestamp().to_string())
            .with("page_size", page_size.to_string())
    }

    /// Fails for a row outside the window: upstream ignores the filter. A row whose
    /// time is unreadable is accepted.
    pub(crate) fn require_inside(
        &self,
        collection: &'static str,
        key: impl Display,
        at: Option<DateTime<Utc>>,
    ) -> Result<(), Failure> {
        if at.is_none_or(|at| at >= self.from && at < self.to) {
            return Ok(());
        }
        Err(Failure::Outside {
            collection,
            filter: self.stem,
            key: key.to_string(),
        })
    }
}

/// Rows received while reading a window once.
#[derive(Debug, Default)]
pub(crate) struct Received {
    keys: HashSet<String>,
    unreadable: u64,
}

impl Received {
    /// Adds the rows of a page.
    pub(crate) fn add(&mut self, keys: impl IntoIterator<Item = String>, unreadable: usize) {
        self.keys.extend(keys);
        self.unreadable += unreadable as u64;
    }

    /// The number of different rows.
    pub(crate) fn count(&self) -> u64 {
        self.keys.len() as u64 + self.unreadable
    }

    /// The time that is covered, if all rows of the window were received.
    pub(crate) fn attempt(
        &self,
        window: &FixedWindow,
        pages: &Pages<'_>,
    ) -> Attempt<(DateTime<Utc>, DateTime<Utc>)> {
        let (claimed, received) = (pages.claimed, self.count());
        // Our estimate of upstream's clock may have been ahead of it.
        let to = pages.date.map_or(window.to, |date| date.min(window.to));
        let covers = (window.from, to.max(window.from));
        Attempt {
            claimed,
            received,
            complete: (received == claimed).then_some(covers),
        }
    }
}
