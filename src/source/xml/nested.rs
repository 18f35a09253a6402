//! Whole records within a record, where only references to other advisories belong.

use std::collections::BTreeMap;

use super::error::Other;
use super::identity::own;
use super::rules::Rules;
use super::tree::Node;
use crate::config::AliasField;
use crate::model::{Advisory, counted};

/// Records within one record that are kept. Nothing real holds so many.
const MOST_RECORDS: usize = 1000;
/// The text that is kept of all of them, in bytes; the record itself is kept whole.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The text that is kept of each further one, in bytes.
const EXCERPT_BYTES: usize = 4096;
/// A longer way to a record is cut, in bytes.
const LONGEST_WAY_BYTES: usize = 200;

/// Takes the records that lie within the record of `advisory`: elements of its own name
/// with another identifier and further fields. One with an identifier alone is a
/// reference. The advisory says under `unrecognised` where they are.
pub(super) fn taken(
    rules: &Rules,
    text: &str,
    root: &Node<'_>,
    advisory: &mut Advisory,
) -> Vec<Other> {
    let mut search = Search {
        rules,
        text,
        root,
        way: Vec::new(),
        said: &advisory.said,
        room: MOST_BYTES,
        found: Vec::new(),
        ways: BTreeMap::new(),
        more: 0,
    };
    search.walk(root);
    let Search {
        found, ways, more, ..
    } = search;
    for (way, mut saids) in ways {
        if more > 0 {
            saids.push(format!("{} within", counted(more, "more record")));
        }
        advisory.unrecognised.insert(way, saids.join("; "));
    }
    found
}

struct Search<'s> {
    rules: &'s Rules,
    text: &'s str,
    root: &'s Node<'s>,
    /// Names of the elements around, without that of the record.
    way: Vec<&'s str>,
    said: &'s str,
    room: usize,
    found: Vec<Other>,
    /// Identifiers by the names that lead to them.
    ways: BTreeMap<String, Vec<String>>,
    more: usize,
}

impl<'s> Search<'s> {
    fn walk(&mut self, node: &'s Node<'s>) {
        for child in &node.children {
            self.way.push(&child.name);
            if child.key == self.root.key {
                self.record(child);
            }
            self.walk(child);
            self.way.pop();
        }
    }

    fn record(&mut self, node: &'s Node<'s>) {
        /// Named under one way, at most.
        const MOST_NAMED: usize = 10;
        let said = own(self.rules, node).into_iter().map(str::trim);
        let Some(said) = said.into_iter().find(|said| *said != self.said) else {
            return;
        };
        if !is_whole(self.rules, node) {
            return;
        }
        if self.found.len() >= MOST_RECORDS {
            self.more += 1;
            return;
        }
        let named = self.ways.entry(self.name()).or_default();
        if named.len() < MOST_NAMED && named.iter().all(|known| known != said) {
            named.push(said.to_owned());
        }
        let raw = self.text.get(node.place.clone()).unwrap_or_default();
        let length = if raw.len() <= self.room {
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
pub(super) fn is_whole(rules: &Rules, node: &Node<'_>) -> bool {
    let is_about =
        |field: &&AliasField| !matches!(field, AliasField::Said | AliasField::UpstreamId);
    let fields = AliasField::ALL.iter().filter(is_about);
    let said = fields.filter(|field| {
        let found = rules.aliases.all(node, **field);
        found.into_iter().any(|one| !one.is_blank())
    });
    said.count() >= LEAST_FIELDS
}
