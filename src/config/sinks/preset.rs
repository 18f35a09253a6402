//! Presets of hooks: shipped sinks for Slack, PagerDuty, Jira and others. Each is a TOML
//! file that can be appended to the configuration as it is.

use crate::config::advice::{Advice, did_you_mean};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::section::Section;
use super::super::tree::{SettingNode, SettingValue};
use super::super::values::text;

/// A shipped sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name, a value of `kind` and `preset`.
    pub name: &'static str,
    /// The entry of `[[alerts.sinks]]` as TOML. Its first comment says what it is, the
    /// second one what it needs.
    pub text: &'static str,
}

macro_rules! presets {
    ($($name:literal)*) => {
        [$(Preset {
            name: $name,
            text: include_str!(concat!("presets/", $name, ".toml")),
        }),*]
    };
}

const PRESETS: [Preset; 15] = presets!(
    "slack" "teams" "mattermost" "discord" "google-chat" "telegram" "ntfy" "matrix"
    "pagerduty" "opsgenie" "jira" "servicenow" "splunk-hec" "sentinel" "elastic"
);

/// All presets: chats, paging, ticket systems, SIEM.
pub fn presets() -> impl Iterator<Item = Preset> {
    PRESETS.into_iter()
}

impl Preset {
    /// What it is, in a few words.
    pub fn title(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default();
        first.trim_start_matches('#').trim()
    }

    /// The keys that a user must set: `url_file`, `secrets.token`, `vars.project`.
    pub fn needs(&self) -> impl Iterator<Item = &'static str> {
        const PREFIX: &str = "# Needs:";
        let line = self.text.lines().find_map(|line| line.strip_prefix(PREFIX));
        let keys = line.unwrap_or_default().split([',', ' ']);
        keys.map(str::trim).filter(|key| !key.is_empty())
    }

    /// Fills in what the user has not set. `kind` is the name of the preset, or `hook`,
    /// which has the key `preset`.
    pub(super) fn apply(section: &mut Section<'_>, kind: &str) -> Option<Self> {
        let named = |name: &str| presets().find(|preset| preset.name == name);
        let preset = if kind == "hook" {
            section.optional("preset", |node| {
                let all: Vec<&str> = presets().map(|preset| preset.name).collect();
                let name = text(node)?;
                named(&name).ok_or_else(|| {
                    let close = did_you_mean(&name, &all);
                    Advice::choice(format!("expected one of {}{close}", all.join(", ")))
                })
            })?
        } else {
            named(kind)?
        };
        preset.fill(section);
        Some(preset)
    }

    fn fill(self, section: &mut Section<'_>) {
        let has_own = section.has("template_file");
        let has_url = section.has("url_file") || section.has("url");
        let has_path = section.peek("url").is_some_and(|url| url.contains("{{"));
        // The id of a transition depends on the user's workflow: there is no default.
        let reopens = self.name != "jira" || section.has_entry("vars", "reopen_transition");
        for (key, mut node) in self.entry() {
            if key == "reopen" && !reopens {
                continue;
            }
            if let ("vars", SettingValue::Table(vars)) = (key.as_str(), &mut node.value) {
                vars.retain(|name, _| !self.needs().any(|need| need == format!("vars.{name}")));
            }
            let is_needed = self
                .needs()
                .any(|need| need == key || (key == "secrets" && need.starts_with("secrets.")));
            let is_replaced = match key.as_str() {
                "name" | "kind" => true,
                "template" => has_own,
                "url" | "url_file" => has_url,
                "path" => has_path,
                _ => false,
            };
            if !is_needed && !is_replaced {
                section.fill(&key, node, key == "vars");
            }
        }
    }

    /// The keys of its entry.
    fn entry(self) -> BTreeMap<String, SettingNode> {
        let origin: Arc<str> = Arc::from(format!("preset `{}`", self.name));
        let mut found = SettingNode::parse(&origin, self.text)
            .ok()
            .map(|node| node.value);
        for key in ["alerts", "sinks"] {
            found = match found {
                Some(SettingValue::Table(mut table)) => table.remove(key).map(|node| node.value),
                other => other,
            };
        }
        match found {
            Some(SettingValue::List(list)) => {
                match list.into_iter().next().map(|node| node.value) {
                    Some(SettingValue::Table(entry)) => entry,
                    _ => BTreeMap::new(),
                }
            }
            _ => BTreeMap::new(),
        }
    }

    /// Reports secrets and variables that it needs and that are missing.
    pub(super) fn require<S>(
        self,
        section: &mut Section<'_>,
        secrets: &BTreeMap<String, S>,
        vars: &BTreeMap<String, String>,
    ) {
        for need in self.needs() {
            let advice = match need.split_once('.') {
                Some(("secrets", name)) if !secrets.contains_key(name) => {
                    let file = format!("{}-{}", self.name, name.replace('_', "-"));
                    format!(
                        "add the file or credential, such as `secrets = {{ {name} = \"{file}\" }}`"
                    )
                }
                Some(("vars", name)) if !vars.contains_key(name) => {
                    format!("add it, such as `vars = {{ {name} = \"…\" }}`")
                }
                None if need == "oauth2" && !section.has(need) => {
                    "add it, as `advisoryd sinks preset` shows".to_owned()
                }
                _ => continue,
            };
            section.missing(need, &advice);
        }
    }
}
