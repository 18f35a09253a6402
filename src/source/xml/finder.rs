//! Record detection: finds the elements that carry an identifier.

use super::alias::Path;
use super::attributes::Attributes;
use super::name::key;
use super::rules::ParserRules;
use super::token::{MarkupToken, Next, TokenKind, next};
use crate::config::AliasField;

/// Records lie at most this deep below the root element.
pub(super) const DEEPEST_RECORD: usize = 8;
/// How many names of record elements are distinguished; one is usual.
pub(super) const MOST_NAMES: usize = 8;
/// End tags that match nothing, remembered by name.
const MOST_STRAYS: usize = 8;
/// A longer text is no identifier.
const LONGEST_LEAF_BYTES: usize = 1024;

/// The identifier in the bytes of a record, where one can be made out without
/// reading the whole of it: the record need not be well formed.
pub fn record_key(rules: &ParserRules, record: &[u8]) -> Option<String> {
    let mut finder = Finder::default();
    let mut at = 0;
    while let Next::Token(token) = next(record, at) {
        finder.token(rules, record, at, &token);
        at = token.end;
    }
    finder.own.map(|(_, text)| text)
}

struct Open {
    key: u64,
    name: (usize, usize),
    /// It has been counted as a carrier.
    carries: bool,
}

/// Carriers of identifiers at one depth.
#[derive(Default)]
pub(super) struct Group {
    pub carriers: usize,
    /// Keys of their names.
    pub names: Vec<u64>,
    /// Depth and key of the elements around them.
    pub wrappers: Vec<(usize, u64)>,
}

/// Looks for the elements that carry an identifier *at their own level*: in an
/// attribute, in a child or at a path of the aliases. End tags that match
/// nothing are passed over, so that a broken record does not hide the others.
#[derive(Default)]
pub(super) struct Finder {
    open: Vec<Open>,
    /// Open elements below the deepest that could matter.
    below: usize,
    /// Text of the innermost open element, as long as it has no children.
    leaf: Option<Vec<u8>>,
    /// What carries identifiers, by depth below the root.
    groups: Vec<Group>,
    /// Keys of the end tags that matched nothing.
    strays: Vec<u64>,
    /// Identifier of the outermost element: rank of its alias, text.
    own: Option<(usize, String)>,
    /// Where elements were first nested this deep.
    deep: Option<(usize, usize)>,
}

impl Finder {
    /// How many elements carry an identifier at the shallowest depth that has any.
    pub fn carriers(&self) -> Option<usize> {
        let mut counts = self.groups.iter().map(|group| group.carriers);
        counts.find(|carriers| *carriers > 0)
    }

    /// The identifier of the outermost element, as far as it was looked at.
    pub fn own(&self) -> Option<&str> {
        self.own.as_ref().map(|(_, text)| text.as_str())
    }

    /// Where elements are nested deeper than `limit`.
    pub fn too_deep(&self) -> Option<usize> {
        self.deep.map(|(_, at)| at)
    }

    /// The depth of the records and what was found there. The shallowest carriers
    /// are the records: what an advisory says about others lies deeper. A single
    /// one is not where an end tag matched nothing that belongs to deeper ones: the
    /// start tag of the first record is lost, and what it says looks like its
    /// wrapper's.
    pub fn records(self) -> Option<(usize, Group)> {
        let strays = self.strays;
        let mut groups = self.groups.into_iter().enumerate();
        let (depth, shallowest) = groups.find(|(_, group)| group.carriers > 0)?;
        let is_record = |group: &Group| group.names.iter().any(|name| strays.contains(name));
        let deeper = groups.find(|(_, group)| shallowest.carriers == 1 && is_record(group));
        deeper.or(Some((depth, shallowest)))
    }

    /// Takes the next piece of markup; the text before it begins at `text_from`.
    pub fn token(
        &mut self,
        rules: &ParserRules,
        buffer: &[u8],
        text_from: usize,
        token: &MarkupToken,
    ) {
        self.text(&buffer[text_from..token.start]);
        match token.kind {
            TokenKind::Start | TokenKind::Empty => {
                if !self.push(rules, buffer, token) {
                    return;
                }
                self.attributes(rules, buffer, token);
                if token.kind == TokenKind::Empty {
                    self.end(self.open.len() - 1);
                    self.leaf = None;
                }
            }
            TokenKind::End => self.pop(rules, buffer, token),
            TokenKind::Cdata => self.text(token.cdata(buffer)),
            TokenKind::Comment | TokenKind::Instruction | TokenKind::Doctype => {}
        }
    }

    /// Takes text that no markup has ended yet.
    pub fn text(&mut self, text: &[u8]) {
        if let Some(leaf) = &mut self.leaf {
            let room = LONGEST_LEAF_BYTES - leaf.len().min(LONGEST_LEAF_BYTES);
            leaf.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    fn push(&mut self, rules: &ParserRules, buffer: &[u8], token: &MarkupToken) -> bool {
        // An identifier lies at most as deep as the longest usual path leads.
        const DEEPEST: usize = DEEPEST_RECORD + 8;
        self.leaf = None;
        let depth = self.open.len() + self.below;
        if depth >= rules.limits.depth && self.deep.is_none() {
            self.deep = Some((depth, token.start));
        }
        if self.open.len() >= DEEPEST {
            self.below += usize::from(token.kind == TokenKind::Start);
            return false;
        }
        let name = token.name(buffer);
        self.open.push(Open {
            key: key(name),
            name: (token.start + 1, token.name_end),
            carries: false,
        });
        self.leaf = Some(Vec::new());
        true
    }

    fn attributes(&mut self, rules: &ParserRules, buffer: &[u8], token: &MarkupToken) {
        for raw in Attributes::new(token.attributes(buffer)) {
            let name = key(raw.name);
            let Some(value) = raw.value.filter(|value| rules.is_identifier(value)) else {
                continue;
            };
            for (rank, path) in rules.aliases.of(AliasField::Said).iter().enumerate() {
                if path.last == name {
                    self.carrier(path, rank, self.open.len(), value);
                }
            }
        }
    }

    fn pop(&mut self, rules: &ParserRules, buffer: &[u8], token: &MarkupToken) {
        if self.below > 0 {
            self.below -= 1;
            return;
        }
        let name = token.name(buffer);
        let same = |open: &Open| &buffer[open.name.0..open.name.1] == name;
        let Some(index) = self.open.iter().rposition(same) else {
            let name = key(name);
            if self.strays.len() < MOST_STRAYS && !self.strays.contains(&name) {
                self.strays.push(name);
            }
            return;
        };
        if index == 0 && self.open.len() > 1 {
            // The end of the document, or an end tag too many within it.
            self.leaf = None;
            return;
        }
        self.open.truncate(index + 1);
        if let Some(leaf) = self.leaf.take() {
            self.leaf_ended(rules, &leaf);
        }
        self.end(index);
    }

    /// Ends the open elements from `index` on. The root stays: what stands behind its end
    /// tag belongs to a document with an end tag too many.
    fn end(&mut self, index: usize) {
        self.open.truncate(index.max(1));
    }

    fn leaf_ended(&mut self, rules: &ParserRules, leaf: &[u8]) {
        let Some(name) = self.open.last().map(|open| open.key) else {
            return;
        };
        if !rules.names_identifier(name) || !rules.is_identifier(leaf) {
            return;
        }
        for (rank, path) in rules.aliases.of(AliasField::Said).iter().enumerate() {
            if path.last == name && !path.attribute_only {
                self.carrier(path, rank, self.open.len() - 1, leaf);
            }
        }
    }

    /// An identifier was found in the element that has `level` elements around
    /// its value; the record is as many levels further out as its path is long.
    fn carrier(&mut self, path: &Path, rank: usize, level: usize, value: &[u8]) {
        let Some(depth) = level.checked_sub(path.parents.len() + 1) else {
            return;
        };
        let way = &self.open[depth + 1..level];
        if depth > DEEPEST_RECORD || !way.iter().map(|open| &open.key).eq(path.parents.iter()) {
            return;
        }
        if depth == 0 && self.own.as_ref().is_none_or(|(best, _)| rank < *best) {
            let text = String::from_utf8_lossy(value.trim_ascii()).into_owned();
            self.own = Some((rank, text));
        }
        if self.open[depth].carries {
            return;
        }
        self.open[depth].carries = true;
        if self.groups.len() <= depth {
            self.groups.resize_with(depth + 1, Group::default);
        }
        let group = &mut self.groups[depth];
        group.carriers += 1;
        remember(&mut group.names, self.open[depth].key);
        for (depth, open) in self.open[..depth].iter().enumerate() {
            remember(&mut group.wrappers, (depth, open.key));
        }
    }
}

fn remember<T: PartialEq>(known: &mut Vec<T>, one: T) {
    if known.len() < MOST_NAMES * DEEPEST_RECORD && !known.contains(&one) {
        known.push(one);
    }
}
