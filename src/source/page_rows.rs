//! The rows of a page, each read on its own.

use std::borrow::Cow;
use std::collections::BTreeSet;

use encoding_rs::UTF_8;
use serde_json::Value;

use super::broken_page::{self, RowKeys};
use super::damaged_json::{self, Behind, MOST_MORE};
use super::page_envelope::first;
use super::repaired_row::{noted, plain, with_bytes};
use super::repeated_keys;
use super::unreadable::UnreadableRow;

/// So many further pages are read that follow the end of a page.
const MAX_FURTHER: usize = 10;

/// The text of a page or row, and whether it has bytes that do not belong to its encoding. A
/// byte order mark decides that; else it is UTF-8.
pub(super) fn page_text(body: &[u8]) -> (Cow<'_, str>, bool) {
    let (text, encoding, has_wrong_bytes) = UTF_8.decode(body);
    let is_utf8 = has_wrong_bytes && encoding == UTF_8;
    let noted = is_utf8.then(|| with_bytes(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)));
    (noted.flatten().map_or(text, Cow::Owned), has_wrong_bytes)
}

/// The rows of a page as they are read.
#[derive(Default)]
pub(super) struct ReadRows {
    pub results: Vec<Value>,
    pub unreadable: Vec<UnreadableRow>,
    pub repaired: usize,
    /// Whether the page has bytes that do not belong to its encoding.
    has_wrong_bytes: bool,
    /// How much longer the rows may still become while they are mended, in bytes.
    room: usize,
    /// What values the first `known_of` of `results` have.
    known: BTreeSet<RowKeys>,
    known_of: usize,
}

impl ReadRows {
    /// None yet, of a page that may have bytes which do not belong to its encoding.
    pub(super) fn of_page(has_wrong_bytes: bool) -> Self {
        Self {
            has_wrong_bytes,
            room: MOST_MORE,
            ..Self::default()
        }
    }

    pub(super) fn read<'a>(mut self, rows: impl Iterator<Item = &'a str>) -> Self {
        for row in rows {
            if let Err(error) = self.add(row)
                && !self.add_behind(row)
            {
                self.add_unreadable(row, &error);
            }
        }
        self
    }

    /// A row that is not on a page, repaired as if it were.
    pub(super) fn alone(body: &[u8]) -> Option<Value> {
        let mut rows = Self::of_page(std::str::from_utf8(body).is_err());
        rows.add(&page_text(body).0).ok()?;
        rows.results.pop()
    }

    fn add(&mut self, row: &str) -> Result<(), serde_json::Error> {
        let is_damaged = self.has_wrong_bytes && row.contains(char::REPLACEMENT_CHARACTER);
        let (value, is_mended) = match serde_json::from_str(row) {
            Ok(value) => (value, false),
            Err(error) => {
                let mended = damaged_json::mended_noting(row, self.room).ok_or(error)?;
                let value = serde_json::from_str(&mended)?;
                self.room -= mended.len().saturating_sub(row.len());
                repeated_keys::check(&mended)?;
                (value, true)
            }
        };
        if !is_mended {
            repeated_keys::check(row)?;
        }
        let is_repaired = is_mended || is_damaged;
        self.repaired += usize::from(is_repaired);
        let is_changed = is_repaired || row.contains("\\u0000");
        self.results.push(if is_changed {
            noted(value, is_repaired)
        } else {
            value
        });
        Ok(())
    }

    /// Adds the rows that are whole behind the damage with which a text begins; false if
    /// there is none. Where quotation marks do not match, what looks like one row can be
    /// several.
    pub(super) fn add_behind(&mut self, text: &str) -> bool {
        let read = self.results.iter().skip(self.known_of);
        self.known.extend(read.filter_map(broken_page::names));
        self.known_of = self.results.len();
        let found = broken_page::behind(text, &self.known);
        for part in found.rows.iter().chain(&found.damaged) {
            if let Err(error) = self.add(part) {
                self.add_unreadable(part, &error);
            }
        }
        !found.rows.is_empty()
    }

    /// Adds the rows of further pages that follow the end of one.
    pub(super) fn add_further(&mut self, mut text: &str) {
        for _ in 0..MAX_FURTHER {
            let Some(parts) = damaged_json::split(text) else {
                return;
            };
            for row in &parts.rows {
                if let Err(error) = self.add(row) {
                    self.add_unreadable(row, &error);
                }
            }
            let Behind::End(end) = parts.behind else {
                return;
            };
            let Some((_, further)) = first(&parts, end) else {
                return;
            };
            text = further;
        }
    }

    fn add_unreadable(&mut self, row: &str, error: &serde_json::Error) {
        self.unreadable.push(UnreadableRow {
            key: None,
            reason: format!("it cannot be read as JSON: {error}"),
            // The database cannot store NUL, which may stand outside of strings here.
            raw: plain(row.trim()).replace('\0', "\u{fffd}"),
        });
    }
}
