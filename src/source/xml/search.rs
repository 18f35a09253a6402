//! Searching a record for the values of a field.

use super::alias::{Aliases, Path};
use super::tree::{Found, Node};
use crate::config::AliasField;

impl Aliases {
    /// Everything in `record` that any name of `field` leads to, the best first.
    pub fn all<'n>(&self, record: &'n Node<'n>, field: AliasField) -> Vec<Found<'n>> {
        let mut found = Vec::new();
        for path in self.of(field) {
            walk(record, &path.parents, path, &mut found);
        }
        found
    }
}

impl Path {
    /// Everything in `record` that this path leads to.
    pub fn all<'n>(&self, record: &'n Node<'n>) -> Vec<Found<'n>> {
        let mut found = Vec::new();
        walk(record, &self.parents, self, &mut found);
        found
    }
}

fn walk<'n>(node: &'n Node<'n>, parents: &[u64], path: &Path, found: &mut Vec<Found<'n>>) {
    if let Some((first, rest)) = parents.split_first() {
        for child in node.children.iter().filter(|child| child.key == *first) {
            walk(child, rest, path, found);
        }
        return;
    }
    let named = |(name, value): &'n (u64, String)| (*name == path.last).then_some(value);
    let attributes = node.attributes.iter().filter_map(named);
    found.extend(attributes.map(|value| Found::Attribute(value)));
    if !path.attribute_only {
        let children = node.children.iter().filter(|child| child.key == path.last);
        found.extend(children.map(Found::Element));
    }
}
