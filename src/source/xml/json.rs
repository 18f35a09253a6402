//! Advisories of the JSON API, mapped through the same aliases as the feed.

use std::borrow::Cow;

use serde_json::Value;

use super::characters::{are_allowed, replaced};
use super::error::UnreadableRecord;
use super::identity::{own, without_identifier};
use super::map;
use super::name::{key, keys};
use super::repairs::Repairs;
use super::reported::quoted;
use super::rules::{Limits, ParserRules};
use super::tree::XmlNode;
use crate::model::{Advisory, beginning, outgoing};

/// Keys under which an answer says what went wrong.
const SAYS: [&str; 4] = ["detail", "error", "message", "reason"];
/// The longest identifier that is kept of what cannot be read, in characters.
const LONGEST_KEY_CHARS: usize = 200;

/// Reads one advisory of the JSON API (contract §7): numbers or strings, keys
/// left out, nulls and unknown keys are all the same to it. Its names are the
/// first of every field's aliases, so the feed's table serves it too.
pub fn read_json(rules: &ParserRules, value: &Value) -> Result<Advisory, UnreadableRecord> {
    let unreadable = |reason| {
        let key = value["advisory_identifier"].as_str();
        let key = key.map(|key| beginning(key, LONGEST_KEY_CHARS).to_owned());
        UnreadableRecord {
            key,
            ..UnreadableRecord::new(reason)
        }
    };
    let (tree, repairs) = tree(value, &rules.limits).map_err(unreadable)?;
    if own(rules, &tree).is_empty() {
        let reason = without_identifier(rules, &tree);
        let says = message_of(value).map_or_else(String::new, |says| format!("; it says `{says}`"));
        return Err(unreadable(format!("{reason}{says}")));
    }
    // It has a column of its own.
    tree.named(keys!["custom_info"]).for_each(XmlNode::mark);
    let mut advisory = map::advisory(rules, &tree).map_err(unreadable)?;
    advisory.repaired(repairs.in_words());
    Ok(advisory)
}

/// What an answer that is no advisory says instead.
fn message_of(value: &Value) -> Option<String> {
    let mut texts = SAYS.iter().filter_map(|name| value.get(name)?.as_str());
    let text = texts.find(|text| !text.trim().is_empty())?;
    Some(quoted(&outgoing(text)))
}

/// A value as the element that upstream's XML renderer would make of it.
pub(super) fn tree<'v>(
    value: &'v Value,
    limits: &Limits,
) -> Result<(XmlNode<'v>, Repairs), String> {
    let mut reading = Reading {
        limits,
        elements: 0,
        repairs: Repairs::default(),
    };
    let node = reading.node("advisory", value, limits.depth)?;
    Ok((node, reading.repairs))
}

struct Reading<'l> {
    limits: &'l Limits,
    elements: usize,
    repairs: Repairs,
}

impl Reading<'_> {
    fn node<'v>(
        &mut self,
        name: &'v str,
        value: &'v Value,
        depth: usize,
    ) -> Result<XmlNode<'v>, String> {
        self.elements += 1;
        if depth == 0 {
            return Err("values are nested too deep".to_owned());
        }
        if self.elements > self.limits.elements {
            return Err(format!("more than {} values", self.limits.elements));
        }
        let mut node = XmlNode {
            name: self.name(name),
            key: key(name.as_bytes()),
            ..XmlNode::default()
        };
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                node.children.reserve_exact(self.room(fields.len()));
                for (name, value) in fields {
                    node.children.push(self.node(name, value, depth - 1)?);
                }
            }
            Value::Array(items) => {
                node.children.reserve_exact(self.room(items.len()));
                for item in items {
                    node.children.push(self.node("list-item", item, depth - 1)?);
                }
            }
            Value::String(text) => node.text = self.text(&node.name, text),
            Value::Bool(true) => node.text = Cow::Borrowed("true"),
            Value::Bool(false) => node.text = Cow::Borrowed("false"),
            other => node.text = other.to_string().into(),
        }
        Ok(node)
    }

    /// For how many of so many children space is reserved: a list that grows by doubling takes
    /// twice as much for a moment.
    fn room(&self, children: usize) -> usize {
        children.min(self.limits.elements.saturating_sub(self.elements))
    }

    /// A key as the name of an element: what is not understood is stored under it.
    fn name<'v>(&mut self, name: &'v str) -> Cow<'v, str> {
        if are_allowed(name) {
            return Cow::Borrowed(name);
        }
        let mut found = Repairs::default();
        let name = replaced(name, 0, &mut found);
        self.repairs.within(&name, &found);
        Cow::Owned(name)
    }

    /// A string as a record of a feed would have it. JSON may hold characters that
    /// XML may not; where they stand counts from the beginning of the string.
    fn text<'v>(&mut self, name: &str, text: &'v str) -> Cow<'v, str> {
        let text = text.trim();
        let is_plain = are_allowed(text);
        if is_plain && !text.contains('\r') {
            return Cow::Borrowed(text);
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        if is_plain {
            return Cow::Owned(text);
        }
        let mut found = Repairs::default();
        let text = replaced(&text, 0, &mut found);
        self.repairs.within(name, &found);
        Cow::Owned(text)
    }
}
