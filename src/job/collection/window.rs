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

/// How far our estimate of upstream's clock may be behind that clock before the window is
/// requested anew: more than a slow response takes.
const MAX_LAG: TimeDelta = TimeDelta::minutes(1);
/// A `Date` names a whole second, and the response was sent within it.
const DATE_PRECISION: TimeDelta = TimeDelta::milliseconds(999);

/// The time up to which a response covers its collection. `estimate` is upstream's time
/// by our clock before the request, `date` upstream's clock at the response. The response
/// never covers more than `date`; an estimate far behind it is wrong and is ignored.
pub(crate) fn covered_until(estimate: DateTime<Utc>, date: DateTime<Utc>) -> DateTime<Utc> {
    if date - estimate > MAX_LAG {
        return date;
    }
    estimate.min(date + DATE_PRECISION)
}

/// A window with fixed bounds, in whole seconds like upstream's filters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FixedWindow {
    /// The filter without `__gte` and `__lt`.
    pub stem: &'static str,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Whether `to` is our estimate of upstream's clock, which the first response corrects.
    is_estimated: bool,
}

impl FixedWindow {
    /// A window between two known times.
    pub(crate) fn new(stem: &'static str, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let from = from.trunc_subsecs(0);
        let to = to.trunc_subsecs(0).max(from);
        Self {
            stem,
            from,
            to,
            is_estimated: false,
        }
    }

    /// A window until now, by our estimate of upstream's clock.
    pub(crate) fn until_now(stem: &'static str, from: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            is_estimated: true,
            ..Self::new(stem, from, now)
        }
    }

    /// The request for the first page.
    pub(crate) fn request(&self, path: &str, page_size: u32) -> Request {
        let stem = self.stem;
        Request::new(path, Kind::Json)
            .with(format!("{stem}__gte"), self.from.timestamp().to_string())
            .with(format!("{stem}__lt"), self.to.timestamp().to_string())
            .with("page_size", page_size.to_string())
    }

    /// The window up to `date`, upstream's clock at the first response, if this one ends
    /// long before because our clock is behind. It must be requested again.
    pub(crate) fn extended(&self, date: Option<DateTime<Utc>>) -> Option<Self> {
        let date = date.filter(|date| self.is_estimated && *date - self.to > MAX_LAG)?;
        Some(Self::new(self.stem, self.from, date))
    }

    /// The window in two parts, unless it is too short for that.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        let half = (self.to - self.from).num_seconds() / 2;
        let middle = self.from + TimeDelta::seconds(half);
        (half > 0).then(|| {
            let part = |from, to| Self::new(self.stem, from, to);
            (part(self.from, middle), part(middle, self.to))
        })
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

/// A window whose pages were all read.
pub(crate) struct Read {
    /// The counts, and the time that is covered if they match.
    pub attempt: Attempt<(DateTime<Utc>, DateTime<Utc>)>,
    /// The window up to upstream's clock at its first page.
    pub window: FixedWindow,
    /// Whether there was more than one page.
    pub is_paged: bool,
}

/// The result of reading a window once.
pub(crate) enum Scanned {
    /// All its pages were read.
    Read(Read),
    /// It ends long before upstream's time; this one has to be read instead.
    TooShort(FixedWindow),
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
    pub(crate) fn attempt(&self, window: &FixedWindow, pages: &Pages<'_>) -> Scanned {
        let (claimed, received) = (pages.claimed, self.count());
        // Our estimate of upstream's clock may have been ahead of it.
        let to = pages.date.map_or(window.to, |date| date.min(window.to));
        let covers = (window.from, to.max(window.from));
        Scanned::Read(Read {
            attempt: Attempt {
                claimed,
                received,
                complete: (received == claimed).then_some(covers),
            },
            window: FixedWindow::new(window.stem, covers.0, covers.1),
            is_paged: pages.read > 1,
        })
    }
}
