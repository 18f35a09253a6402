//! Merged settings: the configuration file overridden by environment variables.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting_error::{SettingError, quoted_name};

/// A value and its origin, a file or environment variable.
#[derive(Debug, Clone)]
pub(super) struct SettingNode {
    pub(super) origin: Arc<str>,
    /// Where its key is written; that of the value where there is none.
    pub(super) key_origin: Arc<str>,
    pub(super) value: SettingValue,
}

/// The value of a node.
#[derive(Debug, Clone)]
pub(super) enum SettingValue {
    Table(BTreeMap<String, SettingNode>),
    List(Vec<SettingNode>),
    Plain(toml::Value),
    /// The text of an environment variable; its type depends on the key.
    Raw(String),
}

/// Where values come from, its text, and where the lines of that end.
struct Place<'a> {
    name: &'a Arc<str>,
    text: &'a str,
    ends: Vec<usize>,
}

impl Place<'_> {
    /// The line and column of a value or key, counted from 1, if they are known.
    fn of<T>(&self, value: Option<&Spanned<T>>) -> Arc<str> {
        let Some(start) = value.map(|value| value.span().start) else {
            return Arc::clone(self.name);
        };
        let line = self.ends.partition_point(|end| *end < start);
        let begin = line
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] + 1);
        let column = self
            .text
            .get(begin..start)
            .map_or(0, |text| text.chars().count());
        Arc::from(format!("{}:{}:{}", self.name, line + 1, column + 1))
    }
}

/// Prefix of the environment variables that are settings.
pub(super) const PREFIX: &str = "ADVISORYD_";

impl SettingNode {
    fn new(origin: &Place<'_>, value: toml::Value, span: Option<&Spanned<DeValue<'_>>>) -> Self {
        let inner = span.map(Spanned::get_ref);
        let shown = origin.of(span);
        let value = match value {
            toml::Value::Table(table) => SettingValue::Table(Self::entries(
                origin,
                table,
                inner.and_then(DeValue::as_table),
            )),
            toml::Value::Array(list) => {
                let list = list.into_iter().enumerate().map(|(at, value)| {
                    let span = inner.and_then(DeValue::as_array);
                    Self::new(origin, value, span.and_then(|list| list.get(at)))
                });
                SettingValue::List(list.collect())
            }
            plain => SettingValue::Plain(plain),
        };
        Self {
            key_origin: Arc::clone(&shown),
            origin: shown,
            value,
        }
    }

    fn entries(
        origin: &Place<'_>,
        table: toml::Table,
        spans: Option<&DeTable<'_>>,
    ) -> BTreeMap<String, Self> {
        let entries = table.into_iter().map(|(key, value)| {
            let span = spans.and_then(|spans| spans.get_key_value(&*key));
            let mut node = Self::new(origin, value, span.map(|(_, value)| value));
            if let Some((name, _)) = span {
                node.key_origin = origin.of(Some(name));
            }
            (key, node)
        });
        entries.collect()
    }

    /// An empty table.
    pub(super) fn empty(origin: &Arc<str>) -> Self {
        Self {
            origin: Arc::clone(origin),
            key_origin: Arc::clone(origin),
            value: SettingValue::Table(BTreeMap::new()),
        }
    }

    /// Whether anything is set in it, however deep.
    pub(super) fn has_values(&self) -> bool {
        match &self.value {
            SettingValue::Table(entries) => entries.values().any(Self::has_values),
            _ => true,
        }
    }

    /// Parses a file. A syntax error names line and column, but does not repeat
    /// the line, which may contain a secret.
    pub(super) fn parse(origin: &Arc<str>, text: &str) -> Result<Self, SettingError> {
        // Windows editors add a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match text.parse::<toml::Table>() {
            Ok(table) => Ok(Self::of_file(origin, text, table)),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let (line, column) = position(text, start);
                Err(SettingError::whole(
                    format!("{origin}:{line}:{column}"),
                    format!("invalid TOML: {}", error.message().replace('\n', ", ")),
                ))
            }
        }
    }

    /// A file whose settings know their lines. The file itself is not a line.
    fn of_file(origin: &Arc<str>, text: &str, table: toml::Table) -> Self {
        let lines = Place {
            name: origin,
            text,
            ends: text.match_indices('\n').map(|(at, _)| at).collect(),
        };
        // The same text was parsed before.
        let spans = DeTable::parse(text).ok();
        let entries = Self::entries(&lines, table, spans.as_ref().map(Spanned::get_ref));
        Self {
            origin: Arc::clone(origin),
            key_origin: Arc::clone(origin),
            value: SettingValue::Table(entries),
        }
    }

    /// The text of a variable parsed as TOML (`[{id=4}]`), where a list or table is expected.
    pub(super) fn expanded(&self) -> Option<Self> {
        let SettingValue::Raw(text) = &self.value else {
            return Some(self.clone());
        };
        let mut table = format!("it = {text}").parse::<toml::Table>().ok()?;
        let value = table.remove("it").filter(|_| table.is_empty())?;
        let origin = Place {
            name: &self.origin,
            text: "",
            ends: Vec::new(),
        };
        Some(Self::new(&origin, value, None))
    }

    /// Overrides one key of this table with a variable; `path` is the path of the key.
    fn set(&mut self, path: &[String], node: Self) {
        let Some((key, rest)) = path.split_first() else {
            *self = node;
            return;
        };
        if let Some(expanded) = self.expanded() {
            *self = expanded;
        }
        // Not a table: an error that its reader reports.
        if let SettingValue::Table(table) = &mut self.value {
            table
                .entry(key.clone())
                .or_insert_with(|| Self::empty(&node.origin))
                .set(rest, node);
        }
    }

    /// Applies the variables, which override the file; whole sections first, so
    /// that single keys override them.
    pub(super) fn overlay(&mut self, variables: &[(String, String)]) {
        let mut settings: Vec<(Vec<String>, Self)> = variables
            .iter()
            .filter_map(|(name, text)| {
                let path = name.strip_prefix(PREFIX)?;
                let shown = format!("{PREFIX}{}", quoted_name(path));
                let path = path.split("__").map(str::to_ascii_lowercase).collect();
                let shown: Arc<str> = Arc::from(shown);
                let node = Self {
                    key_origin: Arc::clone(&shown),
                    origin: shown,
                    value: SettingValue::Raw(text.clone()),
                };
                Some((path, node))
            })
            .collect();
        settings.sort_by_key(|(path, _)| path.len());
        for (path, node) in settings {
            self.set(&path, node);
        }
    }
}

/// Line and column of a byte, both counted from 1, in characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before: String = text
        .char_indices()
        .take_while(|(at, _)| *at < byte)
        .map(|(_, character)| character)
        .collect();
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |last| last.chars().count());
    (line, column + 1)
}
