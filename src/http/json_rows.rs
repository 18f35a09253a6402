//! Rows of a page of JSON (`results`), split while the page arrives. A row that is too
//! large is dropped up to its end. Rows that would make the page too large in memory come as
//! further parts of it, or are left out: only a part of the page is held in memory. A page
//! without either stays as it came.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::BytesMut;
use memchr::memchr2;

use super::json_values::{ARRAY, MOST_VALUES, OBJECT, ObjectKeys};
use super::large_row::{Arriving, LargeRow};
use crate::model::{Fingerprint, plain_fingerprint};

/// Rows that were received before, by the fingerprints of their bytes.
pub type SeenRows = Arc<HashSet<Fingerprint>>;

/// Rows that are too large, in one part or answer.
const MAX_LARGE: usize = 50;
/// How much a part of a page may have, in bytes and rows: stored, it takes many times as much
/// memory. A single row may be larger.
const PART_BYTES: usize = 4 << 20;
const PART_ROWS: usize = 2_000;
/// How much larger a page may be with what follows its rows, in percent.
const BEHIND_PART: usize = 10;
/// Longest string that is looked at as a name, in bytes.
const MAX_NAME_BYTES: usize = 16;

/// The rows of a page, by their hashes.
#[derive(Debug, Default)]
pub struct RowHashes {
    /// All rows that were taken, the large ones included.
    pub taken: HashSet<Fingerprint>,
    /// Rows that are too large by themselves, and not in the page.
    pub large: Vec<LargeRow>,
    /// Whether there are more rows than fit into memory at once: they come as the next part, or
    /// were left out.
    pub is_part: bool,
}

/// What becomes of rows that do not fit into memory with those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// They are left out.
    LeftOut,
    /// They are the next part of the page.
    NextPart,
}

/// The page as it arrives.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct PageRows {
    most_bytes: usize,
    seen: SeenRows,
    overflow: Overflow,
    rows: RowHashes,
    /// What stands before the rows, with how many values, and whether `count` is in it.
    before: (BytesMut, u64),
    has_count: bool,
    /// The beginning of the next part, if this one is at its end.
    next_row: Option<BytesMut>,
    /// What is kept of the page.
    pub(super) text: BytesMut,
    section: Section,
    depth: u32,
    keys: ObjectKeys,
    is_string: bool,
    is_escaped: bool,
    name: Vec<u8>,
    /// Where the current row begins in `text`, and the comma before it.
    row_at: usize,
    comma_at: usize,
    /// The current row, if it is not kept.
    dropped: Option<Arriving>,
    /// Whether a row was dropped.
    has_dropped: bool,
    kept: usize,
    kept_values: u64,
    /// Values of the current row, or outside of rows.
    values: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Before,
    InRows,
    Behind,
}

/// The page has too much outside of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooMuch {
    Bytes,
    Values,
}

impl PageRows {
    /// Of a page of which at most `most_bytes` are kept, without the rows that were `seen`.
    pub(super) fn new(most_bytes: u64, seen: SeenRows) -> Self {
        Self {
            most_bytes: usize::try_from(most_bytes).unwrap_or(usize::MAX),
            seen,
            overflow: Overflow::LeftOut,
            rows: RowHashes::default(),
            before: (BytesMut::new(), 0),
            has_count: false,
            next_row: None,
            text: BytesMut::new(),
            section: Section::Before,
            depth: 0,
            keys: ObjectKeys::default(),
            is_string: false,
            is_escaped: false,
            name: Vec::new(),
            row_at: 0,
            comma_at: 0,
            dropped: None,
            has_dropped: false,
            kept: 0,
            kept_values: 0,
            values: 0,
        }
    }

    /// The same, in parts.
    pub(super) fn in_parts(self) -> Self {
        Self {
            overflow: Overflow::NextPart,
            ..self
        }
    }

    pub(super) fn most_bytes(&self) -> u64 {
        self.most_bytes as u64
    }

    /// Takes the next piece of the page, or its beginning where a part ends in it; returns how
    /// much of it.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<usize, TooMuch> {
        let (mut from, mut next) = (0, 0);
        while let Some(byte) = piece.get(next) {
            if self.is_string {
                next += self.string(&piece[next..]);
                continue;
            }
            let at = next;
            next += 1;
            let is_in_rows = self.section == Section::InRows;
            match byte {
                b'"' => {
                    self.is_string = true;
                    self.name.clear();
                }
                b'{' => {
                    self.values += OBJECT;
                    self.depth += 1;
                    self.keys.open();
                }
                b'[' => {
                    self.values += ARRAY;
                    self.depth += 1;
                    self.keys.open();
                    let is_first = self.section == Section::Before && self.depth == 2;
                    if is_first && self.name == b"results" {
                        self.take(&piece[from..=at]);
                        from = at + 1;
                        self.begin_rows();
                    }
                }
                b',' | b'}' | b']' if is_in_rows && self.depth == 2 => {
                    self.take(&piece[from..at]);
                    if self.ends_part() {
                        return Ok(at);
                    }
                    from = at;
                    self.end_row_at(*byte)?;
                    from += usize::from(*byte == b',');
                }
                b',' => self.values += 1,
                b':' => self.values += self.keys.key(),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.keys.close();
                }
                _ => {}
            }
        }
        self.take(&piece[from..]);
        if self.ends_part() {
            return Ok(piece.len());
        }
        self.check()?;
        Ok(piece.len())
    }

    /// Ends a row at a comma, or the last one.
    fn end_row_at(&mut self, byte: u8) -> Result<(), TooMuch> {
        if byte == b',' {
            self.values += 1;
            self.end_row()?;
            self.begin_row();
        } else {
            self.depth -= 1;
            self.keys.close();
            self.end_row()?;
            self.section = Section::Behind;
        }
        Ok(())
    }

    /// Ends the part before the current row, if that would be too much for it.
    fn ends_part(&mut self) -> bool {
        let is_row = self.section == Section::InRows && self.dropped.is_none();
        let has_rows = self.kept > 0 || !self.rows.large.is_empty();
        if self.overflow == Overflow::LeftOut || !is_row || !has_rows {
            return false;
        }
        let is_full = self.text.len() > PART_BYTES.min(self.most_bytes)
            || self.kept >= PART_ROWS
            || self.rows.large.len() >= MAX_LARGE
            || self.kept_values + self.values > MOST_VALUES;
        if is_full {
            self.next_row = Some(self.text.split_off(self.row_at));
            self.text.truncate(self.comma_at);
        }
        is_full
    }

    /// The part that has ended, if one has: a page of its own. The next one begins.
    pub(super) fn part(&mut self) -> Option<(BytesMut, RowHashes)> {
        let next_row = self.next_row.take()?;
        let mut rows = std::mem::take(&mut self.rows);
        rows.is_part = true;
        let mut text = std::mem::replace(&mut self.text, self.before.0.clone());
        // What follows the rows is in the last part.
        let count = if self.has_count { "" } else { ",\"count\":0" };
        text.extend_from_slice(format!("]{count}}}").as_bytes());
        (self.comma_at, self.row_at) = (self.text.len(), self.text.len());
        self.text.extend_from_slice(&next_row);
        (self.kept, self.kept_values, self.has_dropped) = (0, self.before.1, false);
        Some((text, rows))
    }

    /// The rows, at the end of the page. A row that has not ended is cut off.
    pub(super) fn end(&mut self) -> RowHashes {
        if self.dropped.is_some() {
            self.end_dropped();
        }
        std::mem::take(&mut self.rows)
    }

    /// Takes what belongs to the current string from the beginning of a text; returns its
    /// length.
    fn string(&mut self, text: &[u8]) -> usize {
        if std::mem::take(&mut self.is_escaped) {
            self.add_to_name(&text[..1]);
            return 1;
        }
        let Some(end) = memchr2(b'"', b'\\', text) else {
            self.add_to_name(text);
            return text.len();
        };
        self.add_to_name(&text[..end]);
        if text[end] == b'"' {
            self.is_string = false;
            let is_before = self.section == Section::Before && self.depth == 1;
            self.has_count |= is_before && self.name == b"count";
        } else {
            self.add_to_name(b"\\");
            self.is_escaped = true;
        }
        end + 1
    }

    fn add_to_name(&mut self, text: &[u8]) {
        if self.depth == 1 {
            let room = MAX_NAME_BYTES.saturating_sub(self.name.len());
            self.name.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    /// Whether the current row is left for another answer, like all behind it.
    fn is_left(&self) -> bool {
        self.rows.is_part && self.section == Section::InRows
    }

    fn take(&mut self, piece: &[u8]) {
        let is_left = self.is_left();
        match &mut self.dropped {
            Some(dropped) => dropped.add(piece),
            None if is_left => {}
            None => self.text.extend_from_slice(piece),
        }
    }

    /// Drops the current row if there would be too much otherwise.
    fn check(&mut self) -> Result<(), TooMuch> {
        let values = self.kept_values + self.values;
        // What follows the rows must not cost them.
        let is_behind = self.section == Section::Behind;
        let part = if is_behind { BEHIND_PART } else { 0 };
        let too_much = if self.text.len() > self.most_bytes + self.most_bytes * part / 100 {
            TooMuch::Bytes
        } else if values > MOST_VALUES + MOST_VALUES * part as u64 / 100 {
            TooMuch::Values
        } else {
            return Ok(());
        };
        if self.section != Section::InRows {
            return Err(too_much);
        }
        if self.dropped.is_none() && !self.is_left() {
            let mut dropped = Arriving::default();
            dropped.add(&self.text[self.row_at..]);
            self.dropped = Some(dropped);
            self.text.truncate(self.comma_at);
        }
        Ok(())
    }

    fn begin_rows(&mut self) {
        self.section = Section::InRows;
        self.kept_values = std::mem::take(&mut self.values);
        if self.overflow == Overflow::NextPart {
            self.before = (self.text.clone(), self.kept_values);
        }
        (self.comma_at, self.row_at) = (self.text.len(), self.text.len());
    }

    /// Behind a comma, which is kept if it stands between rows that are, or came without any.
    fn begin_row(&mut self) {
        self.comma_at = self.text.len();
        if !self.is_left() && (self.kept > 0 || !self.has_dropped) {
            self.text.extend_from_slice(b",");
        }
        self.row_at = self.text.len();
    }

    fn end_row(&mut self) -> Result<(), TooMuch> {
        self.check()?;
        if self.dropped.is_some() {
            self.end_dropped();
        } else if !self.is_left() {
            self.end_kept();
        }
        self.values = 0;
        Ok(())
    }

    fn end_kept(&mut self) {
        let row = self.text[self.row_at..].trim_ascii();
        if row.is_empty() {
            return;
        }
        let fingerprint = plain_fingerprint(row);
        if self.seen.contains(&fingerprint) {
            self.text.truncate(self.comma_at);
            self.has_dropped = true;
            return;
        }
        self.rows.taken.insert(fingerprint);
        self.kept += 1;
        self.kept_values += self.values;
    }

    fn end_dropped(&mut self) {
        let Some(dropped) = self.dropped.take() else {
            return;
        };
        self.has_dropped = true;
        let is_large = dropped.bytes > self.most_bytes as u64 || self.values > MOST_VALUES;
        // Where nothing else is kept, another answer would not have more room.
        if !is_large && self.kept > 0 {
            self.rows.is_part = true;
            return;
        }
        let row = dropped.end(self.values);
        if self.seen.contains(&row.fingerprint) || self.rows.taken.contains(&row.fingerprint) {
            return;
        }
        if self.rows.large.len() >= MAX_LARGE && self.overflow == Overflow::LeftOut {
            self.rows.is_part = true;
            return;
        }
        self.rows.taken.insert(row.fingerprint);
        self.rows.large.push(row);
    }
}
