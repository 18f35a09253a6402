//! Identifiers in elements beside the records of a document.

use super::envelope::{DocumentEnvelope, shown};
use super::partial::ValuePosition;
use super::rules::ParserRules;
use super::tree::XmlNode;

impl DocumentEnvelope {
    /// An element beside records that only names an advisory: what it says about the document
    /// counts, as of any other.
    pub fn pointer(&mut self, element: &[u8], node: &XmlNode<'_>) {
        let name = node.name.as_bytes();
        self.beside(element, node, 0, false);
        self.not_known(name, &node.joined(), ValuePosition::Element);
    }

    /// Notes the first value that is an identifier in an element beside records.
    pub fn carries(&mut self, rules: &ParserRules, node: &XmlNode<'_>) {
        if self.carrier.is_some() {
            return;
        }
        let is = |text: &str| rules.is_identifier(text.as_bytes());
        let mut attributes = node.attributes.iter();
        if let Some(found) = attributes.find(|one| is(&one.value)) {
            self.carrier = Some(format!("@{}", shown(found.name.as_bytes())));
        } else if is(&node.text) {
            self.carrier = Some(shown(node.name.as_bytes()));
        } else {
            let children = node.children.iter();
            children.for_each(|child| self.carries(rules, child));
        }
    }
}
