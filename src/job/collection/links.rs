//! Guard against `next` links that never end: pages that lead back to earlier ones, or
//! that go on although everything was received.

use std::collections::HashSet;

use crate::job::failure::Failure;
use crate::model::fingerprint;

/// How many times as many rows as upstream counts may come: rows that move between pages
/// while these are read come twice.
const MAX_REPETITION: u64 = 2;
/// Rows beyond that, for collections that grow while they are read.
const MORE_ROWS: u64 = 1000;
/// Pages in a row without any row.
const MAX_EMPTY: u32 = 10;

/// The pages of one collection that were read.
#[derive(Default)]
pub(crate) struct VisitedPages {
    /// Fingerprints of their URLs: the URLs of 100,000 pages would take too much memory.
    visited: HashSet<[u8; 16]>,
    rows: u64,
    empty: u32,
}

impl VisitedPages {
    /// Takes a page that was read: its rows, and the total count that upstream reports.
    ///
    /// # Errors
    /// [`Failure::EndlessPages`] if there are far more rows than upstream counts.
    pub(crate) fn read(&mut self, rows: u64, counted: Option<u64>) -> Result<(), Failure> {
        self.rows = self.rows.saturating_add(rows);
        self.empty = if rows == 0 { self.empty + 1 } else { 0 };
        let limit = counted.map(|count| {
            count
                .saturating_mul(MAX_REPETITION)
                .saturating_add(MORE_ROWS)
        });
        if self.empty > MAX_EMPTY || limit.is_some_and(|limit| self.rows > limit) {
            return Err(Failure::EndlessPages {
                rows: self.rows,
                counted,
            });
        }
        Ok(())
    }

    /// Takes the link to the next page.
    ///
    /// # Errors
    /// [`Failure::RepeatedPage`] if that page was read already.
    pub(crate) fn follow(&mut self, url: &str) -> Result<(), Failure> {
        if self.visited.insert(fingerprint(url.as_bytes())) {
            return Ok(());
        }
        Err(Failure::RepeatedPage {
            url: url.to_owned(),
        })
    }
}
