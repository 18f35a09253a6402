//! What a record holds that no field has read: a text or attribute that no column
//! holds must not get lost in the raw text.

use std::collections::BTreeMap;

use super::tree::XmlNode;
use crate::model::{Advisory, counted, is_documented};

/// Names that are kept of one record and nobody knows.
const MOST_NAMES: usize = 32;
/// And that the vendor or CVRF documents: a document of CVRF has a few dozen.
const MOST_DOCUMENTED: usize = 64;
/// How much of what stands under one name is kept, in characters.
const LONGEST_TEXT_CHARS: usize = 200;
/// What stands deeper than so many bytes of a way is kept under its beginning.
const LONGEST_WAY_BYTES: usize = 200;

/// Adds what was not read, by the way to it from the record: `advisory/colour`.
/// Names of fields have no `/`, so none is mistaken for one.
pub(super) fn collect(record: &XmlNode<'_>, into: &mut BTreeMap<String, String>) {
    let mut leftovers = Leftovers {
        new: BTreeMap::new(),
        documented: BTreeMap::new(),
        way: record.name.to_string(),
        more: 0,
    };
    leftovers.own(record, "/text()");
    leftovers.visit_all(record);
    let Leftovers {
        new,
        documented,
        more,
        ..
    } = leftovers;
    let all = new.into_iter().chain(documented);
    into.extend(all.map(|(way, kept)| (way, kept.text)));
    if more > 0 {
        let way = format!("{}{}", record.name, Advisory::MORE);
        into.insert(way, counted(more, "more value"));
    }
}

struct Leftovers {
    new: BTreeMap<String, Kept>,
    documented: BTreeMap<String, Kept>,
    way: String,
    /// Texts whose names are too many.
    more: usize,
}

impl Leftovers {
    fn visit_all(&mut self, node: &XmlNode<'_>) {
        for attribute in node.attributes.iter().filter(|one| !one.is_taken.get()) {
            self.note(&format!("/@{}", attribute.name), &attribute.value);
        }
        for child in node.markup.iter().chain(&node.children) {
            let length = self.way.len();
            if length + child.name.len() > LONGEST_WAY_BYTES {
                self.deeper(child);
                continue;
            }
            self.way.push('/');
            self.way.push_str(&child.name);
            self.own(child, "");
            self.visit_all(child);
            self.way.truncate(length);
        }
    }

    /// What stands too deep, under the way to where that begins.
    fn deeper(&mut self, node: &XmlNode<'_>) {
        const END: &str = "/…";
        self.own(node, END);
        for attribute in node.attributes.iter().filter(|one| !one.is_taken.get()) {
            self.note(END, &attribute.value);
        }
        let children = node.markup.iter().chain(&node.children);
        children.for_each(|child| self.deeper(child));
    }

    fn own(&mut self, node: &XmlNode<'_>, end: &str) {
        if !node.is_taken.get() {
            self.note(end, &node.text);
        }
    }

    fn note(&mut self, end: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let way = format!("{}{end}", self.way);
        for known in [&mut self.new, &mut self.documented] {
            if let Some(kept) = known.get_mut(&way) {
                kept.add(text);
                return;
            }
        }
        let (new, documented) = (&mut self.new, &mut self.documented);
        let has_room = (new.len() < MOST_NAMES, documented.len() < MOST_DOCUMENTED);
        let known = match has_room {
            // Looking at every part of a name takes time.
            (false, false) => None,
            (_, has_room) if is_documented(&way) => has_room.then_some(documented),
            (has_room, _) => has_room.then_some(new),
        };
        match known {
            Some(known) => known.entry(way).or_default().add(text),
            None => self.more += 1,
        }
    }
}

/// Texts that stand under one name, each once.
#[derive(Default)]
struct Kept {
    text: String,
    chars: usize,
    /// Whether more stands there than is kept.
    is_cut: bool,
}

impl Kept {
    fn add(&mut self, text: &str) {
        const BETWEEN: &str = "; ";
        const CUT: char = '…';
        if self.is_cut || self.text.split(BETWEEN).any(|known| known == text) {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str(BETWEEN);
            self.chars += BETWEEN.len();
        }
        // One is for the mark.
        let room = LONGEST_TEXT_CHARS.saturating_sub(self.chars + 1);
        let mut chars = text.chars();
        self.text.extend(chars.by_ref().take(room));
        self.chars += text.chars().take(room).count();
        if chars.next().is_some() {
            self.is_cut = true;
            self.text.push(CUT);
        }
    }
}
