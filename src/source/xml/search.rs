//! Search: what the aliases of a field lead to in the tree of a record.

use super::alias::{Aliases, Path};
use super::tree::{NamedValue, XmlNode};
use crate::config::AliasField;

/// Attributes of these namespaces say how to read a document, not what it says.
const FOREIGN: [&str; 3] = ["xlink:", "xsi:", "xml:"];

impl Aliases {
    /// Everything in `record` that any name of `field` leads to, the best first.
    pub fn all<'n>(&self, record: &'n XmlNode<'n>, field: AliasField) -> Vec<NamedValue<'n>> {
        let paths = self.of(field).iter();
        paths.flat_map(|path| path.all(record)).collect()
    }

    /// The same, name by name.
    pub fn groups<'n>(
        &self,
        record: &'n XmlNode<'n>,
        field: AliasField,
    ) -> Vec<Vec<NamedValue<'n>>> {
        let groups = self.of(field).iter().map(|path| path.all(record));
        groups.filter(|group| !group.is_empty()).collect()
    }
}

impl Path {
    /// Everything in `record` that this path leads to. What is of another namespace
    /// than the record comes last: a `title` of its own is not that of a picture.
    pub fn all<'n>(&self, record: &'n XmlNode<'n>) -> Vec<NamedValue<'n>> {
        let mut found = Vec::new();
        visit_all(record, &self.parents, self, &mut found);
        if found.len() > 1 {
            let own = prefix(&record.name);
            found.sort_by_key(|one| is_other_namespace(one.name(), own));
        }
        found
    }
}

fn visit_all<'n>(
    node: &'n XmlNode<'n>,
    parents: &[u64],
    path: &Path,
    found: &mut Vec<NamedValue<'n>>,
) {
    if let Some((first, rest)) = parents.split_first() {
        for child in node.children.iter().filter(|child| child.key == *first) {
            visit_all(child, rest, path, found);
        }
        return;
    }
    let is_foreign = |name: &str| FOREIGN.iter().any(|prefix| name.starts_with(prefix));
    let attributes = node.attributes.iter().filter(|one| one.key == path.last);
    let attributes = attributes.filter(|one| !is_foreign(&one.name));
    found.extend(attributes.map(NamedValue::Attribute));
    if !path.attribute_only {
        let children = node.children.iter().filter(|child| child.key == path.last);
        found.extend(children.map(NamedValue::Element));
    }
}

fn prefix(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

fn is_other_namespace(name: &str, own: &str) -> bool {
    let prefix = prefix(name);
    !prefix.is_empty() && prefix != own
}
