//! Where keys are written, and where they belong.

use std::sync::Arc;

use super::quotes::configured_value;
use super::setting_error::{ConfigError, SettingError};
use super::tree::{PREFIX, SettingNode, SettingValue};

/// Where a key that was read is written.
pub(super) struct ReadKey {
    pub(super) origin: Arc<str>,
    /// The texts of a list, each with its place.
    pub(super) items: Vec<(String, Arc<str>)>,
}

impl ReadKey {
    pub(super) fn of(node: &SettingNode) -> Self {
        let items = match &node.value {
            SettingValue::List(list) => list
                .iter()
                .map(|item| (configured_value(item), Arc::clone(&item.origin)))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            origin: Arc::clone(&node.origin),
            items,
        }
    }
}

/// Where a key belongs that is often written outside its section.
pub(super) fn elsewhere(key: &str) -> Option<&'static str> {
    const PLACES: [(&str, &str); 9] = [
        ("rules", "[[alerts.rules]]"),
        ("sinks", "[[alerts.sinks]]"),
        ("mute_times", "[[alerts.mute_times]]"),
        ("base_url", "[upstream] base_url"),
        ("token_file", "[upstream] token_file"),
        ("url", "[database] url"),
        ("listen", "[http] listen"),
        ("timezone", "[schedule] timezone"),
        ("aliases", "[feeds.aliases]"),
    ];
    let place = PLACES.iter().find(|(name, _)| *name == key);
    place.map(|(_, place)| *place)
}

/// Sorts errors as somebody who corrects them goes through the file: what concerns all of it,
/// then line by line, then variables.
pub(super) fn by_place(mut errors: Vec<SettingError>) -> ConfigError {
    errors.sort_by_key(|error| {
        let mut parts = error.origin.rsplit(':').map(str::parse::<u64>);
        let is_variable = error.origin.starts_with(PREFIX);
        match (parts.next(), parts.next()) {
            (Some(Ok(column)), Some(Ok(line))) => (is_variable, line, column),
            _ => (is_variable, 0, 0),
        }
    });
    ConfigError { errors }
}
