//! Splits a document into records while it streams past. Around records it is
//! strict; inside it only follows elements of the record's own name, so that
//! whatever else is broken in a record harms no other.

use std::sync::Arc;

use super::aside::hides_records;
use super::checks;
use super::element::{Element, Size};
use super::envelope::DocumentEnvelope;
use super::error::FeedError;
use super::plan::RecordLocation;
use super::reported::quoted_visibly;
use super::rules::ParserRules;
use super::token::{MarkupToken, Next, TokenKind, next};

/// A piece of the document that is to be kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'p> {
    /// An element that is a record, readable or not.
    Record(&'p [u8]),
    /// Something beside the records that holds an identifier or is damaged.
    Beside(&'p [u8]),
}

/// Takes the pieces.
pub(super) type PieceHandler<'s> = &'s mut dyn FnMut(Piece<'_>);

/// Splits a document along a [`RecordLocation`].
pub(super) struct Splitter {
    pub(super) rules: Arc<ParserRules>,
    pub(super) plan: RecordLocation,
    /// Names of the open elements around records.
    pub(super) open: Vec<Vec<u8>>,
    /// Name of the root element, once its end tag was seen.
    pub(super) ended_root: Option<Vec<u8>>,
    pub(super) element: Option<Element>,
    pub(super) is_closed: bool,
    /// Where scanning goes on, in the next buffer.
    pub(super) resume: usize,
    /// Position in the document of the next buffer's first byte.
    pub(super) offset: u64,
    pub envelope: DocumentEnvelope,
    /// Pieces of markup outside of records since the last record.
    pub(super) without_record: usize,
    /// How many documents this one lies within.
    pub(super) level: usize,
    /// The first fault beside the records, as a text or an end tag too many: the document
    /// fails, after all records in it were taken.
    pub(super) stray: Option<FeedError>,
    /// Whether that is an end tag that may only be missing because the document is cut short.
    pub(super) is_unended: bool,
    /// Line and column of the next buffer's first byte, from 1.
    pub(super) place: (u64, u64),
    /// How often it went on behind something that nothing ends.
    pub passed: usize,
    /// How often the end of a record without an end tag was searched for.
    pub(super) searched: usize,
    /// Whether a text may be a part of a tag. What follows may lie within a record whose
    /// start tag is lost, until that ends: only whole records are taken.
    pub(super) is_torn: bool,
    /// By what a comment or processing instruction ends that is too long to be looked at
    /// as a whole, while within one.
    pub(super) passed_to: Option<&'static [u8]>,
}

impl Splitter {
    pub fn new(rules: Arc<ParserRules>, plan: RecordLocation) -> Self {
        Self {
            rules,
            plan,
            open: Vec::new(),
            ended_root: None,
            element: None,
            is_closed: false,
            resume: 0,
            offset: 0,
            envelope: DocumentEnvelope::default(),
            without_record: 0,
            level: 0,
            stray: None,
            is_unended: false,
            place: (1, 1),
            passed: 0,
            searched: 0,
            is_torn: false,
            passed_to: None,
        }
    }

    /// Takes what can be taken of `buffer`, which begins where the last call
    /// stopped taking, and says how many bytes that was.
    pub fn feed(&mut self, buffer: &[u8], sink: PieceHandler) -> Result<usize, FeedError> {
        let used = self.feed_on(buffer, sink);
        let used = used.map_err(|error| self.stray.take().unwrap_or(error))?;
        self.advance(&buffer[..used]);
        Ok(used)
    }

    /// Counts the lines of what was taken.
    pub(super) fn advance(&mut self, taken: &[u8]) {
        let (mut line, mut column) = self.place;
        let lines = memchr::memchr_iter(b'\n', taken).count() as u64;
        let mut last = taken;
        if lines > 0 {
            let at = memchr::memrchr(b'\n', taken).map_or(0, |at| at + 1);
            last = &taken[at..];
            column = 1;
        }
        // A character is counted once: by its first byte.
        let is_first = |byte: &&u8| !matches!(**byte, 0x80..=0xbf);
        line += lines;
        column += last.iter().filter(is_first).count() as u64;
        self.place = (line, column);
    }

    fn feed_on(&mut self, buffer: &[u8], sink: PieceHandler) -> Result<usize, FeedError> {
        let mut used = 0;
        loop {
            if let Some(element) = &mut self.element {
                let end = element.end(buffer, &mut self.resume);
                let length = end.unwrap_or(buffer.len()) - used;
                match self.size(length) {
                    Size::Entered if self.enter(buffer, &mut used)? => continue,
                    Size::Small | Size::Entered => {}
                    Size::Skipped if self.ends_before(buffer, &mut used, end, sink) => continue,
                    Size::Skipped => self.skip(buffer, &mut used)?,
                }
                let Some(end) = end else {
                    break;
                };
                self.take(&buffer[used..end], used, sink)?;
                used = end;
                continue;
            }
            if let Some(end) = self.passed_to {
                if self.pass(end, buffer, &mut used)? {
                    continue;
                }
                break;
            }
            let token = match next(buffer, self.resume) {
                Next::Token(token) => token,
                Next::More { from } => {
                    used = self.text(buffer, from)?;
                    self.resume = used;
                    if self.begins_to_pass(buffer, &mut used) {
                        continue;
                    }
                    self.limit(&buffer[used..], used)?;
                    break;
                }
            };
            self.text(buffer, token.start)?;
            if !matches!(token.kind, TokenKind::Comment | TokenKind::Instruction) {
                self.limit(&buffer[token.start..token.end], token.start)?;
            }
            self.resume = token.end;
            used = token.start;
            self.count_markup(used)?;
            if self.outer(buffer, &token, sink)? {
                continue;
            }
            used = token.end;
        }
        self.offset += used as u64;
        self.resume -= used;
        Ok(used)
    }

    /// How much of the `left` bytes that were not taken has to be looked at again.
    pub fn unended(&self, left: usize) -> usize {
        left - self.resume
    }

    /// Passes over the beginning of what does not end in `rest`, all that was not taken of a
    /// document: an end tag is lost, or that of a comment, and records may stand behind it.
    /// The document fails. Says how many bytes that was; `None` where nothing is unended.
    pub fn pass_unended(&mut self, rest: &[u8], sink: PieceHandler) -> Option<usize> {
        let is_within = self.plan.depth.is_some_and(|depth| depth > 0) && !self.open.is_empty();
        let is_skipped = self.passed_to.is_some()
            || matches!(&self.element, Some(element) if element.head.is_some());
        if rest.is_empty() || !is_within || is_skipped {
            return None;
        }
        let passed = self.take_unended(rest, sink).unwrap_or_else(|| {
            match self.element.take() {
                Some(element) => self.lacks_end_tag(rest, &element.name),
                None if self.stray.is_none() => {
                    self.is_unended = true;
                    self.stray = Some(self.ill_formed(0, checks::unended(rest)));
                }
                None => {}
            }
            self.is_torn = true;
            self.passed += 1;
            match next(rest, 0) {
                Next::Token(token) => token.end,
                Next::More { .. } => 1,
            }
        });
        self.advance(&rest[..passed]);
        self.offset += passed as u64;
        self.resume = 0;
        Some(passed)
    }

    /// Ends the document, when `rest` is all that was not taken of it.
    pub fn finish(self, rest: &[u8]) -> Result<(DocumentEnvelope, RecordLocation), FeedError> {
        let is_open = self.element.is_some() || self.passed_to.is_some() || !self.open.is_empty();
        let is_cut = is_open || !rest.is_empty();
        let is_ended = self.open.first().is_some_and(|root| {
            let end_tag = [b"</", &**root, b">"].concat();
            rest.trim_ascii_end().ends_with(&end_tag)
        });
        if let Some(stray) = self.stray
            && !(is_cut && self.is_unended && !is_ended)
        {
            return Err(stray);
        }
        if is_cut {
            return Err(FeedError::Truncated {
                at: self.offset + rest.len() as u64,
            });
        }
        if self.envelope.root.is_none() {
            return Err(FeedError::Empty);
        }
        Ok((self.envelope, self.plan))
    }

    pub(super) fn ill_formed(&self, at: usize, what: impl Into<String>) -> FeedError {
        FeedError::IllFormed {
            at: self.offset + at as u64,
            what: what.into(),
        }
    }

    /// Takes the text outside of records up to `to`; returns where it stopped,
    /// which is earlier only when the buffer ends within a character.
    fn text(&mut self, buffer: &[u8], to: usize) -> Result<usize, FeedError> {
        let from = self.resume;
        let length = match checks::check_text(&buffer[from..to], to == buffer.len()) {
            Ok(length) => length,
            Err((at, what)) => {
                self.strays(self.ill_formed(from + at, what))?;
                to - from
            }
        };
        let text = &buffer[from..from + length];
        if !self.open.is_empty()
            && self.plan.depth.is_none()
            && let Some(at) = memchr::memchr(b'<', text)
        {
            return Err(self.ill_formed(from + at, "`<` that begins no markup"));
        }
        let open_end = to == buffer.len() && !self.open.is_empty();
        let length = if open_end {
            checks::without_part(text)
        } else {
            length
        };
        let text = &text[..length];
        let blank = if self.open.is_empty() {
            text.len() - text.trim_ascii_start().len()
        } else {
            checks::blank(text)
        };
        if blank < length {
            self.words(&text[blank..], from + blank)?;
        }
        Ok(from + length)
    }

    /// Takes text that is not blank: beside records none is expected.
    fn words(&mut self, text: &[u8], at: usize) -> Result<(), FeedError> {
        if self.open.is_empty() {
            let what = checks::stray(text, self.envelope.root.is_some());
            return self.strays(self.ill_formed(at, what));
        }
        if self.plan.depth.is_some() {
            self.is_torn |= memchr::memchr2(b'<', b'>', text).is_some();
            return self.strays(FeedError::Text {
                at: self.offset + at as u64,
                text: quoted_visibly(&String::from_utf8_lossy(text)),
            });
        }
        self.envelope.text(text);
        Ok(())
    }

    /// Remembers a fault beside the records. The document fails at once where none are
    /// known, or before its root element.
    pub(super) fn strays(&mut self, error: FeedError) -> Result<(), FeedError> {
        if self.envelope.root.is_none() || self.plan.depth.is_none() {
            return Err(error);
        }
        self.stray.get_or_insert(error);
        Ok(())
    }

    /// Takes markup outside of records; true when it begins an element that is
    /// taken as a whole.
    fn outer(
        &mut self,
        buffer: &[u8],
        token: &MarkupToken,
        sink: PieceHandler,
    ) -> Result<bool, FeedError> {
        let markup = &buffer[token.start..token.end];
        match token.kind {
            TokenKind::Comment | TokenKind::Instruction => {
                self.envelope.comment(markup);
                if self.envelope.root.is_some() && hides_records(&self.rules, markup) {
                    let limit_bytes = self.rules.limits.markup_bytes;
                    if markup.len() > limit_bytes {
                        return Err(self.too_large(limit_bytes, token.start));
                    }
                    sink(Piece::Beside(markup));
                }
                Ok(false)
            }
            TokenKind::Doctype => {
                checks::check_doctype(markup, self.offset + token.start as u64)?;
                if self.envelope.root.is_some() {
                    let what = "a document type inside of the document";
                    self.strays(self.ill_formed(token.start, what))?;
                }
                Ok(false)
            }
            TokenKind::Cdata if self.open.is_empty() => {
                let what = "a CDATA section outside of the root element";
                self.strays(self.ill_formed(token.start, what))?;
                Ok(false)
            }
            TokenKind::Cdata => {
                let text = token.cdata(buffer);
                if !text.trim_ascii().is_empty() {
                    self.words(text, token.start)?;
                }
                Ok(false)
            }
            TokenKind::End => self.close(buffer, token).map(|()| false),
            TokenKind::Start | TokenKind::Empty => self.begin(buffer, token),
        }
    }
}
