//! Stored state of a simulated watch list.

use std::collections::BTreeSet;

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
    /// Numbers in `words::PRODUCTS` of the products in it.
    pub products: BTreeSet<usize>,
}

/// The collections below one watch list.
pub const PARTS: [&str; 3] = ["vendors", "products", "product-releases"];

/// Ids of products and their releases count from here.
const FIRST_ID: usize = 500;

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

    /// Every second product, from another one on in each list.
    pub fn first_products(id: i64) -> BTreeSet<usize> {
        let first = usize::try_from(id).unwrap_or(0) % 5;
        (first..words::PRODUCTS.len()).step_by(2).collect()
    }

    /// The rows of a collection below it: `vendors`, `products` or `product-releases`.
    /// Vendors do not follow the products.
    pub fn part(&self, name: &str) -> Option<Vec<Value>> {
        let row = |number: usize, name: &str| json!({"id": FIRST_ID + number, "name": name});
        let products = self.products.iter();
        Some(match name {
            "vendors" => {
                let first = usize::try_from(self.id).unwrap_or(0) % 5;
                let vendors = words::VENDORS.iter().enumerate().skip(first).step_by(2);
                vendors.map(|(number, name)| row(number, name)).collect()
            }
            "products" => products
                .map(|one| row(*one, words::PRODUCTS[*one]))
                .collect(),
            "product-releases" => products
                .map(|one| row(*one, &format!("{} 1.x", words::PRODUCTS[*one])))
                .collect(),
            _ => return None,
        })
    }
}
