//! A time window that is read in parts where it cannot be read as a whole.
//!
//! A row that is modified while the pages are read leaves the window, because its bounds
//! are fixed, and a row behind it moves to a page that was read before. Then rows are
//! missing. Reading the window again helps only if nothing is modified meanwhile. Its
//! halves have fewer pages, and what fits on one page is whole in one response. Rows that
//! left are newer than the window; the next one covers them.

use chrono::{DateTime, Utc};
use tracing::info;

use super::count::Attempts;
use super::window::{FixedWindow, Scanned};
use crate::job::failure::Failure;

/// Parts of one window: as many as a collection of the largest size has pages. An upstream
/// whose counts are always wrong ends there.
const MAX_PARTS: u32 = 100_000;

/// One window, in as many parts as are needed.
pub(crate) struct WindowParts {
    collection: &'static str,
    /// What is not read yet; the first part comes last.
    left: Vec<FixedWindow>,
    attempts: Attempts,
    /// What upstream counted when the part was read before.
    counted: Option<u64>,
    made: u32,
    covers: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Rows that upstream counts in the parts that were read.
    pub claimed: u64,
    /// Different rows that were received of these parts.
    pub received: u64,
}

impl WindowParts {
    /// The window as a whole. `collection` is the name of the rows in messages.
    pub(crate) fn of(window: FixedWindow, collection: &'static str) -> Self {
        Self {
            collection,
            left: vec![window],
            attempts: Attempts::at(collection),
            counted: None,
            made: 1,
            covers: None,
            claimed: 0,
            received: 0,
        }
    }

    /// The part to read next, `None` when all were read.
    pub(crate) fn next(&self) -> Option<FixedWindow> {
        self.left.last().copied()
    }

    /// Takes what came of reading that part.
    ///
    /// # Errors
    /// [`Failure::Disagree`] if the counts of a part that cannot be divided do not match,
    /// several times.
    pub(crate) fn take(&mut self, scanned: Scanned) -> Result<(), Failure> {
        let read = match scanned {
            Scanned::TooShort(longer) => {
                self.left.pop();
                self.left.push(longer);
                return Ok(());
            }
            Scanned::Read(read) => read,
        };
        let (claimed, received) = (read.attempt.claimed, read.attempt.received);
        if self.counted.replace(claimed) > Some(claimed) {
            // Rows have left it since, and those never come back: this has an end.
            self.attempts = Attempts::at(self.collection);
        }
        let is_divisible =
            read.attempt.complete.is_none() && read.is_paged && self.made < MAX_PARTS;
        let halves = is_divisible.then(|| read.window.halves()).flatten();
        if let Some((first, second)) = halves {
            info!(
                "{} changed while they were read; reading the time until {} and from then on separately",
                self.collection, second.from
            );
            self.left.pop();
            self.left.extend([second, first]);
            self.begin();
            self.made += 1;
        } else if let Some(covers) = self.attempts.check(read.attempt)? {
            self.claimed += claimed;
            self.received += received;
            self.covered(covers);
        }
        Ok(())
    }

    /// Begins another part.
    fn begin(&mut self) {
        self.attempts = Attempts::at(self.collection);
        self.counted = None;
    }

    /// The time that the parts cover that were read.
    pub(crate) fn covers(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        self.covers
    }

    fn covered(&mut self, covers: (DateTime<Utc>, DateTime<Utc>)) {
        let (from, to) = covers;
        let whole = self.left.pop();
        self.begin();
        self.covers = Some((self.covers.map_or(from, |(first, _)| first), to));
        if whole.is_some_and(|part| to < part.to) {
            // Upstream's clock went back: what follows would leave a gap.
            self.left.clear();
        }
    }
}
