//! Taking a table apart key by key, collecting every mistake on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::setting_error::{SettingError, close_to, quoted};
use super::tree::{Node, Said};

/// A table being read. Each key is taken out; what is left at the end is unknown.
pub(super) struct Section<'m> {
    path: String,
    /// What an operator calls it ("watch list 4"), where the path alone would be a riddle.
    label: Option<String>,
    place: Arc<str>,
    nodes: BTreeMap<String, Node>,
    /// Whether it is a table at all; if not, that is the only mistake worth reporting.
    is_table: bool,
    known: Vec<&'static str>,
    /// Who said the keys that were taken, for errors that show only later.
    places: BTreeMap<&'static str, Arc<str>>,
    errors: &'m mut Vec<SettingError>,
}

impl<'m> Section<'m> {
    /// The whole configuration.
    pub(super) fn root(node: Node, errors: &'m mut Vec<SettingError>) -> Self {
        Self::new(String::new(), node, errors)
    }

    fn new(path: String, node: Node, errors: &'m mut Vec<SettingError>) -> Self {
        let mut section = Self {
            path,
            label: None,
            place: Arc::clone(&node.place),
            nodes: BTreeMap::new(),
            is_table: true,
            known: Vec::new(),
            places: BTreeMap::new(),
            errors,
        };
        if let Some(Said::Table(nodes)) = node.expanded().map(|node| node.value) {
            section.nodes = nodes;
        } else {
            section.is_table = false;
            section.errors.push(SettingError {
                place: node.place,
                key: section.path.clone(),
                text: "is not a table; write its keys and values".into(),
            });
        }
        section
    }

    /// Sets what an operator calls this table.
    pub(super) fn call(&mut self, label: String) {
        self.label = Some(label);
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.into()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let node = self.nodes.remove(key)?;
        self.places.insert(key, Arc::clone(&node.place));
        Some(node)
    }

    /// Reads an optional key; `read` says what to write instead when it does not like the value.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.take(key)?;
        match read(&node) {
            Ok(value) => Some(value),
            Err(advice) => {
                let said = said(&node);
                self.wrong_at(&node.place, key, &said, &advice);
                None
            }
        }
    }

    /// Reads a key that has a default.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// Reads a key whose value must not be shown.
    pub(super) fn secret<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.take(key)?;
        match read(&node) {
            Ok(value) => Some(value),
            Err(advice) => {
                self.wrong_at(&node.place, key, "[not shown]", &advice);
                None
            }
        }
    }

    /// Whether the key is there and not yet taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.nodes.contains_key(key)
    }

    /// Whether it is a table in which nothing is written.
    pub(super) fn is_empty(&self) -> bool {
        self.is_table && self.nodes.is_empty()
    }

    /// Whether the key, not yet taken, holds a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        let node = self.nodes.get(key).and_then(Node::expanded);
        matches!(node.map(|node| node.value), Some(Said::List(_)))
    }

    /// Every key that is left, for tables whose keys are the operator's own.
    pub(super) fn rest(&mut self) -> BTreeMap<String, Node> {
        std::mem::take(&mut self.nodes)
    }

    /// Takes a key that may not be written here, and says why.
    pub(super) fn refuse(&mut self, key: &'static str, why: &str) {
        if let Some(node) = self.nodes.remove(key) {
            self.push(&node.place, key, why.into());
        }
    }

    /// Reports a value that was readable and is wrong all the same.
    pub(super) fn wrong(&mut self, key: &str, said: &str, advice: &str) {
        let place = Arc::clone(self.places.get(key).unwrap_or(&self.place));
        self.wrong_at(&place, key, said, advice);
    }

    pub(super) fn wrong_at(&mut self, place: &Arc<str>, key: &str, said: &str, advice: &str) {
        let said = quoted(said);
        let text = match &self.label {
            Some(label) => format!("{label} has {key} `{said}`; {advice}"),
            None => format!("is `{said}`; {advice}"),
        };
        self.push(place, key, text);
    }

    /// Reports a value that is too long to be shown, or is not there to be shown.
    pub(super) fn unusable(&mut self, key: &str, why: &str) {
        let place = Arc::clone(self.places.get(key).unwrap_or(&self.place));
        let text = match &self.label {
            Some(label) => format!("{label} has a {key} that {why}"),
            None => why.to_owned(),
        };
        self.push(&place, key, text);
    }

    /// Reports a key that is not known here.
    pub(super) fn unknown(&mut self, node: &Node, key: &str, advice: &str) {
        self.push(&node.place, key, format!("is not known; {advice}"));
    }

    /// Reports a key that has to be there and is not.
    pub(super) fn missing(&mut self, key: &str, advice: &str) {
        if !self.is_table {
            return;
        }
        let place = Arc::clone(&self.place);
        let text = match &self.label {
            Some(label) => format!("{label} has no {key}; {advice}"),
            None => format!("is missing; {advice}"),
        };
        self.push(&place, key, text);
    }

    fn push(&mut self, place: &Arc<str>, key: &str, text: String) {
        let key = self.key(key);
        self.errors.push(SettingError {
            place: Arc::clone(place),
            key,
            text,
        });
    }

    /// A table inside this one; an empty one when it is not there.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'_> {
        let node = self.take(key).unwrap_or_else(|| Node::empty(&self.place));
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
        let Some(Said::List(list)) = node.expanded().map(|node| node.value) else {
            let advice = format!(
                "write `[[{}]]` for each, or a list of tables",
                self.key(key)
            );
            self.wrong_at(&node.place, key, &said(&node), &advice);
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (index, node) in list.into_iter().enumerate() {
            let path = format!("{}[{index}]", self.key(key));
            let mut section = Section::new(path, node, self.errors);
            section.call(format!("entry {} of {key}", index + 1));
            entries.extend(read(section));
        }
        entries
    }

    /// Reports what is left over as unknown. The value is not shown: it may be a secret.
    pub(super) fn close(mut self) {
        for (key, node) in self.rest() {
            let text = match close_to(&key, self.known.iter().copied()) {
                Some(name) => format!("is not a setting; did you mean `{name}`?"),
                None if self.known.is_empty() => "is not a setting".into(),
                None => format!("is not a setting; known here: {}", self.known.join(", ")),
            };
            self.push(&node.place, &key, text);
        }
    }
}

/// A value as the operator wrote it, more or less.
pub(super) fn said(node: &Node) -> String {
    match &node.value {
        Said::Raw(text) | Said::Plain(toml::Value::String(text)) => text.clone(),
        Said::Plain(value) => value.to_string(),
        Said::Table(_) => "{…}".into(),
        Said::List(_) => "[…]".into(),
    }
}
