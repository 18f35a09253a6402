//! Elements of HTML within the values of a record: they belong to the text around them.

use std::borrow::Cow;

use super::lists::URLS;
use super::rules::ParserRules;
use super::tree::{Blanks, XmlNode, is_block, is_html};

/// Takes the elements of HTML into the texts that they stand in, so that a value is all of
/// its text in the order of the document. An element that an alias leads to is none of them.
pub(super) fn absorb(rules: &ParserRules, record: &mut XmlNode<'_>) {
    for child in &mut record.children {
        if visit(rules, child) {
            child.absorb();
        }
    }
}

/// Whether an element holds nothing but text and markup; in others, the children are absorbed.
fn visit(rules: &ParserRules, node: &mut XmlNode<'_>) -> bool {
    let is_value = |child: &XmlNode<'_>| !is_html(&child.name) || rules.aliases.mentions(child.key);
    let mut is_plain = !node.children.iter().any(is_value);
    let mut plain = Vec::with_capacity(node.children.len());
    for child in &mut node.children {
        plain.push(visit(rules, child));
    }
    is_plain &= plain.iter().all(|one| *one);
    if !is_plain {
        let children = node.children.iter_mut().zip(plain);
        children
            .filter(|(_, is_plain)| *is_plain)
            .for_each(|(child, _)| child.absorb());
    }
    is_plain
}

impl<'r> XmlNode<'r> {
    /// Makes the text of its children its own.
    fn absorb(&mut self) {
        if self.children.is_empty() {
            return;
        }
        self.within = Blanks {
            before: self.is_blank_before(),
            behind: self.is_blank_behind(),
        };
        self.text = Cow::Owned(self.joined().into_owned());
        self.markup = std::mem::take(&mut self.children);
        self.markup.iter().for_each(XmlNode::mark);
    }

    /// Whether white space stands at the beginning of its text, perhaps within its children.
    fn is_blank_before(&self) -> bool {
        let first = self.children.first().filter(|child| child.at == 0);
        let is_blank = |child: &Self| child.around.before || child.is_blank_before();
        self.within.before || first.is_some_and(is_blank)
    }

    /// The same of its end.
    fn is_blank_behind(&self) -> bool {
        let last = self.children.last();
        let last = last.filter(|child| child.at == self.text.len());
        let is_blank = |child: &Self| child.around.behind || child.is_blank_behind();
        self.within.behind || last.is_some_and(is_blank)
    }

    /// Whether markup breaks its text into lines.
    pub fn has_breaks(&self) -> bool {
        any(&self.markup, &|node| is_block(&node.name))
    }

    /// Whether markup in its text leads elsewhere.
    pub fn has_links(&self) -> bool {
        any(&self.markup, &|node| node.leads())
    }

    /// The markup in its text that leads elsewhere.
    pub fn links(&self) -> Vec<&XmlNode<'r>> {
        let mut found = Vec::new();
        collect(&self.markup, &mut found);
        found
    }

    /// The entries of a list that are marked as equals within a line, with nothing beside them.
    pub fn equals(&self) -> Option<&[Self]> {
        let (first, others) = self.markup.split_first()?;
        let are_equal = others.iter().all(|one| one.key == first.key);
        let are_equals = !others.is_empty() && are_equal && !self.has_text;
        (are_equals && !self.has_breaks()).then_some(&self.markup[..])
    }

    fn leads(&self) -> bool {
        let mut attributes = self.attributes.iter();
        attributes.any(|one| URLS.contains(&one.key) && !one.value.is_empty())
    }
}

fn any(nodes: &[XmlNode<'_>], is_wanted: &dyn Fn(&XmlNode<'_>) -> bool) -> bool {
    nodes
        .iter()
        .any(|node| is_wanted(node) || any(&node.children, is_wanted))
}

fn collect<'n, 'r>(nodes: &'n [XmlNode<'r>], into: &mut Vec<&'n XmlNode<'r>>) {
    for node in nodes {
        if node.leads() {
            into.push(node);
        }
        collect(&node.children, into);
    }
}
