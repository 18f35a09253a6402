//! The elements around records: their start and end tags.

use super::checks;
use super::element::Element;
use super::envelope::shown;
use super::error::FeedError;
use super::name::key;
use super::splitter::Splitter;
use super::token::{MarkupToken, Next, TokenKind, next};

impl Splitter {
    pub(super) fn begin(&mut self, buffer: &[u8], token: &MarkupToken) -> Result<bool, FeedError> {
        let name = token.name(buffer);
        if self.is_closed {
            self.strays(self.ill_formed(token.start, "a second root element"))?;
            // The end tag of the root was one too many.
            self.open.extend(self.ended_root.take());
            self.is_closed = false;
        }
        let depth = self.open.len();
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
            open: usize::from(token.kind == TokenKind::Start),
            is_record: depth == 0 || self.plan.names(key(name)),
            head: None,
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
    fn wrapper(&mut self, buffer: &[u8], token: &MarkupToken) -> Result<(), FeedError> {
        let name = token.name(buffer);
        let depth = self.open.len();
        if !checks::is_sound_tag(buffer, token) {
            let what = format!("malformed attributes of `{}`", shown(name));
            self.strays(self.ill_formed(token.start, what))?;
        }
        if depth >= self.rules.limits.depth {
            return Err(FeedError::TooDeep {
                limit: self.rules.limits.depth,
                at: self.offset + token.start as u64,
            });
        }
        let attributes = token.attributes(buffer);
        self.envelope.wrapper(&self.rules, name, attributes, depth);
        if token.kind == TokenKind::Empty {
            self.is_closed = depth == 0;
            self.ended_root = self.is_closed.then(|| name.to_owned());
        } else {
            self.open.push(name.to_owned());
        }
        Ok(())
    }

    /// Enters an element that was to be taken as a whole; false if it is a single tag.
    pub(super) fn enter(&mut self, buffer: &[u8], used: &mut usize) -> Result<bool, FeedError> {
        let token = next(buffer, *used);
        if matches!(&token, Next::Token(token) if token.kind == TokenKind::Empty) {
            return Ok(false);
        }
        self.element = None;
        if let Next::Token(token) = token {
            self.wrapper(buffer, &token)?;
            *used = token.end;
            self.resume = token.end;
        }
        Ok(true)
    }

    /// Ends an element around records. An end tag that belongs to none is passed over, one
    /// that belongs to an outer one ends those within it too: the document fails, but the
    /// records behind it are taken.
    pub(super) fn close(&mut self, buffer: &[u8], token: &MarkupToken) -> Result<(), FeedError> {
        let name = token.name(buffer);
        if self.open.last().is_none_or(|open| open != name) {
            let is_record = self.plan.names(key(name));
            if self.is_torn && is_record {
                // Here ends the record whose start tag is lost.
                return Ok(());
            }
            self.strays(self.misplaced_end(name, token.start))?;
            let Some(index) = self.open.iter().rposition(|open| open == name) else {
                self.is_torn |= !is_record && !self.is_closed;
                return Ok(());
            };
            self.open.truncate(index + 1);
        }
        if !token.attributes(buffer).trim_ascii().is_empty() {
            let what = format!("malformed end tag of `{}`", shown(name));
            self.strays(self.ill_formed(token.start, what))?;
        }
        let ended = self.open.pop();
        self.is_closed = self.open.is_empty();
        if self.is_closed {
            self.ended_root = ended;
        }
        Ok(())
    }

    fn misplaced_end(&self, name: &[u8], at: usize) -> FeedError {
        let found = shown(name);
        let what = match self.open.last() {
            Some(open) => format!("`</{found}>` where `</{}>` belongs", shown(open)),
            None => format!("`</{found}>` ends nothing"),
        };
        self.ill_formed(at, what)
    }
}
