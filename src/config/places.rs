//! Where keys are written, and where they belong.

use std::sync::Arc;

use super::quotes::configured_value;
use super::tree::{SettingNode, SettingValue};

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
