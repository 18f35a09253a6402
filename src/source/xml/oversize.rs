//! Limits of size while a document is split: records that are too large are skipped, other
//! markup that is too large fails the document.

use super::element::Size;
use super::envelope::shown;
use super::error::FeedError;
use super::rules::HEAD_BYTES;
use super::splitter::Splitter;

impl Splitter {
    /// What becomes of an element that is taken as a whole, once it has this length.
    pub(super) fn size(&self, length: usize) -> Size {
        let limits = &self.rules.limits;
        match &self.element {
            Some(element) if !element.is_record && length > limits.lookahead_bytes => Size::Entered,
            Some(element)
                if element.is_record
                    && (element.head.is_some() || length > limits.record_bytes) =>
            {
                Size::Skipped
            }
            _ => Size::Small,
        }
    }

    /// Skips what has been looked at of a record that is too large. Its beginning is kept.
    /// A document that is one record must be read whole, and a single piece of markup
    /// must fit into the buffer.
    pub(super) fn skip(&mut self, buffer: &[u8], used: &mut usize) -> Result<(), FeedError> {
        let limit_bytes = self.rules.limits.record_bytes;
        let at = self.offset + *used as u64;
        let is_document = self.open.is_empty();
        let Some(element) = &mut self.element else {
            return Ok(());
        };
        let whole = &buffer[*used..];
        element
            .head
            .get_or_insert_with(|| whole[..whole.len().min(HEAD_BYTES)].to_vec());
        let is_ended = element.open == 0;
        if is_document || !is_ended && buffer.len() - self.resume > limit_bytes {
            return Err(FeedError::TooLarge {
                name: shown(&element.name),
                limit_bytes,
                at,
            });
        }
        *used = self.resume;
        Ok(())
    }

    /// Checks the size of markup outside of records. A tag may be a whole record, with all
    /// its values in attributes, and so may be as large as one. To skip a larger one could
    /// lose it: where it ends is not certain.
    pub(super) fn limit(&self, markup: &[u8], used: usize) -> Result<(), FeedError> {
        let is_tag = !matches!(markup, [b'<', b'!' | b'?', ..]);
        let limits = &self.rules.limits;
        let limit_bytes = if is_tag {
            limits.record_bytes
        } else {
            limits.markup_bytes
        };
        if markup.len() <= limit_bytes {
            return Ok(());
        }
        Err(self.too_large(limit_bytes, used))
    }

    /// Counts markup outside of records. A document that has nothing else for long is refused:
    /// to look at each piece would take more time than a response may.
    pub(super) fn count_markup(&mut self, used: usize) -> Result<(), FeedError> {
        let limit = self.rules.limits.markup_in_a_row;
        self.without_record += 1;
        if self.without_record <= limit {
            return Ok(());
        }
        Err(FeedError::NoRecords {
            limit,
            at: self.offset + used as u64,
        })
    }

    pub(super) fn too_large(&self, limit_bytes: usize, used: usize) -> FeedError {
        FeedError::TooLarge {
            name: "markup outside of records".to_owned(),
            limit_bytes,
            at: self.offset + used as u64,
        }
    }
}
