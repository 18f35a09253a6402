//! The element tree of one record, and the text of its elements.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

/// Elements that stand on lines of their own, as in HTML.
const BLOCKS: [&str; 27] = [
    "address",
    "article",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "para",
    "paragraph",
    "pre",
    "section",
    "table",
    "td",
    "th",
    "tr",
    "ul",
];
/// Elements that stand within a line, as in HTML.
const INLINE: [&str; 24] = [
    "a", "abbr", "acronym", "b", "big", "cite", "code", "del", "em", "font", "i", "ins", "kbd",
    "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "tt", "u",
];

/// One element: text trimmed, references resolved, line ends as line feeds.
#[derive(Debug, Default)]
pub(super) struct XmlNode<'r> {
    /// As written, with its namespace prefix.
    pub name: Cow<'r, str>,
    /// What names are compared by.
    pub key: u64,
    pub attributes: Vec<Attribute<'r>>,
    /// The element's own text, without that of its children.
    pub text: Cow<'r, str>,
    /// Whether that is more than white space.
    pub has_text: bool,
    pub children: Vec<XmlNode<'r>>,
    /// Elements of HTML that stood in its text and are now part of it.
    pub markup: Vec<XmlNode<'r>>,
    /// Where it stands in the own text of its parent.
    pub at: usize,
    /// The white space just outside of its tags.
    pub around: Blanks,
    /// The white space just inside of its tags.
    pub within: Blanks,
    /// Whether its own text was read.
    pub is_taken: Cell<bool>,
    /// Where it stands in the text of the record.
    pub span: Range<usize>,
}

/// Whether white space stands at the two ends of something. Texts are trimmed: this
/// says which words were apart.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Blanks {
    pub before: bool,
    pub behind: bool,
}

/// An attribute: its value trimmed, references resolved.
#[derive(Debug)]
pub(super) struct Attribute<'r> {
    /// As written, with its namespace prefix.
    pub name: Cow<'r, str>,
    /// What names are compared by.
    pub key: u64,
    pub value: Cow<'r, str>,
    /// Whether it was read.
    pub is_taken: Cell<bool>,
}

/// What a name leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum NamedValue<'n> {
    Attribute(&'n Attribute<'n>),
    Element(&'n XmlNode<'n>),
}

impl<'r> XmlNode<'r> {
    /// The attribute or the text of the child that has one of `names`, unless blank. It is
    /// then no longer left over, nor is what says the same under another of these names.
    pub fn value(&self, names: &[u64]) -> Option<Cow<'_, str>> {
        let value = self.peek(names)?;
        let attributes = self.attributes.iter();
        let attributes = attributes.filter(|one| names.contains(&one.key) && one.value == value);
        attributes.for_each(|one| one.is_taken.set(true));
        let children = self.children.iter();
        let children = children.filter(|one| names.contains(&one.key) && one.is_line());
        for child in children.filter(|one| one.joined() == value) {
            child.mark();
        }
        Some(value)
    }

    /// The same value, which stays left over.
    pub fn peek(&self, names: &[u64]) -> Option<Cow<'_, str>> {
        names.iter().find_map(|name| {
            let attributes = self.attributes.iter().filter(|one| one.key == *name);
            if let Some(attribute) = attributes.into_iter().find(|one| !one.value.is_empty()) {
                return Some(Cow::Borrowed(&*attribute.value));
            }
            let mut children = self.children.iter().filter(|one| one.key == *name);
            children.find(|one| one.is_line()).map(XmlNode::joined)
        })
    }

    /// Whether it holds text and no structure.
    pub fn is_line(&self) -> bool {
        let inline = || self.children.iter().all(|child| child.is_one_of(&INLINE));
        !self.text.is_empty() || !self.children.is_empty() && inline()
    }

    /// The children that have one of `names`.
    pub fn named(&self, names: &'static [u64]) -> impl Iterator<Item = &XmlNode<'r>> {
        self.children
            .iter()
            .filter(move |child| names.contains(&child.key))
    }

    /// The own text, which is then no longer left over.
    pub fn read(&self) -> &str {
        self.is_taken.set(true);
        &self.text
    }

    /// All its text in the order of the document, blocks on lines of their own.
    /// Children of an element that has no text of its own are blocks unless HTML
    /// has them within a line.
    pub fn whole_text(&self) -> Cow<'_, str> {
        self.mark();
        self.joined()
    }

    /// Marks all its text as read.
    pub fn mark(&self) {
        self.is_taken.set(true);
        self.children.iter().for_each(XmlNode::mark);
    }

    /// Marks it as read with everything in it, also attributes.
    pub fn mark_all(&self) {
        self.is_taken.set(true);
        self.attributes
            .iter()
            .for_each(|one| one.is_taken.set(true));
        self.markup.iter().for_each(XmlNode::mark_all);
        self.children.iter().for_each(XmlNode::mark_all);
    }

    /// The whole text, which stays left over.
    pub fn joined(&self) -> Cow<'_, str> {
        if self.children.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        let mut text = Flow::default();
        self.write(&mut text);
        Cow::Owned(text.written.trim().to_owned())
    }

    fn write(&self, out: &mut Flow) {
        let is_mixed = !self.text.is_empty();
        let mut from = 0;
        out.apart(self.within.before);
        for child in &self.children {
            out.push(&self.text[from..child.at]);
            from = child.at;
            let is_block = child.is_one_of(&BLOCKS) || !is_mixed && !child.is_one_of(&INLINE);
            if is_block {
                out.break_line();
                child.write(out);
                out.break_line();
            } else {
                out.apart(child.around.before);
                child.write(out);
                out.apart(child.around.behind);
            }
        }
        out.push(&self.text[from..]);
        out.apart(self.within.behind);
    }

    fn is_one_of(&self, names: &[&str]) -> bool {
        is_one_of(&self.name, names)
    }
}

/// Whether HTML has such an element in texts.
pub(super) fn is_html(name: &str) -> bool {
    is_block(name) || is_one_of(name, &INLINE)
}

/// Whether HTML has such an element on lines of its own.
pub(super) fn is_block(name: &str) -> bool {
    is_one_of(name, &BLOCKS)
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    let (_, local) = name.rsplit_once(':').unwrap_or(("", name));
    names.iter().any(|name| local.eq_ignore_ascii_case(name))
}

/// A text in the making.
#[derive(Default)]
struct Flow {
    written: String,
    /// Whether white space stands before what comes next.
    is_apart: bool,
}

impl Flow {
    /// Says whether white space comes.
    fn apart(&mut self, is_apart: bool) {
        self.is_apart |= is_apart;
    }

    /// Adds text; behind a line break blanks say nothing.
    fn push(&mut self, text: &str) {
        let out = &mut self.written;
        let text = if out.ends_with('\n') {
            text.trim_start_matches([' ', '\t', '\n'])
        } else {
            text
        };
        if text.is_empty() {
            return;
        }
        let is_joined = !out.is_empty() && !out.ends_with(char::is_whitespace);
        if std::mem::take(&mut self.is_apart) && is_joined && !text.starts_with(char::is_whitespace)
        {
            out.push(' ');
        }
        out.push_str(text);
    }

    fn break_line(&mut self) {
        let out = &mut self.written;
        out.truncate(out.trim_end_matches([' ', '\t']).len());
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
    }
}

impl Attribute<'_> {
    /// The value, which is then no longer left over.
    pub fn read(&self) -> &str {
        self.is_taken.set(true);
        &self.value
    }
}

impl<'n> NamedValue<'n> {
    /// As written, with its namespace prefix.
    pub fn name(self) -> &'n str {
        match self {
            Self::Attribute(attribute) => &attribute.name,
            Self::Element(node) => &node.name,
        }
    }

    /// What stands at one place: all text of an element that has no structure,
    /// else its own.
    pub fn line(self) -> Cow<'n, str> {
        match self {
            Self::Element(node) if node.is_line() => node.joined(),
            other => Cow::Borrowed(other.text()),
        }
    }

    /// Marks that as read.
    pub fn take_line(self) {
        match self {
            Self::Element(node) if node.is_line() => node.mark(),
            Self::Element(node) => node.is_taken.set(true),
            Self::Attribute(attribute) => attribute.is_taken.set(true),
        }
    }

    /// Its own text, possibly blank.
    pub fn text(self) -> &'n str {
        match self {
            Self::Attribute(attribute) => &attribute.value,
            Self::Element(node) => &node.text,
        }
    }

    /// Whether it holds nothing.
    pub fn is_blank(self) -> bool {
        let has_children = matches!(self, Self::Element(node) if !node.children.is_empty());
        self.text().is_empty() && !has_children
    }

    /// The same, which is then no longer left over.
    pub fn read(self) -> &'n str {
        match self {
            Self::Attribute(attribute) => attribute.read(),
            Self::Element(node) => node.read(),
        }
    }

    /// Marks its own text as read.
    pub fn mark(self) {
        self.read();
    }

    /// All its text, in the order of the document.
    pub fn whole_text(self) -> Cow<'n, str> {
        match self {
            Self::Attribute(attribute) => Cow::Borrowed(attribute.read()),
            Self::Element(node) => node.whole_text(),
        }
    }
}
