//! Configuration sections: reads a table key by key and collects every error.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::places::{ReadKey, elsewhere};
pub(super) use super::quotes::configured_value;
use super::quotes::{as_written, without_parts};
use super::setting_error::{
    NOT_SHOWN, SettingError, close_to, may_be_secret, quoted, quoted_choice, quoted_name,
    shown_address, without_secrets,
};
use super::tree::{SettingNode, SettingValue};
use crate::config::advice::Advice;

/// Keys that are refused with advice; they are names, though they look like secrets.
const PASSWORD_KEYS: [&str; 2] = ["password", "proxy_password"];

/// Keys with an address.
const ADDRESSES: [&str; 4] = ["url", "read_url", "base_url", "proxy"];

/// A table being read. Each key is removed when it is read; keys that remain are unknown.
pub(super) struct Section<'m> {
    path: String,
    /// Name for error messages ("watch list 4"), where the path alone would not be clear.
    label: Option<String>,
    origin: Arc<str>,
    nodes: BTreeMap<String, SettingNode>,
    /// Whether the value is a table; if not, that is the only error worth reporting.
    is_table: bool,
    known: Vec<&'static str>,
    /// The keys that were read, for errors that are found later.
    read: BTreeMap<&'static str, ReadKey>,
    errors: &'m mut Vec<SettingError>,
}

impl<'m> Section<'m> {
    /// The whole configuration.
    pub(super) fn root(node: SettingNode, errors: &'m mut Vec<SettingError>) -> Self {
        Self::new(String::new(), node, errors)
    }

    fn new(path: String, node: SettingNode, errors: &'m mut Vec<SettingError>) -> Self {
        let mut section = Self {
            path,
            label: None,
            origin: Arc::clone(&node.origin),
            nodes: BTreeMap::new(),
            is_table: true,
            known: Vec::new(),
            read: BTreeMap::new(),
            errors,
        };
        if let Some(SettingValue::Table(nodes)) = node.expanded().map(|node| node.value) {
            section.nodes = nodes;
        } else {
            section.is_table = false;
            section.errors.push(SettingError {
                origin: node.origin,
                key: section.path.clone(),
                text: "expected a table of keys and values".into(),
            });
        }
        section
    }

    /// Sets the name of this table in error messages.
    pub(super) fn call(&mut self, label: String) {
        if !may_be_secret(&label) {
            self.label = Some(label);
        }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.into()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn take(&mut self, key: &'static str) -> Option<SettingNode> {
        self.known.push(key);
        let node = self.nodes.remove(key)?;
        self.read.insert(key, ReadKey::of(&node));
        Some(node)
    }

    /// Reads an optional key; if the value is invalid, the error of `read` says what is expected.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&SettingNode) -> Result<T, Advice>,
    ) -> Option<T> {
        let node = self.take(key)?;
        match read(&node) {
            Ok(value) => Some(value),
            Err(advice) => {
                self.refuse_value(&node, key, &advice);
                None
            }
        }
    }

    /// Reports a value, or the entry of a list that is wrong in it.
    fn refuse_value(&mut self, node: &SettingNode, key: &str, advice: &Advice) {
        let origin = advice.at.as_ref().unwrap_or(&node.origin);
        if advice.text.contains('\n') {
            self.invalid(origin, key, &advice.text);
            return;
        }
        let origin = Arc::clone(origin);
        let advice = advice.with(without_parts(&advice.text, node));
        let given = configured_value(node);
        let written = as_written(node, &given, &advice);
        let (given, advice) = written.unwrap_or((given, advice));
        self.wrong_at(&origin, key, &given, &advice);
    }

    /// Where a key is written; where the table is, if it is not. Of a list, the entry that
    /// has this text.
    fn place(&self, key: &str, item: Option<&str>) -> Arc<str> {
        let Some(read) = self.read.get(key) else {
            return Arc::clone(&self.origin);
        };
        let item = item.and_then(|item| read.items.iter().find(|(text, _)| text == item));
        Arc::clone(item.map_or(&read.origin, |(_, origin)| origin))
    }

    /// Reads a key that has a default.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&SettingNode) -> Result<T, Advice>,
    ) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// Reads a key whose value must not be shown; of an address, the host is.
    pub(super) fn secret<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&SettingNode) -> Result<T, Advice>,
    ) -> Option<T> {
        let node = self.take(key)?;
        match read(&node) {
            Ok(value) => Some(value),
            Err(advice) => {
                let is_address = ADDRESSES.contains(&key);
                let given = Some(configured_value(&node)).filter(|_| is_address);
                let given = given.and_then(|given| shown_address(&given));
                let given = given.unwrap_or_else(|| NOT_SHOWN.to_owned());
                self.wrong_at(&node.origin, key, &given, &advice);
                None
            }
        }
    }

    /// Where the table begins.
    pub(super) fn begin(&self) -> Arc<str> {
        Arc::clone(&self.origin)
    }

    /// Whether the key is present and not yet read.
    pub(super) fn has(&self, key: &str) -> bool {
        self.nodes.contains_key(key)
    }

    /// Whether a table that was not read yet has this entry.
    pub(super) fn has_entry(&self, key: &str, entry: &str) -> bool {
        let table = self.nodes.get(key).and_then(SettingNode::expanded);
        matches!(table.map(|node| node.value), Some(SettingValue::Table(table)) if table.contains_key(entry))
    }

    /// The text of a key that was not read yet.
    pub(super) fn peek(&self, key: &str) -> Option<String> {
        match &self.nodes.get(key)?.value {
            SettingValue::Raw(text) | SettingValue::Plain(toml::Value::String(text)) => {
                Some(text.clone())
            }
            _ => None,
        }
    }

    /// Replaces the text of a key that was not read yet.
    pub(super) fn replace(&mut self, key: &str, text: &str) {
        if let Some(node) = self.nodes.get_mut(key) {
            node.value = SettingValue::Plain(toml::Value::String(text.to_owned()));
        }
    }

    /// Adds a key that is absent. Of a table, the entries that are absent are added if
    /// `entries` is set.
    pub(super) fn fill(&mut self, key: &str, node: SettingNode, entries: bool) {
        let Some(present) = self.nodes.get_mut(key) else {
            self.nodes.insert(key.to_owned(), node);
            return;
        };
        if let (true, SettingValue::Table(ours), SettingValue::Table(theirs)) =
            (entries, &mut present.value, node.value)
        {
            for (key, node) in theirs {
                ours.entry(key).or_insert(node);
            }
        }
    }

    /// Whether it is an empty table.
    pub(super) fn is_empty(&self) -> bool {
        self.is_table && self.nodes.is_empty()
    }

    /// Whether the key, not yet read, holds a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        let node = self.nodes.get(key).and_then(SettingNode::expanded);
        matches!(node.map(|node| node.value), Some(SettingValue::List(_)))
    }

    /// All remaining keys, for tables with user-defined keys.
    pub(super) fn rest(&mut self) -> BTreeMap<String, SettingNode> {
        std::mem::take(&mut self.nodes)
    }

    /// Reports a key that is not allowed here, with the reason.
    pub(super) fn refuse(&mut self, key: &'static str, why: &str) {
        if let Some(node) = self.nodes.remove(key) {
            self.push(&node.key_origin, key, why.into());
        }
    }

    /// Reports a value that was parsed but is invalid.
    pub(super) fn wrong(&mut self, key: &str, given: &str, advice: &str) {
        let origin = self.place(key, Some(given));
        self.wrong_at(&origin, key, given, &advice.into());
    }

    pub(super) fn wrong_at(&mut self, origin: &Arc<str>, key: &str, given: &str, advice: &Advice) {
        let is_short = advice.wanted.is_short();
        let advice = without_secrets(&advice.text, given);
        let given = if is_short {
            quoted_choice(given)
        } else {
            quoted(given)
        };
        let text = match &self.label {
            Some(label) => format!("{label} has {} `{given}`; {advice}", self.shown(key)),
            None => format!("got `{given}`; {advice}"),
        };
        self.push(origin, key, text);
    }

    /// Reports an invalid value without showing it.
    pub(super) fn unusable(&mut self, key: &str, why: &str) {
        let origin = self.place(key, None);
        let text = match &self.label {
            Some(label) => format!("{label} has a {} that {why}", self.shown(key)),
            None => why.to_owned(),
        };
        self.push(&origin, key, text);
    }

    /// Reports a value that the advice shows with the place of the error.
    fn invalid(&mut self, origin: &Arc<str>, key: &str, advice: &str) {
        let text = match &self.label {
            Some(label) => format!("{label}: {} is not valid: {advice}", self.shown(key)),
            None => format!("not valid: {advice}"),
        };
        self.push(origin, key, text);
    }

    /// Reports in the words of `text`, without the name of this table.
    pub(super) fn say(&mut self, key: &str, text: String) {
        let origin = self.place(key, None);
        self.push(&origin, key, text);
    }

    /// Reports an unknown key.
    pub(super) fn unknown(&mut self, node: &SettingNode, key: &str, advice: &str) {
        self.push(&node.key_origin, key, format!("unknown key; {advice}"));
    }

    /// Reports a missing required key.
    pub(super) fn missing(&mut self, key: &str, advice: &str) {
        if !self.is_table {
            return;
        }
        let origin = Arc::clone(&self.origin);
        let text = match &self.label {
            Some(label) => format!("{label} has no {}; {advice}", self.shown(key)),
            None => format!("missing; {advice}"),
        };
        self.push(&origin, key, text);
    }

    fn push(&mut self, origin: &Arc<str>, key: &str, text: String) {
        let key = self.key(&self.shown(key));
        self.errors.push(SettingError {
            origin: Arc::clone(origin),
            key,
            text,
        });
    }

    /// A key for messages. A secret may stand where a key is expected.
    fn shown(&self, key: &str) -> String {
        if self.known.contains(&key) || PASSWORD_KEYS.contains(&key) {
            return key.to_owned();
        }
        quoted_name(key)
    }

    /// A subtable; an empty one if it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'_> {
        let node = self
            .take(key)
            .unwrap_or_else(|| SettingNode::empty(&self.origin));
        let mut section = Section::new(self.key(key), node, self.errors);
        section.label.clone_from(&self.label);
        section
    }

    /// The tables of a list (`[[watch_lists]]`), in order.
    pub(super) fn each<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = self.take(key) else {
            return Vec::new();
        };
        let Some(SettingValue::List(list)) = node.expanded().map(|node| node.value) else {
            let advice = format!(
                "expected `[[{}]]` for each, or a list of tables",
                self.key(key)
            );
            self.wrong_at(&node.origin, key, &configured_value(&node), &advice.into());
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (index, node) in list.into_iter().enumerate() {
            let path = format!("{}[{}]", self.key(key), index + 1);
            let mut section = Section::new(path, node, self.errors);
            section.call(format!("entry {} of {key}", index + 1));
            entries.extend(read(section));
        }
        entries
    }

    /// Reports all remaining keys as unknown. Values are not shown: they may be secrets.
    pub(super) fn close(mut self) {
        for (key, node) in self.rest() {
            let text = match close_to(&key, self.known.iter().copied()) {
                Some(name) => format!("unknown key; did you mean `{name}`?"),
                None if self.path.is_empty() && elsewhere(&key).is_some() => {
                    let place = elsewhere(&key).unwrap_or_default();
                    format!("unknown key; did you mean `{place}`?")
                }
                None if self.known.is_empty() => "unknown key".into(),
                None => format!("unknown key; expected one of: {}", self.known.join(", ")),
            };
            self.push(&node.key_origin, &key, text);
        }
    }
}
