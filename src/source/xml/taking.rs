//! Takes the elements that a splitter has found: records, groups of records, and what
//! stands beside them.

use std::sync::Arc;

use super::aside::{Aside, ElementRole};
use super::build::build;
use super::characters::storable;
use super::error::FeedError;
use super::name::key;
use super::nested::is_whole;
use super::plan::RecordLocation;
use super::record::{parse, read_whole, text};
use super::repairs::shown;
use super::reported::is_error;
use super::splitter::{Piece, PieceHandler, Splitter};

impl Splitter {
    /// Takes an element as a whole; it begins at `at` in the buffer.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        at: usize,
        sink: PieceHandler,
    ) -> Result<(), FeedError> {
        let Some(element) = self.element.take() else {
            return Ok(());
        };
        if let Some(head) = element.head {
            self.without_record = 0;
            sink(Piece::Record(&head));
            return Ok(());
        }
        let depth = self.open.len();
        self.is_closed = depth == 0;
        if depth == 0 {
            // The document is one record: what is damaged in it is the document's.
            let sound = read_whole(&self.rules, bytes);
            sound.map_err(|what| self.ill_formed(at, what))?;
        }
        // An error about one advisory is no record of it.
        let is_record = element.is_record && (depth == 0 || !is_error(&element.name));
        if is_record {
            self.without_record = 0;
            if self.is_taken(bytes) {
                sink(Piece::Record(bytes));
            }
            return Ok(());
        }
        let text = storable(bytes);
        let aside = Aside {
            rules: &self.rules,
            level: self.level,
            has_records: self.plan.depth.is_some(),
        };
        match aside.judge(&text) {
            ElementRole::Record if !self.is_taken(bytes) => {}
            ElementRole::Record => {
                self.plan.depth.get_or_insert(depth);
                self.plan.learn(key(&element.name));
                self.without_record = 0;
                sink(Piece::Record(bytes));
            }
            ElementRole::Group(plan, identifier) => {
                if let Some(name) = identifier {
                    self.envelope.unknown_identifier.get_or_insert(name);
                }
                self.plan.depth.get_or_insert(depth);
                self.split(plan, bytes, sink)?;
            }
            ElementRole::Kept if self.is_torn => {}
            ElementRole::Kept => {
                self.note_identifier(&text);
                self.keep(bytes, sink);
            }
            ElementRole::Plain(node) => {
                if self.plan.depth.is_none() {
                    self.envelope.carries(&self.rules, &node);
                }
                let is_sibling = self.plan.depth.is_some_and(|records| depth >= records);
                self.envelope.beside(bytes, &node, depth, is_sibling);
            }
            ElementRole::Error(text) => self.strays(FeedError::Reported { text })?,
        }
        Ok(())
    }

    /// Whether an element is taken as a record: behind a text that may be a part of a tag
    /// one that says no more than a reference does is not, because it may be one. The
    /// document fails, so that nothing is lost.
    fn is_taken(&self, bytes: &[u8]) -> bool {
        !self.is_torn || self.is_advisory(bytes)
    }

    /// Whether an element says more than a reference to an advisory does, or cannot be read.
    fn is_advisory(&self, bytes: &[u8]) -> bool {
        let Ok(text) = text(&self.rules, bytes) else {
            return true;
        };
        parse(&self.rules, &text).map_or(true, |parsed| is_whole(&self.rules, &parsed.root))
    }

    /// Notes an identifier that stands beside records, in an element that is called as they
    /// are: then that is the record, and they are what it says of others.
    fn note_identifier(&mut self, element: &str) {
        let around = self.open.last().map(|name| key(name));
        if !around.is_some_and(|name| self.plan.names(name)) {
            return;
        }
        let leaf = build(element, &self.rules).ok().map(|built| built.root);
        let leaf = leaf.filter(|leaf| leaf.children.is_empty());
        if let Some(leaf) = leaf.filter(|leaf| self.rules.is_identifier(leaf.text.as_bytes())) {
            let name = shown(&leaf.name);
            self.envelope.unknown_identifier.get_or_insert(name);
        }
    }

    fn keep(&mut self, bytes: &[u8], sink: PieceHandler) {
        self.envelope.has_identifiers = true;
        sink(Piece::Beside(bytes));
    }

    /// Splits an element beside the records that holds further ones, as a document
    /// of its own. Where it is damaged outside of its records, it is kept as it came,
    /// and the advisories that can be read in it are taken nevertheless.
    fn split(
        &mut self,
        mut plan: RecordLocation,
        bytes: &[u8],
        sink: PieceHandler,
    ) -> Result<(), FeedError> {
        for name in &self.plan.names {
            plan.learn(*name);
        }
        let mut within = Self::new(Arc::clone(&self.rules), plan);
        within.level = self.level + 1;
        within.is_torn = self.is_torn;
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
                if let Some(name) = envelope.unknown_identifier {
                    self.envelope.unknown_identifier.get_or_insert(name);
                }
                self.envelope.partial.merge(&envelope.partial);
                let held = pieces.len() as u64;
                if let Some(claimed) = envelope.claimed.filter(|claimed| *claimed > held) {
                    let root = envelope.root.as_deref().unwrap_or_default();
                    let text = format!("<{root}> counts {claimed}, but contains {held}");
                    self.envelope.partial.cut(text);
                }
            }
            Err(FeedError::Reported { text }) => self.strays(FeedError::Reported { text })?,
            Err(_) if self.is_torn => return Ok(()),
            Err(_) => {
                self.keep(bytes, sink);
                pieces.retain(|(is_record, bytes)| *is_record && self.is_advisory(bytes));
            }
        }
        if pieces.iter().any(|(is_record, _)| *is_record) {
            self.without_record = 0;
        }
        for (is_record, bytes) in &pieces {
            sink(match is_record {
                true => Piece::Record(bytes),
                false => Piece::Beside(bytes),
            });
        }
        Ok(())
    }
}
