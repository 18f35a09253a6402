//! Which advisory a record is: the identifier at its own level, and others that
//! stand where they should not and may be those of a neighbour that damage has
//! merged into it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::alias::Path;
use super::build::Built;
use super::name::key;
use super::repairs::shown;
use super::rules::{ParserRules, is_whole_word};
use super::token::{Next, TokenKind, next};
use super::tree::{NamedValue, XmlNode};
use crate::config::AliasField;
use crate::model::visible;

/// Begins a CDATA section.
const CDATA: &str = "<![CDATA[";
/// Identifiers of one record that are distinguished. Nothing real holds so many.
const MOST_KEYS: usize = 100;
/// How far before an identifier the name that it belongs to is looked for: a tag.
const LONGEST_TAG_BYTES: usize = 256;

/// The identifiers at an element's own level, from the best name that leads to any.
pub(super) fn own<'n>(rules: &ParserRules, node: &'n XmlNode<'n>) -> Vec<&'n str> {
    let is_identifier = |text: &&str| rules.is_identifier(text.as_bytes());
    for path in rules.aliases.of(AliasField::Said) {
        let texts = path.all(node).into_iter().map(NamedValue::text);
        let found: Vec<&str> = texts.filter(is_identifier).collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Keys of the names of those identifiers.
fn own_names(rules: &ParserRules, node: &XmlNode<'_>) -> Vec<u64> {
    let paths = rules.aliases.of(AliasField::Said).iter();
    let leads = |path: &&Path| {
        let mut texts = path.all(node).into_iter().map(NamedValue::text);
        texts.any(|text| rules.is_identifier(text.as_bytes()))
    };
    paths.filter(leads).map(|path| path.last).collect()
}

/// Why a record is no advisory.
pub(super) fn without_identifier(rules: &ParserRules, node: &XmlNode<'_>) -> String {
    match no_identifier(rules, node) {
        Some((name, text)) => {
            format!(
                "it has no identifier: `{}` is `{}`, which is not of the form `{}`",
                visible(&name),
                visible(&text),
                rules.form()
            )
        }
        None => "it has no identifier".to_owned(),
    }
}

/// What stands at an element's own level where an identifier belongs and is none:
/// its name and its text.
fn no_identifier(rules: &ParserRules, node: &XmlNode<'_>) -> Option<(String, String)> {
    let found = rules.aliases.all(node, AliasField::Said).into_iter();
    let mut texts = found.map(|one| (one.name(), one.text()));
    // `id` is upstream's number where it is one.
    let is_number = |text: &str| text.parse::<i64>().is_ok();
    let (name, text) = texts.find(|(name, text)| {
        let is_upstream_id = key(name.as_bytes()) == key(b"id") && is_number(text);
        !text.is_empty() && !is_upstream_id
    })?;
    Some((shown(name), shown(text)))
}

/// All identifiers that a record may be about; more than one says that it is not
/// certain where it ends. The first is its own.
///
/// A neighbour that damage has merged into a record has its identifier
/// 1. at the record's own level, where two say different things;
/// 2. in a child of the record's own name;
/// 3. in an element whose tags do not match, or of the same name;
/// 4. in what is no element: a comment, a CDATA section, a mangled tag, text that was one.
pub(super) fn candidates(rules: &ParserRules, record: &str, built: &Built<'_>) -> Vec<String> {
    let mut keys = Keys::default();
    let root = &built.root;
    keys.extend(own(rules, root));
    for child in root.children.iter().filter(|child| child.key == root.key) {
        keys.extend(own(rules, child));
    }
    let uncertain = &built.repairs.elements;
    if !uncertain.is_empty() {
        visit_all(root, &mut |node| {
            if uncertain.contains(&node.key) {
                keys.extend(own(rules, node));
            }
        });
    }
    if !built.repairs.is_empty() {
        keys.extend(unaccounted(rules, record, root));
        keys.extend(hidden_in_tags(rules, record, built));
    }
    if built.repairs.is_structural {
        let values = root.attributes.iter().map(|one| &*one.value);
        keys.extend(values.filter(|value| rules.is_identifier(value.as_bytes())));
        visit_all(root, &mut |node| keys.extend(by_paths(rules, node)));
    }
    if contains_markup(root) {
        keys.extend(
            rules
                .forms(root.text.as_bytes())
                .map(|form| &root.text[form]),
        );
    }
    for range in &built.opaque {
        let opaque = &record[range.clone()];
        // A section does not hold the beginning of another one, if each has its end.
        if opaque.strip_prefix(CDATA).unwrap_or(opaque).contains(CDATA) {
            keys.extend(rules.forms(opaque.as_bytes()).map(|form| &opaque[form]));
        }
        let start = format!("<{}", root.name);
        if let Some(at) = opaque.find(&start) {
            keys.extend(positions(rules, &opaque[at..]));
        }
    }
    keys.all
}

/// Identifiers in an element by the last two names of a path: what lies around may be
/// damaged.
fn by_paths<'n>(rules: &ParserRules, node: &'n XmlNode<'n>) -> Vec<&'n str> {
    let paths = rules.aliases.of(AliasField::Said).iter();
    paths
        .filter(|path| path.parents.last() == Some(&node.key))
        .flat_map(|path| node.children.iter().filter(|child| child.key == path.last))
        .map(|child| &*child.text)
        .filter(|text| rules.is_identifier(text.as_bytes()))
        .collect()
}

/// Whether text beside the fields of a record may be a piece of a tag.
pub(super) fn contains_markup(root: &XmlNode<'_>) -> bool {
    !root.children.is_empty() && root.text.contains(['<', '>'])
}

/// Identifiers in tags that stand there more often than in what was read of these: behind
/// a piece of another tag, or without the name of their attribute.
fn hidden_in_tags<'t>(rules: &ParserRules, record: &'t str, built: &Built<'_>) -> Vec<&'t str> {
    let mut counted: HashMap<&str, usize> = HashMap::new();
    visit_all(&built.root, &mut |node| {
        let texts = node.attributes.iter().map(|one| &*one.value);
        // A name stands in the start tag and in the end tag.
        for text in texts.chain([&*node.name, &*node.name]) {
            for found in rules.forms(text.as_bytes()) {
                *counted.entry(&text[found]).or_default() += 1;
            }
        }
    });
    let (mut hidden, mut at) = (Vec::new(), 0);
    while let Next::Token(token) = next(record.as_bytes(), at) {
        at = token.end;
        if !matches!(
            token.kind,
            TokenKind::Start | TokenKind::Empty | TokenKind::End
        ) {
            continue;
        }
        // A word in brackets has no place for the identifier of a neighbour.
        let is_word = || {
            let words = &built.words;
            words
                .binary_search_by_key(&token.start, |word| word.start)
                .is_ok()
        };
        if token.name_end + 1 == token.end && is_word() {
            continue;
        }
        let tag = &record[token.start..token.end];
        for found in rules.forms(tag.as_bytes()) {
            match counted.get_mut(&tag[found.clone()]) {
                Some(count) if *count > 0 => *count -= 1,
                _ => hidden.push(&tag[found]),
            }
        }
    }
    hidden
}

/// Whether a field that an advisory has once stands twice at its own level and says different
/// things. In a record whose markup is damaged, the second may be that of a neighbour.
pub(super) fn is_doubled(rules: &ParserRules, root: &XmlNode<'_>) -> bool {
    use AliasField::{Criticality, ModifiedAt, ReleasedAt, Title};
    [Title, Criticality, ReleasedAt, ModifiedAt]
        .into_iter()
        .any(|field| {
            let found = rules.aliases.all(root, field);
            let mut texts: HashMap<u64, &str> = HashMap::new();
            found.iter().filter(|one| !one.is_blank()).any(|one| {
                let text = one.text().trim();
                *texts.entry(key(one.name().as_bytes())).or_insert(text) != text
            })
        })
}

/// Identifiers that stand in the bytes more often than in the elements that the
/// tree has: some are hidden in markup that is none.
fn unaccounted<'t>(rules: &ParserRules, record: &'t str, root: &XmlNode<'_>) -> Vec<&'t str> {
    let mut counted: HashMap<&str, usize> = HashMap::new();
    visit_all(root, &mut |node| {
        let attributes = node.attributes.iter().map(|one| (one.key, &*one.value));
        for (name, value) in attributes.chain([(node.key, &*node.text)]) {
            if rules.names_identifier(name) && rules.is_identifier(value.as_bytes()) {
                *counted.entry(value.trim()).or_default() += 1;
            }
        }
    });
    // A reference to another advisory may have another name.
    let own = own_names(rules, root);
    let mut hidden = Vec::new();
    for found in positions_ended(rules, record, &|name| own.contains(&name)) {
        match counted.get_mut(found) {
            Some(count) if *count > 0 => *count -= 1,
            _ => hidden.push(found),
        }
    }
    hidden
}

/// Identifiers in the bytes of a record that stand where a name of the aliases
/// says that one follows, whether or not the markup around is sound.
pub(super) fn positions<'t>(rules: &ParserRules, text: &'t str) -> Vec<&'t str> {
    positions_ended(rules, text, &|name| rules.names_identifier(name))
}

/// The same; what stands before an end tag counts if `ends` takes its name.
fn positions_ended<'t>(
    rules: &ParserRules,
    text: &'t str,
    ends: &dyn Fn(u64) -> bool,
) -> Vec<&'t str> {
    let text_bytes = text.as_bytes();
    let is_at_position = |form: &Range<usize>| {
        let (before, behind) = (&text_bytes[..form.start], &text_bytes[form.end..]);
        let is_named = is_position(rules, before) || is_in_tag(before, behind);
        is_named && is_whole_word(text_bytes, form) || is_ended(ends, behind)
    };
    let found = rules.forms(text_bytes).filter(is_at_position);
    found.map(|form| &text[form]).collect()
}

/// Whether `behind` begins with the end tag of an element that holds an identifier.
fn is_ended(ends: &dyn Fn(u64) -> bool, behind: &[u8]) -> bool {
    let behind = behind.trim_ascii_start();
    let behind = behind.strip_prefix(b"]]>").unwrap_or(behind);
    let Some(tag) = behind.trim_ascii_start().strip_prefix(b"</") else {
        return false;
    };
    let end = tag.iter().position(|byte| !is_name(*byte));
    ends(key(&tag[..end.unwrap_or(tag.len())]))
}

/// Whether a word is the whole value of an attribute whose name is lost: quoted, in a tag,
/// behind no `=`.
fn is_in_tag(before: &[u8], behind: &[u8]) -> bool {
    let Some((quote @ (b'"' | b'\''), rest)) = before.split_last() else {
        return false;
    };
    let rest = &rest[rest.len().saturating_sub(LONGEST_TAG_BYTES)..];
    let opened = memchr::memrchr(b'<', rest);
    behind.first() == Some(quote)
        && opened.is_some_and(|at| memchr::memchr2(b'>', b'=', &rest[at..]).is_none())
}

/// Whether `before` ends with `name="` or `<name …>`.
fn is_position(rules: &ParserRules, before: &[u8]) -> bool {
    let before = &before[before.len().saturating_sub(LONGEST_TAG_BYTES)..];
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b"<![CDATA[").unwrap_or(before);
    let before = before.trim_ascii_end();
    let unquoted = match before {
        [rest @ .., b'"' | b'\''] => rest.trim_ascii_end(),
        _ => before,
    };
    if let Some(tag) = before.strip_suffix(b">") {
        let Some(start) = memchr::memrchr(b'<', tag) else {
            return false;
        };
        let name = &tag[start + 1..];
        let end = name.iter().position(|byte| !is_name(*byte));
        return rules.names_identifier(key(&name[..end.unwrap_or(name.len())]));
    }
    let assigned = unquoted.strip_suffix(b"=").unwrap_or(unquoted);
    if assigned.len() == before.len() {
        return false;
    }
    let assigned = assigned.trim_ascii_end();
    let start = assigned.iter().rposition(|byte| !is_name(*byte));
    rules.names_identifier(key(&assigned[start.map_or(0, |at| at + 1)..]))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':') || byte >= 0x80
}

fn visit_all<'n>(node: &'n XmlNode<'n>, visit: &mut dyn FnMut(&'n XmlNode<'n>)) {
    visit(node);
    for child in &node.children {
        visit_all(child, visit);
    }
}

/// Identifiers, each once, in the order in which they were found.
#[derive(Default)]
pub(super) struct Keys {
    known: HashSet<String>,
    pub(super) all: Vec<String>,
}

impl Keys {
    pub(super) fn extend<'k>(&mut self, found: impl IntoIterator<Item = &'k str>) {
        for key in found {
            let key = key.trim();
            if self.all.len() < MOST_KEYS && self.known.insert(key.to_owned()) {
                self.all.push(key.to_owned());
            }
        }
    }
}
