//! Records without an end tag, in a document that goes on behind them.

use std::cell::Cell;

use super::alone::glance;
use super::build::build;
use super::characters::storable;
use super::error::FeedError;
use super::identity::own;
use super::marks::END_TAG;
use super::name::key;
use super::nested::named_fields;
use super::plan::RecordLocation;
use super::rules::ParserRules;
use super::splitter::{Piece, PieceHandler, Splitter};
use super::token::{MarkupToken, Next, TokenKind, next};

/// Records without an end tag that are taken in one document: each costs a search, maybe to
/// the end of the document.
const MOST_TAKEN: usize = 8;
/// Elements inside elements in such a record; more are not searched.
const DEEPEST: usize = 1000;
/// Elements of which it is judged whether they are the next record.
const MOST_JUDGED: usize = 16;
/// How much of what follows a record is looked at to see whether it is the next one.
const LONGEST_NEXT_BYTES: usize = 16 * 1024;

/// Where a record without an end tag ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All elements in it are ended, and the next record or the end of the list follows.
    Certain(usize),
    /// Elements in it are not ended either: some of it may be missing.
    Uncertain(usize),
}

impl Splitter {
    /// Takes the record at the beginning of `rest`, whose end tag is missing, up to the next
    /// one. The document fails. Says how many bytes that was; `None` where nothing says that
    /// it ends before `rest` does.
    pub(super) fn take_unended(&mut self, rest: &[u8], sink: PieceHandler) -> Option<usize> {
        let element = self.element.as_ref().filter(|one| one.is_record)?;
        if self.searched == MOST_TAKEN {
            return None;
        }
        self.searched += 1;
        let end = end_of(&self.rules, &self.plan, rest, &self.open)?;
        let name = element.name.clone();
        self.lacks_end_tag(rest, &name);
        let length = match end {
            End::Certain(length) => {
                let record = rest[..length].trim_ascii_end();
                let end_tag = [b"</", &*name, b">"].concat();
                let record = [record, END_TAG.as_bytes(), &end_tag].concat();
                sink(Piece::Record(&record));
                length
            }
            End::Uncertain(length) => {
                sink(Piece::Record(rest[..length].trim_ascii_end()));
                self.is_torn = true;
                length
            }
        };
        self.element = None;
        self.without_record = 0;
        Some(length)
    }

    /// Takes a record that seems to be too large, because its end tag is missing and the
    /// following ones were taken for a part of it.
    pub(super) fn ends_before(
        &mut self,
        buffer: &[u8],
        used: &mut usize,
        end: Option<usize>,
        sink: PieceHandler,
    ) -> bool {
        let is_skipped = self.element.as_ref().is_none_or(|one| one.head.is_some());
        if end.is_some() || is_skipped || self.open.is_empty() {
            return false;
        }
        let before = self.place;
        self.advance(&buffer[..*used]);
        let taken = self.take_unended(&buffer[*used..], sink);
        self.place = before;
        if let Some(length) = taken {
            *used += length;
            self.resume = *used;
        }
        taken.is_some()
    }

    /// Remembers that what begins `rest` is not ended. Whether the document is cut short
    /// instead shows at its end.
    pub(super) fn lacks_end_tag(&mut self, rest: &[u8], name: &[u8]) {
        if self.stray.is_some() {
            return;
        }
        self.is_unended = true;
        let (line, column) = self.place;
        self.stray = Some(FeedError::EndTag {
            name: super::envelope::shown(name),
            line,
            column,
            key: glance(&self.rules, rest).0,
        });
    }
}

/// An element that begins in a record without an end tag, and is called like a record.
struct Candidate {
    start: usize,
    /// How many elements it lies within.
    depth: usize,
}

struct Search<'s> {
    rules: &'s ParserRules,
    rest: &'s [u8],
    /// Names of the open elements, the record's first.
    open: Vec<&'s [u8]>,
    candidates: Vec<Candidate>,
    /// The first whole record that lies deeper.
    deeper: Option<usize>,
    /// How many elements were judged.
    judged: Cell<usize>,
}

fn end_of(
    rules: &ParserRules,
    plan: &RecordLocation,
    rest: &[u8],
    around: &[Vec<u8>],
) -> Option<End> {
    let mut search = Search {
        rules,
        rest,
        open: Vec::new(),
        candidates: Vec::new(),
        deeper: None,
        judged: Cell::new(0),
    };
    let mut at = 0;
    while let Next::Token(token) = next(rest, at) {
        at = token.end;
        let name = token.name(rest);
        let depth = search.open.len();
        let is_like_record = || depth > 0 && (search.open[0] == name || plan.names(key(name)));
        match token.kind {
            TokenKind::Start => {
                if is_like_record() {
                    search.candidates.push(Candidate {
                        start: token.start,
                        depth,
                    });
                }
                search.open.push(name);
                if search.open.len() > DEEPEST {
                    return None;
                }
            }
            TokenKind::Empty if is_like_record() => {
                let start = token.start;
                if let Some(end) = search.ended(&Candidate { start, depth }, token.end) {
                    return Some(end);
                }
            }
            TokenKind::End if search.open.iter().rev().any(|open| *open == name) => {
                if let Some(end) = search.close(name, &token) {
                    return Some(end);
                }
            }
            // The end of an element around the record.
            TokenKind::End if around.iter().any(|open| open == name) => {
                return Some(search.at_end(token.start));
            }
            _ => {}
        }
    }
    None
}

impl Search<'_> {
    fn close(&mut self, name: &[u8], token: &MarkupToken) -> Option<End> {
        let index = self.open.iter().rposition(|open| *open == name)?;
        if index == 0 {
            // An element in it is the one without an end tag.
            return Some(End::Uncertain(token.end));
        }
        self.open.truncate(index);
        while let Some(candidate) = self.candidates.pop_if(|one| one.depth >= index) {
            if candidate.depth == index
                && let Some(end) = self.ended(&candidate, token.end)
            {
                return Some(end);
            }
        }
        None
    }

    /// An element that is called like a record has ended.
    fn ended(&mut self, candidate: &Candidate, end: usize) -> Option<End> {
        let start = candidate.start;
        if candidate.depth == 1 {
            return self.is_next(start, end).then_some(End::Certain(start));
        }
        if self.deeper.is_none() && self.is_next(start, end) {
            self.deeper = Some(start);
        }
        None
    }

    /// The element around the record ends at `end`.
    fn at_end(mut self, end: usize) -> End {
        let unended = std::mem::take(&mut self.candidates);
        let mut starts = unended.iter().filter(|one| self.is_next(one.start, end));
        match starts.next() {
            Some(next) if next.depth == 1 => End::Certain(next.start),
            _ if self.open.len() == 1 => End::Certain(end),
            next => {
                let next = next.map(|next| next.start);
                let first = self.deeper.into_iter().chain(next).min();
                End::Uncertain(first.unwrap_or(end))
            }
        }
    }

    /// Whether an element is the next record, and not a reference to another advisory: it
    /// says as much as the record before it.
    fn is_next(&self, start: usize, end: usize) -> bool {
        self.judged.set(self.judged.get() + 1);
        if self.judged.get() > MOST_JUDGED {
            return false;
        }
        let element = &self.rest[start..end];
        let element = &element[..element.len().min(LONGEST_NEXT_BYTES)];
        let (own_of_next, _) = glance(self.rules, element);
        let Some(said) = own_of_next else {
            return false;
        };
        if glance(self.rules, &self.rest[..start]).0.as_ref() == Some(&said) {
            return false;
        }
        let fields = |text: &str| {
            let built = build(text, self.rules).ok()?;
            own(self.rules, &built.root).first()?;
            Some(named_fields(self.rules, &built.root).count())
        };
        // A reference is short, and has its end tag.
        let Some(fields_of_next) = fields(&storable(element)) else {
            return true;
        };
        let before = [&self.rest[..start], b"</", self.open[0], b">"].concat();
        let before = fields(&storable(&before)).unwrap_or_default();
        fields_of_next >= 2 || fields_of_next >= 1 && fields_of_next >= before
    }
}
