use super::alias::Path;
use super::name::key;
use super::rules::Rules;
use super::token::{Kind, Next, Token, next};
use crate::config::AliasField;

/// Records lie at most this deep below the root element.
const DEEPEST_RECORD: usize = 8;
/// How many names of record elements are told apart; one is usual.
const MOST_NAMES: usize = 8;
/// A longer text is no identifier.
const LONGEST_LEAF_BYTES: usize = 1024;

/// The identifier in the bytes of a record, where one can be made out without
/// reading the whole of it: the record need not be well formed.
pub fn record_key(rules: &Rules, record: &[u8]) -> Option<String> {
    let mut finder = Finder::default();
    let mut at = 0;
    while let Next::Token(token) = next(record, at) {
        finder.token(rules, record, at, &token);
        at = token.end;
    }
    finder.identifier()
}

struct Open {
    key: u64,
    name: (usize, usize),
    /// It has been counted as a carrier.
    carries: bool,
}

/// Looks for the elements that carry an identifier *at their own level*: in an
/// attribute, in a child or at a path of the aliases. The shallowest are the
/// records: what an advisory says about others lies deeper. End tags that match
/// nothing are passed over, so that a broken record does not hide the others.
#[derive(Default)]
pub(super) struct Finder {
    open: Vec<Open>,
    /// Open elements below the deepest that could matter.
    below: usize,
    /// Text of the innermost open element, as long as it has no children.
    leaf: Option<Vec<u8>>,
    /// Depth below the root of the shallowest carriers so far.
    pub depth: Option<usize>,
    /// How many carriers that depth has.
    pub carriers: usize,
    /// Their qualified names.
    pub names: Vec<Vec<u8>>,
    /// Identifier of the outermost element: rank of its alias, text.
    own: Option<(usize, String)>,
}

impl Finder {
    /// The identifier of the outermost element.
    pub fn identifier(self) -> Option<String> {
        self.own.map(|(_, text)| text)
    }

    /// Takes the next piece of markup; the text before it begins at `text_from`.
    pub fn token(&mut self, rules: &Rules, buffer: &[u8], text_from: usize, token: &Token) {
        self.text(&buffer[text_from..token.start]);
        match token.kind {
            Kind::Start | Kind::Empty => {
                if !self.push(buffer, token) {
                    return;
                }
                self.attributes(rules, buffer, token);
                if token.kind == Kind::Empty {
                    self.open.pop();
                    self.leaf = None;
                }
            }
            Kind::End => self.pop(rules, buffer, token),
            Kind::Cdata => self.text(token.cdata(buffer)),
            Kind::Comment | Kind::Instruction | Kind::Doctype => {}
        }
    }

    fn push(&mut self, buffer: &[u8], token: &Token) -> bool {
        // An identifier lies at most as deep as the longest usual path leads.
        const DEEPEST: usize = DEEPEST_RECORD + 8;
        self.leaf = None;
        if self.open.len() >= DEEPEST {
            self.below += usize::from(token.kind == Kind::Start);
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

    fn text(&mut self, text: &[u8]) {
        if let Some(leaf) = &mut self.leaf {
            let room = LONGEST_LEAF_BYTES - leaf.len().min(LONGEST_LEAF_BYTES);
            leaf.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    fn attributes(&mut self, rules: &Rules, buffer: &[u8], token: &Token) {
        for (name, value) in Attributes(token.attributes(buffer)) {
            let name = key(name);
            for (rank, path) in rules.aliases.of(AliasField::Said).iter().enumerate() {
                if path.last == name && rules.is_identifier(value) {
                    self.carrier(buffer, path, rank, self.open.len(), value);
                }
            }
        }
    }

    fn pop(&mut self, rules: &Rules, buffer: &[u8], token: &Token) {
        if self.below > 0 {
            self.below -= 1;
            return;
        }
        let name = token.name(buffer);
        let same = |open: &Open| &buffer[open.name.0..open.name.1] == name;
        let Some(index) = self.open.iter().rposition(same) else {
            return;
        };
        self.open.truncate(index + 1);
        if let Some(leaf) = self.leaf.take() {
            self.leaf_ended(rules, buffer, &leaf);
        }
        self.open.truncate(index);
    }

    fn leaf_ended(&mut self, rules: &Rules, buffer: &[u8], leaf: &[u8]) {
        let Some(name) = self.open.last().map(|open| open.key) else {
            return;
        };
        for (rank, path) in rules.aliases.of(AliasField::Said).iter().enumerate() {
            if path.last == name && !path.attribute_only && rules.is_identifier(leaf) {
                self.carrier(buffer, path, rank, self.open.len() - 1, leaf);
            }
        }
    }

    /// An identifier was found in the element that has `level` elements around
    /// its value; the record is as many levels further out as its path is long.
    #[expect(
        clippy::too_many_arguments,
        reason = "what is known of one place in the document"
    )]
    fn carrier(&mut self, buffer: &[u8], path: &Path, rank: usize, level: usize, value: &[u8]) {
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
        if self.depth.is_some_and(|best| depth > best) {
            return;
        }
        if self.depth != Some(depth) {
            self.depth = Some(depth);
            self.carriers = 0;
            self.names.clear();
        }
        let record = &mut self.open[depth];
        if !record.carries {
            record.carries = true;
            self.carriers += 1;
        }
        let name = &buffer[record.name.0..record.name.1];
        if self.names.len() < MOST_NAMES && !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }
}

/// Names and raw values of a tag's attributes; stops at the first that is none.
struct Attributes<'b>(&'b [u8]);

impl<'b> Iterator for Attributes<'b> {
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let equals = memchr::memchr(b'=', self.0)?;
        let name = self.0[..equals].trim_ascii();
        let rest = self.0[equals + 1..].trim_ascii_start();
        let quote = *rest.first()?;
        if !matches!(quote, b'"' | b'\'') {
            return None;
        }
        let length = memchr::memchr(quote, &rest[1..])?;
        self.0 = &rest[length + 2..];
        Some((name, &rest[1..=length]))
    }
}
