//! Builds the tree of one record. Damaged markup is read as far as it goes, and
//! what was repaired is said: an element without an end tag ends where its first
//! child begins, an end tag without a start tag is passed over. In a text, what has no
//! counterpart and is no markup of HTML is a word of it.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use super::attributes::Attributes;
use super::characters::{are_allowed, replaced};
use super::marks::END_TAG;
use super::name::key;
use super::references::resolved;
use super::repairs::{Repairs, shown};
use super::rules::{HEAD_BYTES, Limits, ParserRules};
use super::token::{MarkupToken, Next, TokenKind, next};
use super::tree::{Attribute, Blanks, XmlNode, is_block, is_html};
use super::trimming::{in_lines, tidy, trimmed};
use super::words::EndTags;

/// A record as a tree.
#[derive(Debug)]
pub(super) struct Built<'r> {
    pub root: XmlNode<'r>,
    pub repairs: Repairs,
    /// Where markup stands that is no element: CDATA sections, comments,
    /// processing instructions. What damage has put into one hides there.
    pub opaque: Vec<Range<usize>>,
    /// Tags that are words of a text.
    pub words: Vec<Range<usize>>,
}

/// Builds the tree of a record, or says why it is none.
pub(super) fn build<'r>(record: &'r str, rules: &ParserRules) -> Result<Built<'r>, String> {
    let mut builder = Builder {
        record,
        rules,
        is_clean: are_allowed(record),
        open: Vec::new(),
        root: None,
        elements: 0,
        since_tag: SinceTag::default(),
        repairs: Repairs::default(),
        opaque: Vec::new(),
        words: Vec::new(),
        end_tags: EndTags::default(),
    };
    let mut at = 0;
    loop {
        match next(record.as_bytes(), at) {
            Next::Token(token) => {
                builder.text(at, token.start);
                builder.token(&token)?;
                at = token.end;
            }
            Next::More { from } => {
                builder.text(at, from);
                return builder.finish(from);
            }
        }
    }
}

struct Builder<'r, 'l> {
    record: &'r str,
    rules: &'l ParserRules,
    /// Whether no character of the record has to be replaced.
    is_clean: bool,
    open: Vec<XmlNode<'r>>,
    root: Option<XmlNode<'r>>,
    elements: usize,
    /// What came since the last tag.
    since_tag: SinceTag,
    repairs: Repairs,
    opaque: Vec<Range<usize>>,
    words: Vec<Range<usize>>,
    end_tags: EndTags<'r>,
}

/// What came since the last tag.
#[derive(Default)]
struct SinceTag {
    has_text: bool,
    /// Whether white space is the last of it.
    ends_blank: bool,
}

impl<'r> Builder<'r, '_> {
    fn token(&mut self, token: &MarkupToken) -> Result<(), String> {
        match token.kind {
            TokenKind::Start if self.is_word(token) => {
                self.word(token);
                Ok(())
            }
            TokenKind::Start | TokenKind::Empty => self.begin(token),
            TokenKind::End => {
                self.end(token);
                Ok(())
            }
            TokenKind::Cdata => {
                let text = token.cdata(self.record.as_bytes());
                let start = token.end - text.len() - "]]>".len();
                self.append(start, &self.record[start..start + text.len()], false);
                self.opaque.push(token.start..token.end);
                Ok(())
            }
            TokenKind::Comment | TokenKind::Instruction => {
                let is_end = &self.record[token.start..token.end] == END_TAG;
                if let Some(root) = self.open.first().filter(|_| is_end) {
                    let what = format!("`<{}>` without an end tag", shown(&root.name));
                    self.repairs.structure(token.start, &what);
                }
                self.opaque.push(token.start..token.end);
                Ok(())
            }
            TokenKind::Doctype => {
                self.repairs
                    .structure(token.start, "a document type inside of the record");
                self.opaque.push(token.start..token.end);
                Ok(())
            }
        }
    }

    fn begin(&mut self, token: &MarkupToken) -> Result<(), String> {
        let Limits {
            depth, elements, ..
        } = self.rules.limits;
        self.elements += 1;
        if self.open.len() >= depth {
            return Err(format!("elements are nested deeper than {depth}"));
        }
        if self.elements > elements {
            return Err(format!("more than {elements} elements"));
        }
        if self.root.is_some() {
            return Err("a second element behind the record".to_owned());
        }
        let name = &self.record[token.start + 1..token.name_end];
        let node = XmlNode {
            name: Cow::Borrowed(name),
            key: key(name.as_bytes()),
            attributes: self.attributes(token)?,
            at: self.open.last().map_or(0, |parent| parent.text.len()),
            around: Blanks {
                before: std::mem::take(&mut self.since_tag).ends_blank,
                behind: false,
            },
            span: token.start..token.end,
            ..XmlNode::default()
        };
        self.open.push(node);
        if token.kind == TokenKind::Empty {
            self.pop(token.end);
        }
        Ok(())
    }

    fn attributes(&mut self, token: &MarkupToken) -> Result<Vec<Attribute<'r>>, String> {
        let record = self.record;
        let raw = token.attributes(record.as_bytes());
        if raw.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        let mut attributes = Vec::new();
        let mut is_sound = true;
        for found in Attributes::new(raw) {
            is_sound &= found.is_sound;
            if attributes.len() == self.rules.limits.attributes {
                let limit = self.rules.limits.attributes;
                return Err(format!("an element has more than {limit} attributes"));
            }
            // Names and values end at ASCII characters: they are text.
            let text = |bytes: &[u8], at: usize| &record[at..at + bytes.len()];
            let name = text(found.name, token.name_end + found.name_at);
            if name == "xmlns" || name.starts_with("xmlns:") || name.is_empty() {
                continue;
            }
            let value_at = token.name_end + found.value_at;
            let value = found.value.map_or("", |value| text(value, value_at));
            attributes.push(Attribute {
                name: Cow::Borrowed(name),
                key: key(name.as_bytes()),
                value: self.value(value, value_at),
                is_taken: Cell::new(false),
            });
        }
        if !is_sound {
            let name = shown(&record[token.start + 1..token.name_end]);
            self.repairs
                .structure(token.start, &format!("malformed attributes of `{name}`"));
        }
        Ok(attributes)
    }

    /// The value of an attribute. Line ends in it are blanks, unless they are
    /// written as references.
    fn value(&mut self, raw: &'r str, at: usize) -> Cow<'r, str> {
        let is_line_end = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r');
        let value = if raw.as_bytes().iter().any(is_line_end) {
            let raw = raw.replace("\r\n", " ").replace(['\t', '\n', '\r'], " ");
            let value = resolved(&raw, at, self.is_clean, &mut self.repairs);
            Cow::Owned(value.into_owned())
        } else {
            resolved(raw, at, self.is_clean, &mut self.repairs)
        };
        in_lines(trimmed(value))
    }

    fn end(&mut self, token: &MarkupToken) {
        let name = &self.record[token.start + 2..token.name_end];
        let is_last = token.end == self.record.len();
        let rest = &self.record[token.name_end..token.end - 1];
        if !rest.trim_ascii().is_empty() {
            let what = format!("malformed end tag of `{}`", shown(name));
            self.repairs.structure(token.start, &what);
        }
        match self.open.iter().rposition(|open| open.name == name) {
            // Only the last tag ends the record.
            Some(index) if index > 0 || is_last => {
                while self.open.len() > index + 1 {
                    self.hoist(token.start);
                }
                self.pop(token.end);
            }
            _ if self.is_word(token) => self.word(token),
            _ => {
                let what = format!("`</{}>` without a start tag", shown(name));
                let key = key(name.as_bytes());
                self.repairs.element(token.start, &what, key);
                if is_block(name) {
                    self.append(token.start, "\n", false);
                }
            }
        }
    }

    fn is_word(&mut self, token: &MarkupToken) -> bool {
        let (rules, record) = (self.rules, self.record);
        self.end_tags.is_word(rules, record, &self.open, token)
    }

    /// Takes a tag as a word of the text that it stands in.
    fn word(&mut self, token: &MarkupToken) {
        let word = &self.record[token.start..token.end];
        let what = format!("`{}` without a counterpart, read as text", shown(word));
        self.repairs
            .element(token.start, &what, key(token.name(self.record.as_bytes())));
        self.words.push(token.start..token.end);
        self.append(token.start, word, false);
    }

    /// Ends the innermost element at byte `end`.
    fn pop(&mut self, end: usize) {
        let Some(mut node) = self.open.pop() else {
            return;
        };
        node.span.end = end;
        node.within.behind = std::mem::take(&mut self.since_tag).ends_blank;
        tidy(&mut node);
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = Some(node),
        }
    }

    /// Ends the innermost element, whose end tag is missing, where its first
    /// child begins: the rest is its parent's.
    fn hoist(&mut self, at: usize) {
        let Some(mut node) = self.open.pop() else {
            return;
        };
        let what = format!("`<{}>` without an end tag", shown(&node.name));
        self.repairs.element(at, &what, node.key);
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        // In a text it ends with what it stands in, as in a browser.
        let is_in_text = is_html(&node.name) && node.children.iter().all(|one| is_html(&one.name));
        if is_in_text && !node.children.is_empty() {
            tidy(&mut node);
            parent.children.push(node);
            return;
        }
        let children = std::mem::take(&mut node.children);
        let own = children.first().map_or(node.text.len(), |child| child.at);
        let rest = node.text[own..].to_owned();
        node.text = Cow::Owned(node.text[..own].to_owned());
        tidy(&mut node);
        parent.children.push(node);
        let shift = parent.text.len();
        parent.text.to_mut().push_str(&rest);
        for mut child in children {
            child.at = shift + (child.at - own);
            parent.children.push(child);
        }
    }

    fn text(&mut self, from: usize, to: usize) {
        if from < to {
            self.append(from, &self.record[from..to], true);
        }
    }

    fn append(&mut self, at: usize, raw: &'r str, has_references: bool) {
        let is_blank = raw.trim_ascii().is_empty();
        let Some(node) = self.open.last() else {
            if !is_blank {
                self.repairs.structure(at, "text outside of the record");
            }
            return;
        };
        // White space at the beginning is trimmed anyway: containers stay empty.
        let is_kept = !is_blank || !node.text.is_empty();
        if !is_blank
            && has_references
            && let Some(found) = memchr::memchr(b'<', raw.as_bytes())
        {
            self.repairs.note(at + found, "bare `<`");
        }
        let text = if has_references {
            resolved(raw, at, self.is_clean, &mut self.repairs)
        } else if self.is_clean {
            Cow::Borrowed(raw)
        } else {
            Cow::Owned(replaced(raw, at, &mut self.repairs))
        };
        self.note_blanks(&text);
        if is_kept && let Some(node) = self.open.last_mut() {
            node.has_text |= !is_blank;
            if node.text.is_empty() {
                node.text = text;
            } else {
                node.text.to_mut().push_str(&text);
            }
        }
    }

    /// Notes the white space at the ends of a text: between it and the tag before it, and
    /// before what comes next.
    fn note_blanks(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let is_first = !std::mem::replace(&mut self.since_tag.has_text, true);
        self.since_tag.ends_blank = text.ends_with(char::is_whitespace);
        if is_first
            && text.starts_with(char::is_whitespace)
            && let Some(node) = self.open.last_mut()
        {
            match node.children.last_mut() {
                Some(child) => child.around.behind = true,
                None => node.within.before = true,
            }
        }
    }

    fn finish(self, from: usize) -> Result<Built<'r>, String> {
        if from < self.record.len() || !self.open.is_empty() {
            let mut reason = "it is cut short".to_owned();
            if self.record.len() >= HEAD_BYTES {
                reason += "; of a record larger than 16 MiB only the beginning is kept";
            }
            return Err(reason);
        }
        let root = self.root.ok_or_else(|| {
            let reason = if self.opaque.is_empty() {
                "it contains no element"
            } else {
                "it stands in a comment or processing instruction"
            };
            reason.to_owned()
        })?;
        Ok(Built {
            root,
            repairs: self.repairs,
            opaque: self.opaque,
            words: self.words,
        })
    }
}
