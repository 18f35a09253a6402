//! A window over a collection: both bounds frozen, so that rows which move
//! meanwhile move out of it; every row checked, the count reconciled, and walked
//! again where they disagree.

use std::collections::HashSet;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::page::{MAX_PAGES, Which};
use crate::job::failure::Failure;

/// How often a window is walked when the counts disagree (design.md).
pub(crate) const ATTEMPTS: u32 = 3;

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

    fn query(&self, page_size: u32) -> Vec<(String, String)> {
        let stem = self.stem;
        vec![
            (format!("{stem}__gte"), self.from.timestamp().to_string()),
            (format!("{stem}__lt"), self.to.timestamp().to_string()),
            ("page_size".to_owned(), page_size.to_string()),
        ]
    }

    /// Whether a row of this time may be in the answer. One whose time we cannot
    /// read may.
    pub(crate) fn admits(&self, at: Option<DateTime<Utc>>) -> bool {
        at.is_none_or(|at| at >= self.from && at < self.to)
    }
}

/// One walk over a window.
#[derive(Debug, Default)]
pub(crate) struct Walking {
    keys: HashSet<String>,
    unreadable: u64,
    claimed: u64,
    date: Option<DateTime<Utc>>,
    url: Option<String>,
    pages: u32,
}

/// What a page was, as far as the walk goes by it.
pub(crate) struct Walked<'p> {
    pub claimed: u64,
    pub next: Option<&'p str>,
    pub date: Option<DateTime<Utc>>,
    pub unreadable: usize,
}

impl Walking {
    /// The page to read next.
    pub(crate) fn which(&self, window: &Frozen, page_size: u32) -> Which<'_> {
        match &self.url {
            Some(url) => Which::At(url),
            None => Which::First(window.query(page_size)),
        }
    }

    /// Takes a page into account; true when it was the last.
    pub(crate) fn took(
        &mut self,
        page: &Walked<'_>,
        keys: impl IntoIterator<Item = String>,
    ) -> Result<bool, Failure> {
        if self.pages == 0 {
            self.claimed = page.claimed;
            self.date = page.date;
        }
        self.pages += 1;
        self.keys.extend(keys);
        self.unreadable += page.unreadable as u64;
        let Some(next) = page.next else {
            return Ok(true);
        };
        if self.url.as_deref() == Some(next) || self.pages >= MAX_PAGES {
            return Err(Failure::TooManyPages { pages: self.pages });
        }
        self.url = Some(next.to_owned());
        Ok(false)
    }

    /// How many rows upstream claims.
    pub(crate) fn claimed(&self) -> u64 {
        self.claimed
    }

    /// How many different rows came.
    pub(crate) fn seen(&self) -> u64 {
        self.keys.len() as u64 + self.unreadable
    }

    /// What the walk covers; `None` where what came is not what upstream claims.
    pub(crate) fn covers(&self, window: &Frozen) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        // Our idea of upstream's clock may have been ahead of it.
        let to = self.date.map_or(window.to, |date| date.min(window.to));
        (self.seen() == self.claimed).then_some((window.from, to.max(window.from)))
    }
}
