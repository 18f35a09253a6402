use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Fingerprint, Severity, fingerprint};

/// One advisory as the program understands it. What upstream left out, sent
/// blank or sent as null is `None` (or an empty list): absent is never a guess.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
// Details that were stored before a field came lack its key.
#[serde(default)]
pub struct Advisory {
    /// The identifier, such as `SA87735` (upstream's `advisory_identifier`).
    pub said: String,
    /// Upstream's number for it, key in its URLs.
    pub upstream_id: Option<i64>,
    /// One line.
    pub title: Option<String>,
    /// The vendor's code, 1 = worst … 5 = mildest, 0 = rejected; other codes are kept as they came.
    pub criticality: Option<i32>,
    /// First published.
    pub released_at: Option<DateTime<Utc>>,
    /// Last revised, as upstream says.
    pub modified_at: Option<DateTime<Utc>>,
    /// From where it can be exploited (upstream's `where`).
    pub attack_vector: Option<AttackVector>,
    /// `None`, `No Fix`, `Vendor Patched`… or an unknown code as it came.
    pub solution_status: Option<String>,
    /// Names of contract §7, or unknown ones as they came.
    pub impacts: Vec<String>,
    /// `CVE-2026-1234`, in upper case, each once.
    pub cves: Vec<String>,
    /// CVSS version 2.
    pub cvss2: Cvss,
    /// CVSS version 3.0 or 3.1.
    pub cvss3: Cvss,
    /// CVSS version 4.
    pub cvss4: Cvss,
    /// Upstream's threat score; absent without the licence for it.
    pub threat_score: Option<f64>,
    /// Exploited before a fix was known.
    pub is_zero_day: Option<bool>,
    /// `type` 1 or `criticality` 0.
    pub is_rejected: bool,
    /// Plain text, line feeds only.
    pub description: Option<String>,
    /// Plain text, line feeds only.
    pub solution: Option<String>,
    /// What is affected.
    pub products: Vec<Product>,
    /// Further reading. Data: never followed.
    pub references: Vec<Reference>,
    /// Values that were present and not understood (`criticality` = `Purple`), by field of the model.
    pub unrecognised: BTreeMap<String, String>,
}

/// From where a vulnerability can be exploited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackVector {
    /// Upstream says it cannot be.
    None,
    /// Over any network.
    Remote,
    /// From the same network.
    LocalNetwork,
    /// By a user of the system.
    Local,
    /// A code nobody has documented; it is kept in [`Advisory::unrecognised`].
    Unknown,
}

impl AttackVector {
    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Remote => "remote",
            Self::LocalNetwork => "local_network",
            Self::Local => "local",
            Self::Unknown => "unknown",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::None,
            Self::Remote,
            Self::LocalNetwork,
            Self::Local,
            Self::Unknown,
        ]
        .into_iter()
        .find(|vector| vector.name() == name)
    }
}

/// One version's CVSS score. A score of 0 without a vector is how upstream says
/// "not scored in this version" (contract §9): it is absent here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cvss {
    /// 0.0 to 10.0.
    pub score: Option<f64>,
    /// As it came.
    pub vector: Option<String>,
}

/// An affected product.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Product {
    /// Upstream's identifier, a string there too.
    #[serde(rename = "id")]
    pub product_id: Option<String>,
    /// As people call it.
    pub name: String,
    /// Whether it is an operating system.
    #[serde(rename = "os")]
    pub is_os: Option<bool>,
    /// CPE names.
    pub cpes: Vec<String>,
}

/// A reference of an advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// Position as upstream numbers it, else counted from 1.
    pub ordinal: i32,
    /// As it came, possibly `http://localhost:8000/…`.
    pub url: Option<String>,
    /// As it came.
    pub description: Option<String>,
}

impl Advisory {
    /// What its code and its rejection together mean; `None` for an unknown or missing code.
    pub fn severity(&self) -> Option<Severity> {
        if self.is_rejected {
            return Some(Severity::Rejected);
        }
        self.criticality.and_then(Severity::from_criticality)
    }

    /// Puts lists into one order and drops repetitions, so that upstream's
    /// shuffling of lists is no change.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.impacts.sort();
        self.impacts.dedup();
        self.cves.sort();
        self.cves.dedup();
        for product in &mut self.products {
            product.cpes.sort();
            product.cpes.dedup();
        }
        self.products.sort();
        self.products.dedup();
        self.references.sort();
        self.references.dedup();
        self
    }

    /// Fingerprint of what the advisory says; call it on a normalised one. Two
    /// documents that say the same in other bytes have the same fingerprint.
    pub fn content_hash(&self) -> Fingerprint {
        // The model serialises in field order and holds no map but a sorted one.
        // It cannot fail: no non-string keys, no custom serialiser.
        let said = serde_json::to_vec(self).unwrap_or_default();
        fingerprint(&said)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use serde_json::{Value, json};

    use super::Advisory;

    /// Whatever lists there are: a new one must be put into order too.
    #[test]
    fn another_order_of_a_list_and_repetitions_make_no_other_content() {
        let model = serde_json::to_value(Advisory::default()).unwrap();
        let fields = model.as_object().unwrap();
        let lists = fields.iter().filter(|(_, value)| value.is_array());
        let mut tried = 0;
        for (field, _) in lists {
            let [one, two] = match field.as_str() {
                "products" => ["a", "b"].map(|name| json!({"id": "1", "name": name, "cpes": []})),
                "references" => [1, 2].map(|ordinal| json!({"ordinal": ordinal})),
                _ => [json!("a"), json!("b")],
            };
            let hash = |list: Value| {
                let advisory: Advisory = serde_json::from_value(json!({field: list})).unwrap();
                advisory.normalised().content_hash()
            };
            let wanted = hash(json!([one, two]));
            assert_eq!(hash(json!([two, one, two])), wanted, "{field}");
            assert_ne!(hash(json!([one])), wanted, "{field}");
            tried += 1;
        }
        assert!(tried > 0);
    }
}
