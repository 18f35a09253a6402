//! Time window over a paginated collection, with both bounds fixed: rows that change
//! while it is read move out of it. The number of rows is checked against upstream's total
//! count, and every row against the window ([`super::outside`]).

use std::collections::HashSet;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::count::ReadAttempt;
use super::page::Pages;
use super::repeats::Repeats;
use super::unnamed::Unnamed;
use crate::http::{BodyType, Request};
use crate::model::Fingerprint;

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

    /// The same window, from an earlier time.
    pub(crate) fn since(self, from: DateTime<Utc>) -> Self {
        Self {
            from: from.trunc_subsecs(0).min(self.from),
            ..self
        }
    }

    /// The request for the first page.
    pub(crate) fn request(&self, path: &str, page_size: u32) -> Request {
        let stem = self.stem;
        Request::new(path, BodyType::Json)
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

    /// Whether a time lies within it.
    pub(crate) fn contains(&self, at: DateTime<Utc>) -> bool {
        at >= self.from && at < self.to
    }
}

/// A window whose pages were all read.
pub(crate) struct ReadWindow {
    /// The counts, and the time that is covered if they match.
    pub attempt: ReadAttempt<(DateTime<Utc>, DateTime<Utc>)>,
    /// The window up to upstream's clock at its first page.
    pub window: FixedWindow,
    /// Whether there was more than one page.
    pub is_paged: bool,
}

/// The result of reading a window once.
pub(crate) enum Scanned {
    /// All its pages were read.
    Read(ReadWindow),
    /// It ends long before upstream's time; this one has to be read instead.
    TooShort(FixedWindow),
}

/// Rows received while reading a window once.
#[derive(Debug, Default)]
pub(crate) struct ReceivedRows {
    keys: HashSet<String>,
    unnamed: Unnamed,
    repeats: Repeats,
}

impl ReceivedRows {
    /// Adds the rows of a page: the keys of those that have one, and the others.
    pub(crate) fn add(
        &mut self,
        keys: impl IntoIterator<Item = String>,
        unnamed: impl IntoIterator<Item = Fingerprint>,
    ) {
        self.keys.extend(keys);
        self.unnamed.add_page(unnamed);
    }

    /// Adds the rows of a page whose id an earlier one of its rows has.
    pub(crate) fn add_repeats(&mut self, ids: &[i64]) {
        self.repeats.add_page(ids);
    }

    /// The number of different rows.
    pub(crate) fn count(&self) -> u64 {
        self.keys.len() as u64 + self.unnamed.count()
    }

    /// The number of rows to compare with upstream's count, see [`Repeats::received`].
    pub(crate) fn received(&self, claimed: u64, collection: &str) -> u64 {
        self.repeats.received(self.count(), claimed, collection)
    }

    /// The time that is covered, if all rows of the window were received.
    /// `collection` is the name of the rows in messages.
    pub(crate) fn attempt(
        &self,
        window: &FixedWindow,
        pages: &Pages<'_>,
        collection: &str,
    ) -> Scanned {
        let claimed = pages.claimed;
        let received = self.received(claimed, collection);
        // Our estimate of upstream's clock may have been ahead of it.
        let to = pages.date.map_or(window.to, |date| date.min(window.to));
        let covers = (window.from, to.max(window.from));
        Scanned::Read(ReadWindow {
            attempt: ReadAttempt {
                claimed,
                received,
                complete: (received == claimed).then_some(covers),
            },
            window: FixedWindow::new(window.stem, covers.0, covers.1),
            is_paged: pages.read > 1,
        })
    }
}
