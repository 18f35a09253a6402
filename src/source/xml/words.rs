//! Words in angle brackets that stand in a text and are no markup: `vector<int>`, `the
//! <select> element`. They look like tags that have no counterpart.

use std::collections::HashMap;

use super::name::{key, keys};
use super::rules::ParserRules;
use super::token::{MarkupToken, TokenKind};
use super::tree::{XmlNode, is_html};
use crate::config::AliasField;

/// Elements that hold text, besides those of the aliases.
const TEXTS: &[u64] = keys!["note", "reason", "details", "comment", "paragraph"];
/// Fields whose elements hold text.
const FIELDS: [AliasField; 3] = [
    AliasField::Title,
    AliasField::Description,
    AliasField::Solution,
];

/// The end tags of a record, as far as they were needed.
#[derive(Default)]
pub(super) struct EndTags<'r> {
    /// Where they stand, by their names as written, ascending. Empty if there are too many.
    positions: Option<HashMap<&'r str, Vec<usize>>>,
    /// How often a start tag was looked for.
    searches: usize,
}

impl<'r> EndTags<'r> {
    /// Whether a tag behind the elements that are `open` is a word of their text. One of an
    /// element that HTML has, or that a field is read from, never is.
    pub fn is_word(
        &mut self,
        rules: &ParserRules,
        record: &'r str,
        open: &[XmlNode<'r>],
        token: &MarkupToken,
    ) -> bool {
        // The record itself holds fields.
        let fields = open.get(1..).unwrap_or_default();
        let Some(text) = fields.iter().find(|node| is_text(rules, node)) else {
            return false;
        };
        if token.kind == TokenKind::Empty {
            return false;
        }
        let is_end = token.kind == TokenKind::End;
        let name = &record[token.start + 1 + usize::from(is_end)..token.name_end];
        let attributes = &record[token.name_end..token.end - 1];
        let is_plain = attributes.trim_ascii().is_empty() || attributes.contains('=');
        let is_known = is_html(name) && is_plain || rules.aliases.leads(key(name.as_bytes()));
        if name.is_empty() || is_known {
            return false;
        }
        if is_end && fields.iter().any(|node| node.name == name) {
            return false;
        }
        // Where the text itself has no end, it is not certain what belongs to it.
        if self.next(record, &text.name, token.end).is_none() {
            return false;
        }
        if is_end {
            return !self.has_start(record, name, token.start);
        }
        self.next(record, name, token.end).is_none()
    }

    /// Whether an element of that name begins before `to`, as far as it is looked for.
    fn has_start(&mut self, record: &str, name: &str, to: usize) -> bool {
        /// Each time the whole record may be searched.
        const MOST_SEARCHES: usize = 32;
        self.searches += 1;
        let start = format!("<{name}");
        let is_whole = |(at, _): (usize, &str)| {
            let behind = record.as_bytes().get(at + start.len());
            behind.is_none_or(|byte| matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace())
        };
        self.searches > MOST_SEARCHES || record[..to].match_indices(&start).any(is_whole)
    }

    /// Where the next end tag of that name stands.
    fn next(&mut self, record: &'r str, name: &str, from: usize) -> Option<usize> {
        let positions = self.positions.get_or_insert_with(|| positions(record));
        let all = positions.get(name)?;
        let index = all.partition_point(|at| *at < from);
        all.get(index).copied()
    }
}

/// Whether an element holds text, not structure.
fn is_text(rules: &ParserRules, node: &XmlNode<'_>) -> bool {
    let is_field = |field: &AliasField| {
        let mut paths = rules.aliases.of(*field).iter();
        paths.any(|path| path.last == node.key)
    };
    let is_named = TEXTS.contains(&node.key) || FIELDS.iter().any(is_field);
    is_named || node.has_text
}

/// Positions take more memory than the tags themselves: of a record with more of them,
/// nothing is taken as a word.
const MOST_END_TAGS: usize = 100_000;

fn positions(record: &str) -> HashMap<&str, Vec<usize>> {
    let mut positions: HashMap<&str, Vec<usize>> = HashMap::new();
    for (count, at) in memchr::memmem::find_iter(record.as_bytes(), b"</").enumerate() {
        if count == MOST_END_TAGS {
            return HashMap::new();
        }
        let behind = &record[at + 2..];
        let is_end = |byte: &u8| matches!(byte, b'>' | b'<' | b' ' | b'\t' | b'\n' | b'\r');
        let Some(end) = behind.bytes().position(|byte| is_end(&byte)) else {
            break;
        };
        positions.entry(&behind[..end]).or_default().push(at);
    }
    positions
}
