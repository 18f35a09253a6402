//! Operations on simulated watch lists.

use chrono::{DateTime, Utc};

use crate::simulate::options::MAX_WATCH_LISTS;
use crate::simulate::words;

use super::state::World;
use super::watch_list_place::WatchListPlace;

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
            products: WatchListPlace::first_products(id),
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

    /// Adds a product to a watch list, and with it its release and every advisory of it:
    /// the old ones have no new revision. Returns its name; `None` when the list does not
    /// exist or has every product.
    pub fn add_product(&mut self, id: i64) -> Option<&'static str> {
        let list = self.watch_lists.iter_mut().find(|list| list.id == id)?;
        let number = (0..words::PRODUCTS.len()).find(|number| !list.products.contains(number))?;
        list.products.insert(number);
        let name = words::PRODUCTS[number];
        let entries = self.advisories.clone();
        for entry in entries {
            if self.record(entry).is_about(name) {
                self.join(entry.index, id);
            }
        }
        Some(name)
    }

    /// Takes a product and its release out of a watch list; its advisories stay. `false`
    /// when the list does not have it.
    pub fn remove_product(&mut self, id: i64, name: &str) -> bool {
        let list = self.watch_lists.iter_mut().find(|list| list.id == id);
        let number = words::PRODUCTS.iter().position(|product| *product == name);
        list.zip(number)
            .is_some_and(|(list, number)| list.products.remove(&number))
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
