use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::characters::is_forbidden;
use super::name::key;
use super::rules::Limits;

/// One element of a record: names as keys, text trimmed, references resolved,
/// line ends as line feeds.
#[derive(Debug, Default)]
pub(super) struct Node<'r> {
    pub key: u64,
    pub attributes: Vec<(u64, String)>,
    /// The element's own text, without that of its children.
    pub text: Cow<'r, str>,
    pub children: Vec<Node<'r>>,
}

/// What a name leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'n> {
    Attribute(&'n str),
    Element(&'n Node<'n>),
}

impl<'r> Node<'r> {
    /// Builds the tree of one record, or says why it is none.
    pub fn build(record: &'r str, limits: &Limits) -> Result<Self, String> {
        let mut reader = Reader::from_str(record);
        let mut open: Vec<Node<'r>> = Vec::new();
        let mut elements = 0;
        loop {
            let event = reader
                .read_event()
                .map_err(|error| format!("not well formed: {error}"))?;
            match event {
                Event::Start(tag) => {
                    count(&mut elements, open.len(), limits)?;
                    open.push(Node::begin(&tag, limits)?);
                }
                Event::Empty(tag) => {
                    count(&mut elements, open.len(), limits)?;
                    let node = Node::begin(&tag, limits)?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => return Ok(node),
                    }
                }
                Event::End(_) => {
                    let mut node = open.pop().ok_or("not well formed: an end tag too many")?;
                    node.end();
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => return Ok(node),
                    }
                }
                Event::Text(text) => append(&mut open, text.into_inner()),
                Event::CData(text) => append(&mut open, text.into_inner()),
                Event::GeneralRef(reference) => {
                    let letter = resolve(&reference)?;
                    append(&mut open, Cow::Owned(letter.to_string()));
                }
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
                Event::DocType(_) => return Err("a document type inside of a record".to_owned()),
                Event::Eof => return Err("the record is cut short".to_owned()),
            }
        }
    }

    fn begin(tag: &BytesStart<'_>, limits: &Limits) -> Result<Self, String> {
        let name = tag.name().0;
        if !name.starts_with(|first: char| first.is_alphabetic() || matches!(first, '_' | ':')) {
            return Err("not well formed: `<` that begins no element".to_owned());
        }
        let mut node = Node {
            key: key(name.as_bytes()),
            ..Node::default()
        };
        if tag.attributes_raw().trim_ascii().is_empty() {
            return Ok(node);
        }
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| format!("not well formed: {error}"))?;
            if node.attributes.len() == limits.attributes {
                return Err(format!(
                    "an element has more than {} attributes",
                    limits.attributes
                ));
            }
            let name = attribute.key.0;
            if name == "xmlns" || name.starts_with("xmlns:") {
                continue;
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| format!("not well formed: {error}"))?;
            if let Some(letter) = value.chars().find(|letter| is_forbidden(*letter)) {
                return Err(forbidden(letter));
            }
            let value = lines(value.trim()).into_owned();
            node.attributes.push((key(name.as_bytes()), value));
        }
        Ok(node)
    }

    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.text = match text {
            Cow::Borrowed(text) => lines(text.trim()),
            Cow::Owned(text) => Cow::Owned(lines(text.trim()).into_owned()),
        };
    }

    /// The attribute or the text of the child that has one of `names`, unless blank.
    pub fn value(&self, names: &[u64]) -> Option<&str> {
        names.iter().find_map(|name| {
            let attributes = self.attributes.iter().filter(|(key, _)| key == name);
            let children = self.children.iter().filter(|child| child.key == *name);
            attributes
                .map(|(_, value)| value.as_str())
                .chain(children.map(|child| &*child.text))
                .find(|text| !text.is_empty())
        })
    }

    /// The children that have one of `names`.
    pub fn named(&self, names: &'static [u64]) -> impl Iterator<Item = &Node<'r>> {
        self.children
            .iter()
            .filter(move |child| names.contains(&child.key))
    }

    /// Its text; where it has none of its own, that of its children, one a line.
    pub fn whole_text(&self) -> Cow<'_, str> {
        if !self.text.is_empty() || self.children.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        let texts: Vec<Cow<'_, str>> = self.children.iter().map(Node::whole_text).collect();
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        Cow::Owned(texts.join("\n").trim().to_owned())
    }
}

impl<'n> Found<'n> {
    /// Its text, possibly blank.
    pub fn text(self) -> &'n str {
        match self {
            Self::Attribute(text) => text,
            Self::Element(node) => &node.text,
        }
    }
}

fn count(elements: &mut usize, depth: usize, limits: &Limits) -> Result<(), String> {
    *elements += 1;
    if depth >= limits.depth {
        return Err(format!("elements are nested deeper than {}", limits.depth));
    }
    if *elements > limits.elements {
        return Err(format!("more than {} elements", limits.elements));
    }
    Ok(())
}

fn append<'r>(open: &mut [Node<'r>], text: Cow<'r, str>) {
    let Some(node) = open.last_mut() else {
        return;
    };
    if !node.text.is_empty() {
        node.text.to_mut().push_str(&text);
    } else if !text.trim_ascii().is_empty() {
        // White space at the beginning is trimmed anyway: containers stay empty.
        node.text = text;
    }
}

/// Line feeds only, whether a carriage return came literally or as `&#13;`.
fn lines(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, String> {
    let number = reference
        .resolve_char_ref()
        .map_err(|error| format!("not well formed: {error}"))?;
    let letter = match number {
        Some(letter) => letter,
        None => match &**reference {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            other => {
                return Err(format!(
                    "entity `&{other};` is not one of the five that XML has"
                ));
            }
        },
    };
    if is_forbidden(letter) {
        return Err(forbidden(letter));
    }
    Ok(letter)
}

/// Why a character cannot be part of a record.
pub(super) fn forbidden(letter: char) -> String {
    format!("control character U+{:04X}", u32::from(letter))
}
