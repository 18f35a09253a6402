//! Streaming parser of a feed: takes bytes in pieces, hands out records.

use std::sync::Arc;

use super::document::ParsedDocument;
use super::encoding::Decoder;
use super::envelope::DocumentEnvelope;
use super::error::FeedError;
use super::misdeclared;
use super::plan::{MOST_UNENDED, Scout};
use super::profile::Profile;
use super::rules::ParserRules;
use super::splitter::{Piece, Splitter};
use super::vetting::{Records, Vetting};

/// How much is joined to the beginning of something that lies across two pushes
/// before looking whether that was enough. Larger copies more, smaller looks more often.
const PIECE_BYTES: usize = 8 * 1024;
/// Capacity that is kept for what lies across pushes.
const MOST_KEPT_BYTES: usize = 1024 * 1024;

/// Slices a feed into its records while it streams past. It holds one record at
/// a time, and at the beginning as much as it takes to see what the records are.
pub struct RecordReader {
    decoder: Decoder,
    text: TextReader,
}

impl RecordReader {
    /// `charset` comes from the content type, if it names one; a byte order mark
    /// and the XML declaration count for more. `known_root` is the root element
    /// that this feed is known to have: with it an empty one is an empty feed.
    pub fn new(rules: Arc<ParserRules>, charset: Option<&str>, known_root: Option<&str>) -> Self {
        Self {
            decoder: Decoder::new(charset),
            text: TextReader {
                vetting: Vetting::new(Arc::clone(&rules)),
                rules,
                known_root: known_root.map(str::to_owned),
                list: None,
                is_latin: false,
                carry: Vec::new(),
                enough: 0,
                phase: Phase::Searching(Scout::default()),
            },
        }
    }

    /// The watch list that the document must be of, if it says of which it is.
    #[must_use]
    pub fn of_list(mut self, id: i64) -> Self {
        self.text.list = Some(id);
        self
    }

    /// Takes the next bytes of the document and calls `record` with the bytes,
    /// in UTF-8, of each record that ends in them, and of what stands beside the
    /// records and must not get lost: reading it says why it is no record. After
    /// an error the reader is done.
    pub fn push(&mut self, bytes: &[u8], record: &mut dyn FnMut(&[u8])) -> Result<(), FeedError> {
        self.decode(bytes, false, record)
    }

    fn decode(&mut self, bytes: &[u8], last: bool, record: Records) -> Result<(), FeedError> {
        let Self { decoder, text } = self;
        decoder.push(bytes, last, &mut |piece, is_latin| {
            text.is_latin = is_latin;
            text.push(piece, &mut declared(is_latin, record))
        })
    }

    /// How much of the document is held until more comes, in bytes.
    pub fn buffered(&self) -> usize {
        self.text.carry.len()
    }

    /// Ends the document. Only this says that it was complete.
    pub fn finish(mut self, record: &mut dyn FnMut(&[u8])) -> Result<ParsedDocument, FeedError> {
        self.decode(&[], true, record)?;
        let is_latin = self.text.is_latin;
        self.text.finish(&mut declared(is_latin, record))
    }
}

/// Takes records of a document that `is_latin`, as it declares, and hands them out as what
/// they are.
fn declared(is_latin: bool, out: Records) -> impl FnMut(&[u8]) {
    move |record: &[u8]| match is_latin.then(|| misdeclared::as_utf8(record)).flatten() {
        Some(record) => out(&record),
        None => out(record),
    }
}

/// The same for text that is in UTF-8 already.
struct TextReader {
    rules: Arc<ParserRules>,
    vetting: Vetting,
    known_root: Option<String>,
    /// The watch list that the document must be of, if it says that.
    list: Option<i64>,
    /// Whether the document is declared as Latin-1.
    is_latin: bool,
    /// What lies across pushes.
    carry: Vec<u8>,
    /// How long `carry` has to be for another look to be worth it.
    enough: usize,
    phase: Phase,
}

enum Phase {
    /// The record element is not known yet; nothing is taken.
    Searching(Scout),
    Splitting(Box<Splitter>),
}

impl TextReader {
    fn push(&mut self, mut text: &[u8], record: Records) -> Result<(), FeedError> {
        while !self.carry.is_empty() && !text.is_empty() {
            let carried = self.carry.len();
            let piece = text
                .len()
                .min(PIECE_BYTES.max(self.enough.saturating_sub(carried)));
            self.carry.extend_from_slice(&text[..piece]);
            if self.carry.len() < self.enough {
                return Ok(());
            }
            let carry = std::mem::take(&mut self.carry);
            let used = self.feed(&carry, record)?;
            self.carry = carry;
            if used >= carried {
                self.carry.clear();
                // What a large record took is not needed for the next one.
                self.carry.shrink_to(MOST_KEPT_BYTES);
                text = &text[used - carried..];
            } else {
                self.carry.drain(..used);
                text = &text[piece..];
            }
        }
        if !text.is_empty() {
            let used = self.feed(text, record)?;
            self.carry.extend_from_slice(&text[used..]);
        }
        Ok(())
    }

    /// Takes what can be taken of `buffer`. What is left is looked at again only
    /// when it has grown by half, so that tiny pushes cost no quadratic time.
    fn feed(&mut self, buffer: &[u8], record: Records) -> Result<usize, FeedError> {
        self.plan(buffer, false);
        let Phase::Splitting(splitter) = &mut self.phase else {
            self.enough = buffer.len() + 1;
            return Ok(0);
        };
        let used = split(splitter, &mut self.vetting, buffer, record)?;
        check_list(self.list, &splitter.envelope)?;
        let left = buffer.len() - used;
        self.enough = left + splitter.unended(left) / 2 + 1;
        Ok(used)
    }

    fn plan(&mut self, buffer: &[u8], last: bool) {
        if let Phase::Searching(scout) = &mut self.phase
            && let Some(plan) = scout.search(&self.rules, buffer, last)
        {
            let splitter = Splitter::new(Arc::clone(&self.rules), plan);
            self.phase = Phase::Splitting(Box::new(splitter));
        }
    }

    fn finish(mut self, record: Records) -> Result<ParsedDocument, FeedError> {
        let rest = std::mem::take(&mut self.carry);
        self.plan(&rest, true);
        let Phase::Splitting(mut splitter) = self.phase else {
            return Err(FeedError::Empty);
        };
        let mut vetting = self.vetting;
        let mut used = split(&mut splitter, &mut vetting, &rest, record)?;
        // What nothing ends is passed over a few times only: each costs a search.
        while splitter.passed < MOST_UNENDED {
            let Some(passed) = pass(&mut splitter, &mut vetting, &rest[used..], record) else {
                break;
            };
            used += passed;
            used += split(&mut splitter, &mut vetting, &rest[used..], record)?;
        }
        let (mut envelope, plan) = match splitter.finish(&rest[used..]) {
            Ok(ended) => ended,
            Err(error) => {
                vetting.release(record);
                return Err(error);
            }
        };
        check_list(self.list, &envelope)?;
        vetting.finish(&mut envelope, record)?;
        if plan.depth.is_none() {
            envelope.check_empty(self.known_root.as_deref())?;
        } else if let Some(text) = envelope.fault {
            return Err(FeedError::Reported { text });
        }
        Ok(ParsedDocument {
            records: vetting.records,
            root: envelope.root.unwrap_or_default(),
            record: vetting.first,
            profile: vetting.profile.unwrap_or(Profile::Other),
            claimed: envelope.claimed,
            unknown: envelope.unknown,
            next: envelope.next,
            other_next: envelope.other_next,
            ignored: envelope.ignored,
            partial: envelope.partial,
            distinct: vetting.distinct,
        })
    }
}

/// Fails if the document says that it is of another list than `list`.
fn check_list(list: Option<i64>, envelope: &DocumentEnvelope) -> Result<(), FeedError> {
    let Some(list) = list else {
        return Ok(());
    };
    let other = envelope.lists.iter().find(|(id, _)| *id != list);
    other.map_or(Ok(()), |(_, text)| {
        Err(FeedError::OtherList {
            list,
            text: text.clone(),
        })
    })
}

/// Splits what is in `buffer`. What is whole is handed out whatever comes next.
fn split(
    splitter: &mut Splitter,
    vetting: &mut Vetting,
    buffer: &[u8],
    out: Records,
) -> Result<usize, FeedError> {
    let used = splitter.feed(buffer, &mut |piece| match piece {
        Piece::Record(record) => vetting.record(record, out),
        Piece::Beside(beside) => vetting.beside(beside, out),
    });
    if used.is_err() {
        vetting.release(out);
    }
    used
}

/// Passes over what is not ended in `rest`, the end of the document.
fn pass(
    splitter: &mut Splitter,
    vetting: &mut Vetting,
    rest: &[u8],
    out: Records,
) -> Option<usize> {
    splitter.pass_unended(rest, &mut |piece| match piece {
        Piece::Record(record) => vetting.record(record, out),
        Piece::Beside(beside) => vetting.beside(beside, out),
    })
}
