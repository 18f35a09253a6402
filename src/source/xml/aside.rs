//! What an element is that no plan knows: a record of another name, a group of
//! records, something that must be kept, or of no interest.

use super::build::build;
use super::characters::storable;
use super::checks::is_page;
use super::finder::DEEPEST_RECORD;
use super::identity::{own, positions};
use super::plan::RecordLocation;
use super::repairs::shown;
use super::reported::{is_error, quoted, reported};
use super::rules::ParserRules;
use super::tree::XmlNode;
use crate::config::AliasField;

/// Where an element stands that no plan knows.
#[derive(Clone, Copy)]
pub(super) struct Aside<'a> {
    pub rules: &'a ParserRules,
    /// How many such elements it lies within.
    pub level: usize,
    /// Whether the document is known to have records at all.
    pub has_records: bool,
}

/// What such an element is.
pub(super) enum ElementRole<'t> {
    /// A record.
    Record,
    /// A group of records; with the name of the identifier of its own that it has beside
    /// them, if it looks like a record itself.
    Group(RecordLocation, Option<String>),
    /// It holds an identifier, or is damaged: it must not get lost.
    Kept,
    /// Sound, and of no interest.
    Plain(XmlNode<'t>),
    /// It reports an error.
    Error(String),
}

impl Aside<'_> {
    /// Judges an element, as text.
    pub fn judge<'t>(&self, element: &'t str) -> ElementRole<'t> {
        let contains_identifier = self.rules.words(element.as_bytes()).next().is_some();
        let Ok(built) = build(element, self.rules) else {
            return self.group(element, None).unwrap_or(ElementRole::Kept);
        };
        let root = built.root;
        if let Some(error) = reported(&root)
            && (!contains_identifier || is_error(root.name.as_bytes()))
        {
            return ElementRole::Error(error);
        }
        if is_page(root.name.as_bytes()) {
            let text = quoted(&root.whole_text());
            return ElementRole::Error(format!("a web page (`{}`): {text}", root.name));
        }
        if !contains_identifier {
            return if self.has_records && !built.repairs.is_empty() {
                ElementRole::Kept
            } else {
                ElementRole::Plain(root)
            };
        }
        if !own(self.rules, &root).is_empty() {
            return ElementRole::Record;
        }
        if let Some(group) = self.group(element, self.unknown_identifier(&root)) {
            return group;
        }
        if self.has_records {
            ElementRole::Kept
        } else {
            ElementRole::Plain(root)
        }
    }

    fn group<'t>(&self, element: &str, identifier: Option<String>) -> Option<ElementRole<'t>> {
        let plan = RecordLocation::of(self.rules, element.as_bytes());
        let is_group = plan.depth.is_some_and(|depth| depth > 0) && self.level < DEEPEST_RECORD;
        is_group.then_some(ElementRole::Group(plan, identifier))
    }

    /// The name of a child that is an identifier, of an element that also has a field of an
    /// advisory: then it is one, and what it holds are related ones.
    fn unknown_identifier(&self, root: &XmlNode<'_>) -> Option<String> {
        use AliasField::{Criticality, Description, ModifiedAt, ReleasedAt, Solution, Title};
        let fields = [
            Title,
            Criticality,
            Description,
            ModifiedAt,
            ReleasedAt,
            Solution,
        ];
        let is_field = |child: &&XmlNode<'_>| {
            let mut paths = fields
                .iter()
                .flat_map(|field| self.rules.aliases.of(*field));
            paths.any(|path| path.parents.is_empty() && path.last == child.key)
        };
        let mut leaves = root
            .children
            .iter()
            .filter(|child| child.children.is_empty());
        let identifier = leaves.find(|leaf| self.rules.is_identifier(leaf.text.as_bytes()))?;
        let mut children = root.children.iter().filter(is_field);
        children
            .any(|child| !child.joined().is_empty())
            .then(|| shown(&identifier.name))
    }
}

/// Whether a comment or processing instruction holds what looks like a record.
pub(super) fn hides_records(rules: &ParserRules, markup: &[u8]) -> bool {
    !positions(rules, &storable(markup)).is_empty()
}
