//! The settings in effect, and where each comes from, for `advisoryd config show`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use url::Url;

use super::Config;
use super::environment::Environment;
use super::setting_error::{ConfigError, quoted_name, resembles_secret, shown_path};
use super::setting_source::{EffectiveSetting, SettingSource};
use super::tree::{PREFIX, SettingNode, SettingValue};

/// The sections in the order of the example.
const SECTIONS: [&str; 16] = [
    "upstream",
    "database",
    "state",
    "schedule",
    "feeds",
    "discovery",
    "watch_lists",
    "extra_feeds",
    "tickets",
    "enrichment",
    "freshness",
    "reconcile",
    "retention",
    "alerts",
    "http",
    "log",
];

/// The key of the token, which is in no file of the configuration.
const TOKEN: &str = "upstream.token";

impl Config {
    /// All keys, and what they do; those with a default are commented out.
    pub const EXAMPLE: &str = include_str!("../../config.example.toml");

    /// All settings of the file that this configuration was loaded from, and of the variables.
    /// No secret is among them.
    ///
    /// # Errors
    /// [`ConfigError`], if the file was changed meanwhile and cannot be read.
    pub fn effective(
        &self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<EffectiveSetting>, ConfigError> {
        let environment = Environment::sort(variables);
        let mut root = match &self.file {
            Some(file) => Self::parsed(file)?,
            None => SettingNode::empty(&"".into()),
        };
        root.overlay(&environment.settings);
        let mut all = BTreeMap::new();
        for (key, value) in self.defaults() {
            let setting = EffectiveSetting {
                key: key.clone(),
                value,
                ..EffectiveSetting::default()
            };
            all.insert(key, setting);
        }
        collect(String::new(), &root, &mut all);
        let token = self.token();
        all.insert(token.key.clone(), token);
        let mut all: Vec<EffectiveSetting> = all.into_values().collect();
        let place = |setting: &EffectiveSetting| {
            let section = setting.key.split(['.', '[']).next();
            SECTIONS.iter().position(|one| Some(*one) == section)
        };
        all.sort_by_key(|setting| place(setting).unwrap_or(SECTIONS.len()));
        Ok(all)
    }

    /// The defaults, by key. Some depend on the machine or on the name of the file.
    fn defaults(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        for (section, table) in example() {
            for (key, value) in table.as_table().into_iter().flatten() {
                put(format!("{section}.{key}"), value, &mut all);
            }
        }
        let schedule = &self.schedule;
        let own = [
            ("schedule.feeds", schedule.feeds.as_str()),
            ("schedule.full_feeds", schedule.full_feeds.as_str()),
            ("schedule.list_contents", schedule.list_contents.as_str()),
            ("schedule.tickets", schedule.tickets.as_str()),
            ("schedule.full_walk", schedule.full_walk.as_str()),
            (
                "enrichment.kev_schedule",
                self.enrichment.kev_schedule.as_str(),
            ),
            (
                "enrichment.epss_schedule",
                self.enrichment.epss_schedule.as_str(),
            ),
        ];
        all.extend(own.map(|(key, value)| (key.to_owned(), json!(value))));
        let dir = self.state.dir.display().to_string();
        all.insert("state.dir".to_owned(), json!(dir));
        all
    }

    fn token(&self) -> EffectiveSetting {
        let (source, origin) = self.upstream.token_sources.origin();
        EffectiveSetting {
            key: TOKEN.to_owned(),
            value: Value::Null,
            source,
            origin,
        }
    }
}

/// The example with the keys that show a default: `#key = value`, neither marked as an
/// example nor below a `#[[table]]`.
fn example() -> toml::Table {
    let mut text = String::new();
    let mut is_entry = false;
    for line in Config::EXAMPLE.lines() {
        let bare = line.strip_prefix('#').unwrap_or(line);
        if bare.starts_with('[') {
            is_entry = line.starts_with('#');
        }
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_key = bare
            .split_once(" = ")
            .is_some_and(|(key, _)| key.chars().all(is_name));
        if (is_key || bare.starts_with('[')) && !is_entry && !line.contains("# example") {
            text.push_str(bare);
            text.push('\n');
        }
    }
    // A test holds that it is valid.
    text.parse().unwrap_or_default()
}

fn put(key: String, value: &toml::Value, all: &mut BTreeMap<String, Value>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                put(format!("{key}.{name}"), value, all);
            }
        }
        other => {
            all.insert(key, as_json(other));
        }
    }
}

fn as_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(number) => json!(number),
        toml::Value::Float(number) => json!(number),
        toml::Value::Boolean(truth) => json!(truth),
        other => json!(other.to_string()),
    }
}

/// What is set.
fn collect(key: String, node: &SettingNode, all: &mut BTreeMap<String, EffectiveSetting>) {
    let expanded = match &node.value {
        // A number or a list is one; a text is rarely written in quotes.
        SettingValue::Raw(_) => node.expanded(),
        _ => None,
    };
    let node = expanded.as_ref().unwrap_or(node);
    match &node.value {
        SettingValue::Table(table) => {
            for (name, inner) in table {
                let name = quoted_name(name);
                let inner_key = if key.is_empty() {
                    name
                } else {
                    format!("{key}.{name}")
                };
                collect(inner_key, inner, all);
            }
        }
        SettingValue::List(list) if list.iter().any(is_table) => {
            for (inner, number) in list.iter().zip(1_usize..) {
                collect(format!("{key}[{number}]"), inner, all);
            }
        }
        _ => {
            let is_variable = node.origin.starts_with(PREFIX);
            let setting = EffectiveSetting {
                value: shown(&key, node),
                source: if is_variable {
                    SettingSource::Environment
                } else {
                    SettingSource::File
                },
                origin: Some(node.origin.to_string()),
                key: key.clone(),
            };
            all.insert(key, setting);
        }
    }
}

fn is_table(node: &SettingNode) -> bool {
    matches!(node.value, SettingValue::Table(_))
}

/// A value without secrets; null if it may be one.
fn shown(key: &str, node: &SettingNode) -> Value {
    match &node.value {
        // Arguments may be secret.
        SettingValue::List(list) if key.rsplit('.').next() == Some("program") => {
            let path = list.first().map(|item| shown(key, item));
            path.into_iter()
                .chain((list.len() > 1).then(|| json!("…")))
                .collect()
        }
        SettingValue::List(list) => list.iter().map(|item| shown(key, item)).collect(),
        SettingValue::Raw(text) | SettingValue::Plain(toml::Value::String(text)) => {
            shown_text(key, text)
        }
        SettingValue::Plain(value) => as_json(value),
        SettingValue::Table(_) => Value::Null,
    }
}

fn shown_text(key: &str, text: &str) -> Value {
    let parts: Vec<&str> = key.split('.').collect();
    let name = parts.last().copied().unwrap_or_default();
    let is_below = |table: &str| parts.iter().rev().skip(1).any(|part| *part == table);
    if is_below("headers") || is_below("secrets") {
        return Value::Null;
    }
    if name.ends_with("_file") || name == "dir" {
        return json!(shown_path(Path::new(text)));
    }
    if matches!(name, "url" | "read_url" | "proxy" | "kev" | "epss") && text.contains("://") {
        return address(text, key.starts_with("alerts.")).map_or(Value::Null, |text| json!(text));
    }
    if resembles_secret(text) {
        return Value::Null;
    }
    json!(text)
}

/// A URL without password and parameters; of a sink without its path, too, which may be a
/// secret.
fn address(text: &str, is_of_sink: bool) -> Option<String> {
    let mut url: Url = text.parse().ok()?;
    url.set_query(None);
    url.set_fragment(None);
    if url.password().is_some() {
        url.set_password(None).ok()?;
    }
    if is_of_sink {
        url.set_path("");
        if !url.username().is_empty() {
            url.set_username("").ok()?;
        }
    }
    Some(url.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::json;

    use super::{address, example, shown_text};

    #[test]
    fn the_example_is_read() {
        let example = example();
        assert_eq!(
            example["upstream"]["requests_per_minute"].as_integer(),
            Some(240)
        );
        assert!(example["upstream"].get("token_file").is_none());
        assert!(!example.contains_key("watch_lists"));
        assert_eq!(example["alerts"]["health"]["enabled"].as_bool(), Some(true));
    }

    #[test]
    fn secrets_are_not_shown_and_paths_are() {
        let shown = |key: &str, text: &str| shown_text(key, text);
        assert_eq!(
            shown("database.url", "postgres://me:hunter2@db/x?password=y"),
            json!("postgres://me@db/x")
        );
        assert_eq!(
            shown(
                "alerts.sinks[1].url",
                "https://chat.example/hook/Xy12?sig=1"
            ),
            json!("https://chat.example/")
        );
        assert_eq!(shown("alerts.sinks[1].headers.x-team", "soc"), json!(null));
        assert_eq!(
            shown("database.password_file", "/etc/advisoryd/database-password"),
            json!("/etc/advisoryd/database-password")
        );
        assert_eq!(
            shown("feeds.id_pattern", "SA[0-9]{1,7}"),
            json!("SA[0-9]{1,7}")
        );
        assert_eq!(shown("log.filter", "password=hunter2"), json!(null));
        assert_eq!(
            address("https://me:x@h.example/a", true).unwrap(),
            "https://h.example/"
        );
    }
}
