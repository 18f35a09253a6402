//! A window over a collection: both bounds frozen, so that rows which move
//! meanwhile move out of it; every row checked, the count reconciled.

use std::collections::HashSet;
use std::fmt::Display;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::count::Tried;
use super::page::Pages;
use crate::http::{Kind, Request};
use crate::job::failure::Failure;

/// A frozen window, in whole seconds: what upstream's filters know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frozen {
    /// The filter without `__gte` and `__lt`.
    pub stem: &'static str,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Frozen {
    pub(crate) fn new(stem: &'static str, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let from = from.trunc_subsecs(0);
        let to = to.trunc_subsecs(0).max(from);
        Self { stem, from, to }
    }

    /// From the cursor less the overlap to now.
    pub(crate) fn since(
        stem: &'static str,
        cursor_at: DateTime<Utc>,
        overlap: TimeDelta,
        now: DateTime<Utc>,
    ) -> Self {
        Self::new(stem, cursor_at - overlap, now)
    }

    /// What is asked for.
    pub(crate) fn request(&self, path: &str, page_size: u32) -> Request {
        let stem = self.stem;
        Request::new(path, Kind::Json)
            .with(format!("{stem}__gte"), self.from.timestamp().to_string())
            .with(format!("{stem}__lt"), self.to.timestamp().to_string())
            .with("page_size", page_size.to_string())
    }

    /// Refuses a row of a time that was not asked for: upstream ignores the filter.
    /// One whose time we cannot read may be in the answer.
    pub(crate) fn admit(
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

/// What came of reading a window once.
#[derive(Debug, Default)]
pub(crate) struct Received {
    keys: HashSet<String>,
    unreadable: u64,
}

impl Received {
    /// Takes the rows of a page into account.
    pub(crate) fn add(&mut self, keys: impl IntoIterator<Item = String>, unreadable: usize) {
        self.keys.extend(keys);
        self.unreadable += unreadable as u64;
    }

    /// How many different rows came.
    pub(crate) fn count(&self) -> u64 {
        self.keys.len() as u64 + self.unreadable
    }

    /// What reading the whole `window` covers, where that is what came.
    pub(crate) fn tried(
        &self,
        window: &Frozen,
        pages: &Pages<'_>,
    ) -> Tried<(DateTime<Utc>, DateTime<Utc>)> {
        let (claimed, received) = (pages.claimed, self.count());
        // Our idea of upstream's clock may have been ahead of it.
        let to = pages.date.map_or(window.to, |date| date.min(window.to));
        let covers = (window.from, to.max(window.from));
        Tried {
            claimed,
            received,
            whole: (received == claimed).then_some(covers),
        }
    }
}
