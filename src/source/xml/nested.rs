//! Whole records within a record, where only references to other advisories belong.

use std::collections::BTreeMap;

use super::error::Other;
use super::identity::own;
use super::rules::ParserRules;
use super::tree::XmlNode;
use crate::config::AliasField;
use crate::model::counted;

/// Records within one record that are kept. Nothing real holds so many.
const MOST_RECORDS: usize = 1000;
/// The text that is kept of all of them, in bytes; the record itself is kept whole.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The text that is kept of each further one, in bytes.
const EXCERPT_BYTES: usize = 4096;
/// A longer way to a record is cut, in bytes.
const LONGEST_WAY_BYTES: usize = 200;

/// Takes the whole records of other advisories that lie within a record, whatever their
/// elements are called; what is taken is marked as read. One that says no more than a
/// reference does is a reference. Also returns where they are: identifiers by the way to
/// them.
pub(super) fn taken(
    rules: &ParserRules,
    text: &str,
    root: &XmlNode<'_>,
) -> (Vec<Other>, BTreeMap<String, String>) {
    let mut search = Search {
        rules,
        text,
        root,
        way: Vec::new(),
        room: MOST_BYTES,
        found: Vec::new(),
        ways: BTreeMap::new(),
        more: 0,
    };
    let said = own(rules, root).first().map_or("", |said| said.trim());
    search.visit_all(root, said, false);
    let Search {
        found, ways, more, ..
    } = search;
    let ways = ways.into_iter().map(|(way, mut saids)| {
        if more > 0 {
            saids.push(format!("{} within", counted(more, "more record")));
        }
        (way, saids.join("; "))
    });
    (found, ways.collect())
}

struct Search<'s> {
    rules: &'s ParserRules,
    text: &'s str,
    root: &'s XmlNode<'s>,
    /// Names of the elements around, without that of the record.
    way: Vec<&'s str>,
    room: usize,
    found: Vec<Other>,
    /// Identifiers by the names that lead to them.
    ways: BTreeMap<String, Vec<String>>,
    more: usize,
}

impl<'s> Search<'s> {
    /// Looks for records below an element that is about `said`.
    fn visit_all(&mut self, node: &'s XmlNode<'s>, said: &'s str, is_reference: bool) {
        let references = self.rules.aliases.of(AliasField::References);
        for child in &node.children {
            self.way.push(&child.name);
            let is_reference = is_reference || references.iter().any(|path| path.last == child.key);
            let other = self.other(child, said, is_reference);
            if let Some(other) = other {
                self.record(child, other);
            }
            self.visit_all(child, other.unwrap_or(said), is_reference);
            self.way.pop();
        }
    }

    /// The identifier of another advisory whose record an element is.
    fn other(&self, node: &'s XmlNode<'s>, said: &str, is_reference: bool) -> Option<&'s str> {
        if node.children.is_empty() && node.attributes.is_empty() {
            return None;
        }
        let all = own(self.rules, node).into_iter().map(str::trim);
        let other = all.into_iter().find(|one| *one != said)?;
        let is_record = if node.key == self.root.key {
            is_whole(self.rules, node)
        } else {
            is_more_than_reference(self.rules, node, is_reference)
        };
        is_record.then_some(other)
    }

    fn record(&mut self, node: &'s XmlNode<'s>, said: &'s str) {
        /// Named under one way, at most.
        const MOST_NAMED: usize = 10;
        if self.found.len() >= MOST_RECORDS {
            self.more += 1;
            return;
        }
        let named = self.ways.entry(self.name()).or_default();
        if named.len() < MOST_NAMED && named.iter().all(|known| known != said) {
            named.push(said.to_owned());
        }
        let raw = self.text.get(node.span.clone()).unwrap_or_default();
        let length = if raw.len() <= self.room {
            node.mark_all();
            raw.len()
        } else {
            raw.floor_char_boundary(EXCERPT_BYTES)
        };
        self.room = self.room.saturating_sub(length);
        self.found.push(Other {
            key: said.to_owned(),
            raw: raw[..length].to_owned(),
        });
    }

    /// The way to the record: `advisory/related/advisory`.
    fn name(&self) -> String {
        let mut name = format!("{}/{}", self.root.name, self.way.join("/"));
        name.truncate(name.floor_char_boundary(LONGEST_WAY_BYTES));
        name
    }
}

/// Fields beside the identifier that a record has at least. A reference to a related
/// advisory may have its title as well.
const LEAST_FIELDS: usize = 2;

/// Whether it says more about the advisory than a reference does.
pub(super) fn is_whole(rules: &ParserRules, node: &XmlNode<'_>) -> bool {
    named_fields(rules, node).count() >= LEAST_FIELDS
}

/// The same of an element that is not called like a record: what a reference to an advisory
/// has too (a title, addresses, times, in a list of references a text) does not make one.
fn is_more_than_reference(rules: &ParserRules, node: &XmlNode<'_>, is_reference: bool) -> bool {
    use AliasField::{Description, ModifiedAt, References, ReleasedAt, Title, Type};
    let is_of_reference = |field: &AliasField| match field {
        Title | References | ReleasedAt | ModifiedAt | Type => true,
        Description => is_reference,
        _ => false,
    };
    is_whole(rules, node) && !named_fields(rules, node).all(|field| is_of_reference(&field))
}

/// The fields that it has a value for.
pub(super) fn named_fields(
    rules: &ParserRules,
    node: &XmlNode<'_>,
) -> impl Iterator<Item = AliasField> {
    let is_about = |field: &AliasField| !matches!(field, AliasField::Said | AliasField::UpstreamId);
    let fields = AliasField::ALL.iter().copied().filter(is_about);
    fields.filter(|field| {
        let found = rules.aliases.all(node, *field);
        found.into_iter().any(|one| !one.is_blank())
    })
}
