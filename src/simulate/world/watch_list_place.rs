//! Stored state of a simulated watch list.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::simulate::record::time;
use crate::simulate::words;

/// What the simulator remembers of a watch list.
#[derive(Debug, Clone)]
pub struct WatchListPlace {
    /// From 1.
    pub id: i64,
    /// As people call it.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// As its owner left it.
    pub enabled: bool,
}

/// The collections below one watch list, and what each is invented from.
pub const PARTS: [(&str, &[&str]); 3] = [
    ("vendors", words::VENDORS),
    ("products", words::PRODUCTS),
    ("product-releases", words::PRODUCTS),
];

impl WatchListPlace {
    /// The keys of contract §8.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "enabled": self.enabled,
            "group": {"id": 1, "name": "Everybody"},
            "advisories_need_approval": self.needs_approval(),
            "receive_all": false,
            "ticket_threshold_level": 3,
            "notification_level_email": 2,
            "notification_level_sms": 1,
            "created": time(self.created_at),
        })
    }

    /// Every third list waits for somebody to approve its advisories.
    pub fn needs_approval(&self) -> bool {
        self.id % 3 == 0
    }

    /// The rows of a collection below it: `vendors`, `products` or `product-releases`.
    pub fn part(&self, name: &str) -> Option<Vec<Value>> {
        let (_, names) = PARTS.iter().find(|(part, _)| *part == name)?;
        let first = usize::try_from(self.id).unwrap_or(0);
        let rows = names.iter().enumerate().skip(first % 5).step_by(2);
        Some(
            rows.map(|(number, name)| json!({"id": 500 + number, "name": name}))
                .collect(),
        )
    }
}
