//! Merged settings: the configuration file overridden by environment variables.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::setting_error::{SettingError, quoted_name};

/// A value and its origin, a file or environment variable.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Arc<str>,
    pub(super) value: Said,
}

/// The value of a node.
#[derive(Debug, Clone)]
pub(super) enum Said {
    Table(BTreeMap<String, Node>),
    List(Vec<Node>),
    Plain(toml::Value),
    /// The text of an environment variable; its type depends on the key.
    Raw(String),
}

/// Prefix of the environment variables that are settings.
pub(super) const PREFIX: &str = "ADVISORYD_";

impl Node {
    fn new(place: &Arc<str>, value: toml::Value) -> Self {
        let value = match value {
            toml::Value::Table(table) => Said::Table(
                table
                    .into_iter()
                    .map(|(key, value)| (key, Self::new(place, value)))
                    .collect(),
            ),
            toml::Value::Array(list) => Said::List(
                list.into_iter()
                    .map(|value| Self::new(place, value))
                    .collect(),
            ),
            plain => Said::Plain(plain),
        };
        Self {
            place: Arc::clone(place),
            value,
        }
    }

    /// An empty table.
    pub(super) fn empty(place: &Arc<str>) -> Self {
        Self {
            place: Arc::clone(place),
            value: Said::Table(BTreeMap::new()),
        }
    }

    /// Parses a file. A syntax error names line and column, but does not repeat
    /// the line, which may contain a secret.
    pub(super) fn parse(place: &Arc<str>, text: &str) -> Result<Self, SettingError> {
        // Windows editors add a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match text.parse::<toml::Table>() {
            Ok(table) => Ok(Self::new(place, toml::Value::Table(table))),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let (line, column) = position(text, start);
                Err(SettingError::whole(
                    format!("{place}:{line}:{column}"),
                    format!("invalid TOML: {}", error.message().replace('\n', ", ")),
                ))
            }
        }
    }

    /// The text of a variable parsed as TOML (`[{id=4}]`), where a list or table is expected.
    pub(super) fn expanded(&self) -> Option<Self> {
        let Said::Raw(text) = &self.value else {
            return Some(self.clone());
        };
        let mut table = format!("it = {text}").parse::<toml::Table>().ok()?;
        let value = table.remove("it").filter(|_| table.is_empty())?;
        Some(Self::new(&self.place, value))
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
        if let Said::Table(table) = &mut self.value {
            table
                .entry(key.clone())
                .or_insert_with(|| Self::empty(&node.place))
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
                let node = Self {
                    place: Arc::from(shown),
                    value: Said::Raw(text.clone()),
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
