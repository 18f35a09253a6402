//! Environment variables: `ADVISORYD_*` settings that override the configuration file.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::instance::InstanceDefaults;
use super::secret::keep_secrets_of;
use super::setting_error::{close_to, quoted_name};
use super::token::TOKEN_VARIABLE;
use super::tree::PREFIX;
use crate::model::keep_secret;

/// Path of the configuration file; not a key of the file itself.
const CONFIG_VARIABLE: &str = "ADVISORYD_CONFIG";
/// Set by systemd for units with `LoadCredential=`.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// Keys without a section; their variables therefore have no `__`.
const TOP_LEVEL: [&str; 2] = ["ADVISORYD_WATCH_LISTS", "ADVISORYD_EXTRA_FEEDS"];
/// Sections that may be set as a whole (`ADVISORYD_FEEDS='{overlap="1h"}'`).
const SECTIONS: [&str; 13] = [
    "UPSTREAM",
    "DATABASE",
    "STATE",
    "SCHEDULE",
    "FEEDS",
    "TICKETS",
    "HTTP",
    "LOG",
    "DISCOVERY",
    "RECONCILE",
    "RETENTION",
    "FRESHNESS",
    "ALERTS",
];

/// The environment variables that are part of the configuration.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// `$ADVISORYD_CONFIG`, unless empty.
    pub(super) config: Option<PathBuf>,
    /// `$CREDENTIALS_DIRECTORY`, unless empty.
    pub(super) credentials_dir: Option<PathBuf>,
    /// The content of `$ADVISORYD_UPSTREAM__TOKEN`.
    pub(super) token: Option<SecretString>,
    /// The folder of the configuration file, if there is one.
    pub(super) folder: Option<PathBuf>,
    /// Identifies the installation; empty if it does not matter.
    pub(super) installation: String,
    /// The instance of the configuration file.
    pub(super) instance: InstanceDefaults,
    /// Variables that set a key, by name.
    pub(super) settings: Vec<(String, String)>,
    /// Warnings for variables that look like settings but are unknown.
    pub(super) ignored: Vec<String>,
}

impl Environment {
    pub(super) fn sort(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            match name.as_str() {
                CONFIG_VARIABLE => environment.config = path(value),
                CREDENTIALS_VARIABLE => environment.credentials_dir = path(value),
                TOKEN_VARIABLE => environment.token = Some(SecretString::from(value)),
                _ if is_setting(&name) => environment.settings.push((name, value)),
                _ if name.starts_with(PREFIX) => environment.ignored.push(advice(&name)),
                // What the libraries read themselves.
                "PGPASSWORD" => keep_secret(&value),
                _ if name.to_ascii_uppercase().ends_with("_PROXY") => {
                    if let Ok(proxy) = value.parse::<Url>() {
                        keep_secrets_of(&proxy);
                    }
                }
                _ => {}
            }
        }
        // The order of the environment is arbitrary; the order of messages should not be.
        environment.settings.sort();
        environment.ignored.sort();
        environment
    }
}

fn path(value: String) -> Option<PathBuf> {
    (!value.is_empty()).then(|| PathBuf::from(value))
}

fn is_setting(name: &str) -> bool {
    let Some(key) = name.strip_prefix(PREFIX) else {
        return false;
    };
    key.contains("__") || TOP_LEVEL.contains(&name) || SECTIONS.contains(&key)
}

fn advice(name: &str) -> String {
    let key = quoted_name(name.trim_start_matches(PREFIX));
    let name = &format!("{PREFIX}{key}");
    let section = SECTIONS
        .iter()
        .find_map(|section| Some((section, key.strip_prefix(section)?.strip_prefix('_')?)));
    match (section, close_to(name, TOP_LEVEL)) {
        (Some((section, key)), _) => {
            format!("unknown variable `{name}`; did you mean `{PREFIX}{section}__{key}`?")
        }
        (None, Some(close)) => {
            format!("unknown variable `{name}`; did you mean `{close}`?")
        }
        (None, None) => format!("unknown variable `{name}`; it is ignored"),
    }
}
