//! Comments outside of records that are too long to be looked at as a whole.

use memchr::memmem;

use super::aside::hides_records;
use super::error::FeedError;
use super::splitter::Splitter;

const BEGIN: &[u8] = b"<!--";
const END: &[u8] = b"-->";
/// So many bytes are looked at again with what follows: an identifier with the name in
/// front of it, or the end of the comment, may lie across two buffers.
const OVERLAP_BYTES: usize = 4096;

impl Splitter {
    /// Whether what begins at `used`, and has no end in the buffer, is a comment that is
    /// too long. It is then passed over part by part.
    pub(super) fn begins_long_comment(&mut self, buffer: &[u8], used: &mut usize) -> bool {
        let rest = &buffer[*used..];
        if rest.len() <= self.rules.limits.markup_bytes || !rest.starts_with(BEGIN) {
            return false;
        }
        *used += BEGIN.len();
        self.is_in_comment = true;
        true
    }

    /// Passes over the comment that goes on at `used`; false if the buffer ends within it.
    /// One that hides records is too large to be kept, and must not get lost.
    pub(super) fn pass_comment(
        &mut self,
        buffer: &[u8],
        used: &mut usize,
    ) -> Result<bool, FeedError> {
        let rest = &buffer[*used..];
        let end = memmem::find(rest, END).map(|found| found + END.len());
        let part = &rest[..end.unwrap_or(rest.len())];
        if !self.open.is_empty() && hides_records(&self.rules, part) {
            self.limit(usize::MAX, *used)?;
        }
        self.is_in_comment = end.is_none();
        *used += end.unwrap_or(rest.len().saturating_sub(OVERLAP_BYTES));
        self.resume = *used;
        Ok(end.is_some())
    }
}
