use std::sync::Arc;

use super::document::Document;
use super::error::FeedError;
use super::finder::record_key;
use super::name::key;
use super::outside::{self, Envelope};
use super::profile::Profile;
use super::rules::Rules;
use super::token::{Kind, Next, Token, next};

/// Where the records are: how deep and under which qualified names.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Depth below the root; `None` where no element carries an identifier.
    pub depth: Option<usize>,
    pub names: Vec<Vec<u8>>,
}

/// An element at the depth of the records that has not ended yet.
struct Element {
    name: Vec<u8>,
    /// How many elements of that name are open, itself included.
    open: usize,
}

/// Slices a document into records along a [`Plan`]. Around records it is strict;
/// inside it only follows elements of the record's own name, so that whatever
/// else is broken in a record harms no other.
pub(super) struct Splitter {
    rules: Arc<Rules>,
    plan: Plan,
    /// Names of the open wrapper elements.
    open: Vec<Vec<u8>>,
    element: Option<Element>,
    closed: bool,
    /// Where scanning goes on, in the next buffer.
    resume: usize,
    /// Position in the document of the next buffer's first byte.
    offset: u64,
    envelope: Envelope,
    records: u64,
    first: Option<String>,
    profile: Option<Profile>,
}

pub(super) type Sink<'s> = &'s mut dyn FnMut(&[u8]);

impl Splitter {
    pub fn new(rules: Arc<Rules>, plan: Plan) -> Self {
        Self {
            rules,
            plan,
            open: Vec::new(),
            element: None,
            closed: false,
            resume: 0,
            offset: 0,
            envelope: Envelope::default(),
            records: 0,
            first: None,
            profile: None,
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
                self.limit(length, used, self.rules.limits.record_bytes)?;
                let Some(end) = end else {
                    break;
                };
                self.element = None;
                self.hand_out(&buffer[used..end], sink);
                used = end;
                continue;
            }
            let token = match next(buffer, self.resume) {
                Next::Token(token) => token,
                Next::More { from } => {
                    used = self.text(buffer, from)?;
                    self.resume = used;
                    self.limit(buffer.len() - used, used, self.rules.limits.markup_bytes)?;
                    break;
                }
            };
            self.text(buffer, token.start)?;
            let length = token.end - token.start;
            self.limit(length, token.start, self.rules.limits.markup_bytes)?;
            self.resume = token.end;
            used = token.start;
            if self.outer(buffer, &token)? {
                if token.kind == Kind::Empty {
                    self.hand_out(&buffer[used..token.end], sink);
                } else {
                    let name = token.name(buffer).to_owned();
                    self.element = Some(Element { name, open: 1 });
                    continue;
                }
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

    /// What the document was, when `rest` is all that was not taken of it.
    pub fn finish(self, rest: &[u8], known_root: Option<&str>) -> Result<Document, FeedError> {
        let unended = self.element.is_some() || !self.open.is_empty();
        if unended || !rest.is_empty() {
            return Err(FeedError::Truncated {
                at: self.offset + rest.len() as u64,
            });
        }
        let Some(root) = self.envelope.root.clone() else {
            return Err(FeedError::Empty);
        };
        if self.plan.depth.is_none() && !self.envelope.is_empty_feed(known_root) {
            let names = self.envelope.names;
            return Err(FeedError::NotRecognised { root, names });
        }
        Ok(Document {
            records: self.records,
            root,
            record: self.first,
            profile: self.profile.unwrap_or(Profile::Other),
            claimed: self.envelope.claimed,
            next: self.envelope.next,
            ignored: self.envelope.ignored,
        })
    }

    fn limit(&self, length: usize, used: usize, limit_bytes: usize) -> Result<(), FeedError> {
        if length <= limit_bytes {
            return Ok(());
        }
        let name = match &self.element {
            Some(element) => outside::shown(&element.name),
            None => "markup outside of records".to_owned(),
        };
        Err(FeedError::TooLarge {
            name,
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
        let length = outside::check_text(&buffer[from..to], to == buffer.len())
            .map_err(|(at, what)| self.ill_formed(from + at, what))?;
        let text = &buffer[from..from + length];
        if self.open.is_empty() {
            if let Some(at) = text.iter().position(|byte| !byte.is_ascii_whitespace()) {
                let what = outside::stray(&text[at..], self.envelope.root.is_some());
                return Err(self.ill_formed(from + at, what));
            }
        } else {
            self.envelope.text(text);
        }
        Ok(from + length)
    }

    /// Takes markup outside of records; true when it begins an element at the
    /// depth of the records.
    fn outer(&mut self, buffer: &[u8], token: &Token) -> Result<bool, FeedError> {
        match token.kind {
            Kind::Comment | Kind::Instruction => Ok(false),
            Kind::Doctype if self.envelope.root.is_some() => {
                Err(self.ill_formed(token.start, "a document type inside of the document"))
            }
            Kind::Doctype => {
                let at = self.offset + token.start as u64;
                outside::check_doctype(&buffer[token.start..token.end], at)?;
                Ok(false)
            }
            Kind::Cdata if self.open.is_empty() => {
                Err(self.ill_formed(token.start, "a CDATA section outside of the root element"))
            }
            Kind::Cdata => {
                self.envelope.text(token.cdata(buffer));
                Ok(false)
            }
            Kind::End => self.close(buffer, token).map(|()| false),
            Kind::Start | Kind::Empty => self.begin(buffer, token),
        }
    }

    fn begin(&mut self, buffer: &[u8], token: &Token) -> Result<bool, FeedError> {
        let name = token.name(buffer);
        let depth = self.open.len();
        if self.closed {
            return Err(self.ill_formed(token.start, "a second root element"));
        }
        if depth == 0 && key(name) == key(b"html") {
            return Err(FeedError::Html);
        }
        if depth >= self.rules.limits.depth {
            return Err(FeedError::TooDeep {
                limit: self.rules.limits.depth,
                at: self.offset + token.start as u64,
            });
        }
        if depth == 0 {
            self.envelope.root = Some(outside::shown(name));
        }
        if self.plan.depth == Some(depth) {
            self.envelope.begin_child();
            return Ok(true);
        }
        self.envelope.begin(name, depth);
        if token.kind == Kind::Empty {
            self.envelope.end(name);
            self.closed = depth == 0;
        } else {
            self.open.push(name.to_owned());
        }
        Ok(false)
    }

    fn close(&mut self, buffer: &[u8], token: &Token) -> Result<(), FeedError> {
        let name = token.name(buffer);
        if self.open.last().is_none_or(|open| open != name) {
            let found = outside::shown(name);
            let what = match self.open.last() {
                Some(open) => format!("`</{found}>` where `</{}>` belongs", outside::shown(open)),
                None => format!("`</{found}>` ends nothing"),
            };
            return Err(self.ill_formed(token.start, what));
        }
        self.envelope.end(name);
        self.open.pop();
        self.closed = self.open.is_empty();
        Ok(())
    }

    /// Hands an element at the depth of the records out, unless it is envelope.
    fn hand_out(&mut self, element: &[u8], sink: Sink) {
        self.closed = self.open.is_empty();
        let Next::Token(start) = next(element, 0) else {
            return;
        };
        let name = start.name(element);
        if !self.plan.names.iter().any(|known| same(known, name)) {
            if record_key(&self.rules, element).is_none() {
                self.envelope.element(name, element);
                return;
            }
            self.plan.names.push(name.to_owned());
        }
        if self.first.is_none() {
            self.first = Some(outside::shown(name));
            self.profile = Some(Profile::of(&self.rules, element));
        }
        self.records += 1;
        sink(element);
    }
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one == other || key(one) == key(other)
}

impl Element {
    /// Looks for the end of this element from `resume` on, which it moves on.
    fn end(&mut self, buffer: &[u8], resume: &mut usize) -> Option<usize> {
        let mut at = *resume;
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
