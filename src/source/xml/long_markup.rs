//! Comments and processing instructions outside of records that are too long to be looked
//! at as a whole.

use memchr::memmem;

use super::aside::hides_records;
use super::error::FeedError;
use super::splitter::Splitter;

/// By what they begin and end.
const PASSED: [(&[u8], &[u8]); 2] = [(b"<!--", b"-->"), (b"<?", b"?>")];
/// So many bytes are looked at again with what follows: an identifier with the name in
/// front of it, or the end of the comment, may lie across two buffers.
const OVERLAP_BYTES: usize = 4096;

impl Splitter {
    /// Whether what begins at `used`, and has no end in the buffer, is a comment or
    /// processing instruction that is too long. It is then passed over part by part.
    pub(super) fn begins_to_pass(&mut self, buffer: &[u8], used: &mut usize) -> bool {
        let rest = &buffer[*used..];
        let found = PASSED.iter().find(|(begin, _)| rest.starts_with(begin));
        let Some((begin, end)) = found.filter(|_| rest.len() > self.rules.limits.markup_bytes)
        else {
            return false;
        };
        *used += begin.len();
        self.passed_to = Some(end);
        true
    }

    /// Passes over what goes on at `used` up to `end`; false if the buffer ends within it.
    /// One that hides records is too large to be kept, and must not get lost.
    pub(super) fn pass(
        &mut self,
        end: &'static [u8],
        buffer: &[u8],
        used: &mut usize,
    ) -> Result<bool, FeedError> {
        let rest = &buffer[*used..];
        let found = memmem::find(rest, end).map(|found| found + end.len());
        let part = &rest[..found.unwrap_or(rest.len())];
        if !self.open.is_empty() && hides_records(&self.rules, part) {
            return Err(self.too_large(self.rules.limits.markup_bytes, *used));
        }
        self.passed_to = found.is_none().then_some(end);
        *used += found.unwrap_or(rest.len().saturating_sub(OVERLAP_BYTES));
        self.resume = *used;
        Ok(found.is_some())
    }
}
