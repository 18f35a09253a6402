//! Splits a document into records while it streams past. Around records it is
//! strict; inside it only follows elements of the record's own name, so that
//! whatever else is broken in a record harms no other.

use std::sync::Arc;

use super::aside::{Aside, Verdict, hides_records};
use super::characters::storable;
use super::checks;
use super::envelope::{Envelope, shown};
use super::error::FeedError;
use super::name::key;
use super::plan::Plan;
use super::record::read_whole;
use super::reported::quoted;
use super::rules::Rules;
use super::token::{Kind, Next, Token, next};

/// A piece of the document that is to be kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'p> {
    /// An element that is a record, readable or not.
    Record(&'p [u8]),
    /// Something beside the records that holds an identifier or is damaged.
    Beside(&'p [u8]),
}

/// Takes the pieces.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Piece<'_>);

/// An element that is taken as a whole and has not ended yet.
struct Element {
    name: Vec<u8>,
    /// How many elements of that name are open, itself included.
    open: usize,
    is_record: bool,
}

/// Splits a document along a [`Plan`].
pub(super) struct Splitter {
    rules: Arc<Rules>,
    plan: Plan,
    /// Names of the open elements around records.
    open: Vec<Vec<u8>>,
    element: Option<Element>,
    is_closed: bool,
    /// Where scanning goes on, in the next buffer.
    resume: usize,
    /// Position in the document of the next buffer's first byte.
    offset: u64,
    pub envelope: Envelope,
    /// How many documents this one lies within.
    level: usize,
}

impl Splitter {
    pub fn new(rules: Arc<Rules>, plan: Plan) -> Self {
        Self {
            rules,
            plan,
            open: Vec::new(),
            element: None,
            is_closed: false,
            resume: 0,
            offset: 0,
            envelope: Envelope::default(),
            level: 0,
        }
    }

    /// Takes what can be taken of `buffer`, which begins where the last call
    /// stopped taking, and says how many bytes that was.
    pub fn feed(&mut self, buffer: &[u8], sink: Sink) -> Result<usize, FeedError> {
        let mut used = 0;
        loop {
            if let Some(element) = &mut self.element {
                let end = element.end(buffer, &mut self.resume);
                let length = end.unwrap_or(buffer.len()) - used;
                if self.is_too_large(length, used)? {
                    self.enter(buffer, &mut used)?;
                    continue;
                }
                let Some(end) = end else {
                    break;
                };
                self.take(&buffer[used..end], used, sink)?;
                used = end;
                continue;
            }
            let token = match next(buffer, self.resume) {
                Next::Token(token) => token,
                Next::More { from } => {
                    used = self.text(buffer, from)?;
                    self.resume = used;
                    self.limit(buffer.len() - used, used)?;
                    break;
                }
            };
            self.text(buffer, token.start)?;
            self.limit(token.end - token.start, token.start)?;
            self.resume = token.end;
            used = token.start;
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

    /// Ends the document, when `rest` is all that was not taken of it.
    pub fn finish(self, rest: &[u8]) -> Result<(Envelope, Plan), FeedError> {
        let is_open = self.element.is_some() || !self.open.is_empty();
        if is_open || !rest.is_empty() {
            return Err(FeedError::Truncated {
                at: self.offset + rest.len() as u64,
            });
        }
        if self.envelope.root.is_none() {
            return Err(FeedError::Empty);
        }
        Ok((self.envelope, self.plan))
    }

    /// Whether an element that is taken as a whole has become too large for that
    /// and is to be entered instead: nobody knows yet that it is a record.
    fn is_too_large(&self, length: usize, used: usize) -> Result<bool, FeedError> {
        let limits = &self.rules.limits;
        let Some(element) = &self.element else {
            return Ok(false);
        };
        if !element.is_record {
            return Ok(length > limits.lookahead_bytes);
        }
        if length <= limits.record_bytes {
            return Ok(false);
        }
        Err(FeedError::TooLarge {
            name: shown(&element.name),
            limit_bytes: limits.record_bytes,
            at: self.offset + used as u64,
        })
    }

    fn limit(&self, length: usize, used: usize) -> Result<(), FeedError> {
        let limit_bytes = self.rules.limits.markup_bytes;
        if length <= limit_bytes {
            return Ok(());
        }
        Err(FeedError::TooLarge {
            name: "markup outside of records".to_owned(),
            limit_bytes,
            at: self.offset + used as u64,
        })
    }

    fn ill_formed(&self, at: usize, what: impl Into<String>) -> FeedError {
        FeedError::IllFormed {
            at: self.offset + at as u64,
            what: what.into(),
        }
    }

    /// Takes the text outside of records up to `to`; returns where it stopped,
    /// which is earlier only when the buffer ends within a character.
    fn text(&mut self, buffer: &[u8], to: usize) -> Result<usize, FeedError> {
        let from = self.resume;
        let length = checks::check_text(&buffer[from..to], to == buffer.len())
            .map_err(|(at, what)| self.ill_formed(from + at, what))?;
        let text = &buffer[from..from + length];
        if let Some(at) = text.iter().position(|byte| !byte.is_ascii_whitespace()) {
            self.words(&text[at..], from + at)?;
        }
        Ok(from + length)
    }

    /// Takes text that is not blank: beside records none is expected.
    fn words(&mut self, text: &[u8], at: usize) -> Result<(), FeedError> {
        if self.open.is_empty() {
            let what = checks::stray(text, self.envelope.root.is_some());
            return Err(self.ill_formed(at, what));
        }
        if self.plan.depth.is_some() {
            return Err(FeedError::Text {
                at: self.offset + at as u64,
                text: quoted(&String::from_utf8_lossy(text)),
            });
        }
        self.envelope.text(text);
        Ok(())
    }

    /// Takes markup outside of records; true when it begins an element that is
    /// taken as a whole.
    fn outer(&mut self, buffer: &[u8], token: &Token, sink: Sink) -> Result<bool, FeedError> {
        let markup = &buffer[token.start..token.end];
        match token.kind {
            Kind::Comment | Kind::Instruction => {
                if !self.open.is_empty() && hides_records(&self.rules, markup) {
                    sink(Piece::Beside(markup));
                }
                Ok(false)
            }
            Kind::Doctype if self.envelope.root.is_some() => {
                Err(self.ill_formed(token.start, "a document type inside of the document"))
            }
            Kind::Doctype => {
                checks::check_doctype(markup, self.offset + token.start as u64)?;
                Ok(false)
            }
            Kind::Cdata if self.open.is_empty() => {
                Err(self.ill_formed(token.start, "a CDATA section outside of the root element"))
            }
            Kind::Cdata => {
                let text = token.cdata(buffer);
                if !text.trim_ascii().is_empty() {
                    self.words(text, token.start)?;
                }
                Ok(false)
            }
            Kind::End => self.close(buffer, token).map(|()| false),
            Kind::Start | Kind::Empty => self.begin(buffer, token),
        }
    }

    fn begin(&mut self, buffer: &[u8], token: &Token) -> Result<bool, FeedError> {
        let name = token.name(buffer);
        let depth = self.open.len();
        if self.is_closed {
            return Err(self.ill_formed(token.start, "a second root element"));
        }
        if depth == 0 {
            self.root(name)?;
        }
        let is_wrapper = match self.plan.depth {
            _ if depth == 0 => self.plan.depth != Some(0),
            Some(records) => depth < records && self.plan.wrappers.contains(&(depth, key(name))),
            None => false,
        };
        if is_wrapper {
            return self.wrapper(buffer, token).map(|()| false);
        }
        self.element = Some(Element {
            name: name.to_owned(),
            open: usize::from(token.kind == Kind::Start),
            is_record: depth == 0 || self.plan.names(key(name)),
        });
        Ok(true)
    }

    fn root(&mut self, name: &[u8]) -> Result<(), FeedError> {
        if checks::is_html(name) {
            return Err(FeedError::Html);
        }
        if let Some(at) = self.plan.too_deep {
            let limit = self.rules.limits.depth;
            return Err(FeedError::TooDeep {
                limit,
                at: self.offset + at as u64,
            });
        }
        self.envelope.root = Some(shown(name));
        Ok(())
    }

    /// Begins an element around records.
    fn wrapper(&mut self, buffer: &[u8], token: &Token) -> Result<(), FeedError> {
        let name = token.name(buffer);
        let depth = self.open.len();
        if !checks::is_sound_tag(buffer, token) {
            let what = format!("malformed attributes of `{}`", shown(name));
            return Err(self.ill_formed(token.start, what));
        }
        if depth >= self.rules.limits.depth {
            return Err(FeedError::TooDeep {
                limit: self.rules.limits.depth,
                at: self.offset + token.start as u64,
            });
        }
        let attributes = token.attributes(buffer);
        self.envelope.wrapper(&self.rules, name, attributes, depth);
        if token.kind == Kind::Empty {
            self.is_closed = depth == 0;
        } else {
            self.open.push(name.to_owned());
        }
        Ok(())
    }

    /// Enters an element that was to be taken as a whole.
    fn enter(&mut self, buffer: &[u8], used: &mut usize) -> Result<(), FeedError> {
        self.element = None;
        if let Next::Token(token) = next(buffer, *used) {
            self.wrapper(buffer, &token)?;
            *used = token.end;
            self.resume = token.end;
        }
        Ok(())
    }

    fn close(&mut self, buffer: &[u8], token: &Token) -> Result<(), FeedError> {
        let name = token.name(buffer);
        if self.open.last().is_none_or(|open| open != name) {
            let found = shown(name);
            let what = match self.open.last() {
                Some(open) => format!("`</{found}>` where `</{}>` belongs", shown(open)),
                None => format!("`</{found}>` ends nothing"),
            };
            return Err(self.ill_formed(token.start, what));
        }
        if !token.attributes(buffer).trim_ascii().is_empty() {
            let what = format!("malformed end tag of `{}`", shown(name));
            return Err(self.ill_formed(token.start, what));
        }
        self.open.pop();
        self.is_closed = self.open.is_empty();
        Ok(())
    }

    /// Takes an element as a whole; it begins at `at` in the buffer.
    fn take(&mut self, bytes: &[u8], at: usize, sink: Sink) -> Result<(), FeedError> {
        let Some(element) = self.element.take() else {
            return Ok(());
        };
        let depth = self.open.len();
        self.is_closed = depth == 0;
        if depth == 0 {
            // The document is one record: what is damaged in it is the document's.
            let sound = read_whole(&self.rules, bytes);
            sound.map_err(|what| self.ill_formed(at, what))?;
        }
        if element.is_record {
            sink(Piece::Record(bytes));
            return Ok(());
        }
        let text = storable(bytes);
        let aside = Aside {
            rules: &self.rules,
            level: self.level,
            has_records: self.plan.depth.is_some(),
        };
        match aside.judge(&text) {
            Verdict::Record => {
                self.plan.depth.get_or_insert(depth);
                self.plan.learn(key(&element.name));
                sink(Piece::Record(bytes));
            }
            Verdict::Group(plan) => {
                self.plan.depth.get_or_insert(depth);
                self.split(plan, bytes, sink)?;
            }
            Verdict::Kept => self.keep(bytes, sink),
            Verdict::Plain(node) => {
                let is_sibling = self.plan.depth.is_some_and(|records| depth >= records);
                self.envelope.beside(bytes, &node, depth, is_sibling);
            }
            Verdict::Error(text) => return Err(FeedError::Reported { text }),
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8], sink: Sink) {
        self.envelope.has_identifiers = true;
        sink(Piece::Beside(bytes));
    }

    /// Splits an element beside the records that holds further ones, as a document
    /// of its own. Where it is damaged outside of its records, it is kept as it came.
    fn split(&mut self, mut plan: Plan, bytes: &[u8], sink: Sink) -> Result<(), FeedError> {
        for name in &self.plan.names {
            plan.learn(*name);
        }
        let mut within = Self::new(Arc::clone(&self.rules), plan);
        within.level = self.level + 1;
        let mut pieces: Vec<(bool, Vec<u8>)> = Vec::new();
        let mut collect = |piece: Piece<'_>| {
            pieces.push(match piece {
                Piece::Record(bytes) => (true, bytes.to_owned()),
                Piece::Beside(bytes) => (false, bytes.to_owned()),
            });
        };
        let used = within.feed(bytes, &mut collect);
        match used.and_then(|used| within.finish(&bytes[used..])) {
            Ok((envelope, _)) => {
                self.envelope.has_identifiers |= envelope.has_identifiers;
                for (is_record, bytes) in &pieces {
                    sink(match is_record {
                        true => Piece::Record(bytes),
                        false => Piece::Beside(bytes),
                    });
                }
                Ok(())
            }
            Err(FeedError::Reported { text }) => Err(FeedError::Reported { text }),
            Err(_) => {
                self.keep(bytes, sink);
                Ok(())
            }
        }
    }
}

impl Element {
    /// Looks for the end of this element from `resume` on, which it moves on.
    fn end(&mut self, buffer: &[u8], resume: &mut usize) -> Option<usize> {
        let mut at = *resume;
        if self.open == 0 {
            return Some(at);
        }
        loop {
            match next(buffer, at) {
                Next::Token(token) => {
                    at = token.end;
                    match token.kind {
                        Kind::End if token.name(buffer) == self.name => self.open -= 1,
                        Kind::Start if token.name(buffer) == self.name => self.open += 1,
                        _ => continue,
                    }
                    if self.open == 0 {
                        *resume = at;
                        return Some(at);
                    }
                }
                Next::More { from } => {
                    *resume = from;
                    return None;
                }
            }
        }
    }
}
