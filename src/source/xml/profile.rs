//! The shape (profile) of a record.

use super::build::build;
use super::characters::storable;
use super::name::{key, keys};
use super::rules::ParserRules;
use super::tree::{NamedValue, XmlNode};
use crate::config::AliasField;

/// The shape of a record, for logs: nothing depends on it (contract §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Children named like the keys of the JSON API.
    JsonNames,
    /// The same keys, lists as repeated `list-item`, no attributes.
    Drf,
    /// Values partly in attributes.
    Attributes,
    /// CVRF 1.1 or 1.2.
    Cvrf,
    /// None of the four, but it carries an identifier.
    Other,
}

impl Profile {
    /// The name used in logs and by `simulate --profile`.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonNames => "json-names",
            Self::Drf => "drf",
            Self::Attributes => "attributes",
            Self::Cvrf => "cvrf",
            Self::Other => "other",
        }
    }

    /// Guesses the shape of a record; one that is not well formed is `Other`.
    pub(super) fn of(rules: &ParserRules, record: &[u8]) -> Self {
        let text = storable(record);
        let built = build(&text, rules);
        built.map_or(Self::Other, |built| Self::of_tree(rules, &built.root))
    }

    fn of_tree(rules: &ParserRules, tree: &XmlNode<'_>) -> Self {
        let list_item = key(b"list-item");
        let has_items = |node: &XmlNode<'_>| node.children.iter().any(|item| item.key == list_item);
        if tree.named(keys!["DocumentTracking"]).next().is_some() {
            return Self::Cvrf;
        }
        if tree.key == list_item || tree.children.iter().any(has_items) {
            return Self::Drf;
        }
        let named = rules.aliases.all(tree, AliasField::Said);
        let identity = |found: &&NamedValue<'_>| rules.is_identifier(found.text().as_bytes());
        match named.iter().find(identity) {
            Some(NamedValue::Attribute(_)) => Self::Attributes,
            Some(_) if tree.named(keys!["advisory_identifier"]).next().is_some() => Self::JsonNames,
            _ => Self::Other,
        }
    }
}
