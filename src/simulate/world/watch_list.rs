use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::simulate::options::MAX_WATCH_LISTS;
use crate::simulate::record::time;
use crate::simulate::words;

use super::World;

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

impl World {
    /// Adds a watch list; `None` when there are [`MAX_WATCH_LISTS`] already.
    /// Nothing is in it until something joins it or is published into it.
    pub fn add_watch_list(&mut self, now: DateTime<Utc>) -> Option<i64> {
        let number = self.watch_lists.len();
        if number >= MAX_WATCH_LISTS {
            return None;
        }
        let last = self.watch_lists.iter().map(|list| list.id).max();
        let id = last.unwrap_or(0) + 1;
        if id > i64::try_from(MAX_WATCH_LISTS).ok()? {
            return None;
        }
        let name = words::LISTS[number % words::LISTS.len()];
        let round = number / words::LISTS.len() + 1;
        self.watch_lists.push(WatchListPlace {
            id,
            name: if round == 1 {
                name.to_owned()
            } else {
                format!("{name} {round}")
            },
            created_at: now,
            enabled: true,
        });
        self.options.watch_lists = self.watch_lists.len();
        Some(id)
    }

    /// Gives a watch list another name. `false` when it does not exist.
    pub fn rename_watch_list(&mut self, id: i64, name: &str) -> bool {
        let list = self.watch_lists.iter_mut().find(|list| list.id == id);
        list.map(|list| name.clone_into(&mut list.name)).is_some()
    }

    /// Enables a watch list or not. `false` when it does not exist.
    pub fn enable_watch_list(&mut self, id: i64, enabled: bool) -> bool {
        let list = self.watch_lists.iter_mut().find(|list| list.id == id);
        list.map(|list| list.enabled = enabled).is_some()
    }

    /// Removes a watch list without a trace; its advisories stay. `false` when it
    /// does not exist.
    pub fn remove_watch_list(&mut self, id: i64) -> bool {
        let before = self.watch_lists.len();
        self.watch_lists.retain(|list| list.id != id);
        self.watch_lists.len() < before
    }

    /// Every watch list, by number.
    pub fn watch_lists(&self) -> &[WatchListPlace] {
        &self.watch_lists
    }

    /// The watch list with this number.
    pub fn watch_list(&self, id: i64) -> Option<&WatchListPlace> {
        self.watch_lists.iter().find(|list| list.id == id)
    }
}

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
