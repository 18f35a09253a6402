//! Advisory: the parsed content, independent of the feed or JSON format.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::composed::{composed, is_composed};
use super::{Fingerprint, Severity, fingerprint, is_documented};

/// One parsed advisory. A value that upstream left out, sent blank or sent as
/// null is `None` (or an empty list); nothing is guessed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
// Details stored by older versions lack the keys of newer fields.
#[serde(default)]
pub struct Advisory {
    /// The identifier, such as `SA87735` (upstream's `advisory_identifier`).
    pub said: String,
    /// Upstream's id, used in its URLs.
    pub upstream_id: Option<i64>,
    /// Title, one line.
    pub title: Option<String>,
    /// The vendor's code: 1 = most severe … 5 = least severe, 0 = rejected. Other codes are stored unchanged.
    pub criticality: Option<i32>,
    /// First published.
    pub released_at: Option<DateTime<Utc>>,
    /// Last modified, according to upstream.
    pub modified_at: Option<DateTime<Utc>>,
    /// Attack vector (upstream's `where`).
    pub attack_vector: Option<AttackVector>,
    /// `None`, `No Fix`, `Vendor Patched`… or an unknown code, unchanged.
    pub solution_status: Option<String>,
    /// Names of contract §7, or unknown ones, unchanged.
    pub impacts: Vec<String>,
    /// CVE identifiers such as `CVE-2026-1234`, in upper case, without duplicates.
    pub cves: Vec<String>,
    /// CVSS version 2.
    pub cvss2: Cvss,
    /// CVSS version 3.0 or 3.1.
    pub cvss3: Cvss,
    /// CVSS version 4.
    pub cvss4: Cvss,
    /// Upstream's threat score; requires an additional licence.
    pub threat_score: Option<f64>,
    /// Exploited before a fix was available.
    pub is_zero_day: Option<bool>,
    /// `type` 1 or `criticality` 0.
    pub is_rejected: bool,
    /// Plain text, line feeds only.
    pub description: Option<String>,
    /// Plain text, line feeds only.
    pub solution: Option<String>,
    /// Affected products.
    pub products: Vec<Product>,
    /// References. The URLs are data and are never requested.
    pub references: Vec<Reference>,
    /// Values that could not be parsed (`criticality` = `Purple`) or contradict the
    /// used one, by field of the model; values that no field uses, by their path
    /// (`advisory/colour`); and what was [repaired](Self::REPAIRED).
    pub unrecognised: BTreeMap<String, String>,
}

/// Attack vector: from where a vulnerability can be exploited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackVector {
    /// Not exploitable, according to upstream.
    None,
    /// Over any network.
    Remote,
    /// From the same network.
    LocalNetwork,
    /// By a local user of the system.
    Local,
    /// An undocumented code; it is stored in [`Advisory::unrecognised`].
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

/// Score of one CVSS version. Upstream sends 0 without a vector for "not scored
/// in this version" (contract §9); that is `None` here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cvss {
    /// 0.0 to 10.0.
    pub score: Option<f64>,
    /// The vector, unchanged.
    pub vector: Option<String>,
}

/// An affected product.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Product {
    /// Upstream's id; a string there, too.
    #[serde(rename = "id")]
    pub product_id: Option<String>,
    /// Product name.
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
    /// Position given by upstream, else counted from 1.
    pub ordinal: i32,
    /// The URL, unchanged; possibly `http://localhost:8000/…`.
    pub url: Option<String>,
    /// The description, unchanged.
    pub description: Option<String>,
}

impl Advisory {
    /// Key in [`Advisory::unrecognised`] for what was repaired in a damaged record,
    /// and where.
    pub const REPAIRED: &str = "repaired";

    /// Whether it was parsed from a damaged record.
    pub fn is_repaired(&self) -> bool {
        self.unrecognised.contains_key(Self::REPAIRED)
    }

    /// Whether nothing but characters of its texts was repaired: which value belongs to which
    /// field is certain.
    pub fn is_repaired_in_texts(&self) -> bool {
        /// How the notes about such repairs begin.
        const KINDS: [&str; 7] = [
            "bare `&`",
            "bare `<`",
            "HTML entity `",
            "unknown entity `",
            "control character U+",
            "character reference `",
            "undecodable character",
        ];
        let is_of_text = |note: &str| KINDS.iter().any(|kind| note.starts_with(kind));
        let words = self.unrecognised.get(Self::REPAIRED);
        words.is_some_and(|words| words.split("; ").all(is_of_text))
    }

    /// Whether it says anything but which advisory it is, its title and its dates.
    pub fn has_substance(&self) -> bool {
        // Written as what does not count: a new field counts.
        let bare = Self {
            said: self.said.clone(),
            upstream_id: self.upstream_id,
            title: self.title.clone(),
            released_at: self.released_at,
            modified_at: self.modified_at,
            unrecognised: self.unrecognised.clone(),
            ..Self::default()
        };
        *self != bare
    }

    /// Records what was repaired, if anything.
    pub fn repaired(&mut self, words: Option<String>) {
        if let Some(words) = words {
            self.unrecognised.insert(Self::REPAIRED.to_owned(), words);
        }
    }

    /// Ends the path under which [`Advisory::unrecognised`] says that there is more than
    /// is kept.
    pub const MORE: &str = "/…";

    /// Names and values that no field is read from and nothing documents, by the path from
    /// the record (`advisory/colour`).
    pub fn unknown_fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.unrecognised.iter();
        all.filter(|(name, _)| Self::is_unknown(name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a key of [`Advisory::unrecognised`] is the path of such a value.
    pub fn is_unknown(name: &str) -> bool {
        name.contains('/') && !is_documented(name) && !name.ends_with(Self::MORE)
    }

    /// Severity from criticality and rejection; `None` for an unknown or missing code.
    pub fn severity(&self) -> Option<Severity> {
        if self.is_rejected {
            return Some(Severity::Rejected);
        }
        self.criticality.and_then(Severity::from_criticality)
    }

    /// Sorts lists and removes duplicates, so that a different order of upstream's
    /// lists is not a change.
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

    /// Fingerprint of the content; call it on a normalised advisory. Documents with
    /// the same content in different bytes have the same fingerprint, and so has a
    /// damaged one that was repaired to the same content. A letter with a mark is the same in one
    /// character or in two. Values that no field uses
    /// may differ between lists and do not count.
    pub fn content_hash(&self) -> Fingerprint {
        let counts = |name: &String| name != Self::REPAIRED && !name.contains('/');
        // Fields serialise in order and the only map is sorted. Serialising cannot
        // fail: no non-string keys, no custom serialiser.
        let text = if self.unrecognised.keys().all(counts) {
            serde_json::to_string(self)
        } else {
            let mut statement = self.clone();
            statement.unrecognised.retain(|name, _| counts(name));
            serde_json::to_string(&statement)
        };
        let text = text.unwrap_or_default();
        if is_composed(&text) {
            return fingerprint(text.as_bytes());
        }
        // Composed letters may sort differently.
        let composed = serde_json::from_str(&text).map(composed);
        let composed: Result<Self, _> = composed.and_then(serde_json::from_value);
        let again = composed.and_then(|advisory| serde_json::to_string(&advisory.normalised()));
        fingerprint(again.unwrap_or(text).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use serde_json::{Value, json};

    use super::Advisory;

    /// Covers every field of the model, so that a new one counts.
    #[test]
    fn every_field_but_names_and_dates_is_substance() {
        let of_nobody = json!({"said": "SA1"});
        let advisory: Advisory = serde_json::from_value(of_nobody.clone()).unwrap();
        assert!(!advisory.has_substance());
        let model = serde_json::to_value(crate::model::sample::full()).unwrap();
        for (field, value) in model.as_object().unwrap() {
            let mut one = of_nobody.clone();
            one[field] = value.clone();
            let advisory: Advisory = serde_json::from_value(one).unwrap();
            let is_bare = [
                "said",
                "upstream_id",
                "title",
                "released_at",
                "modified_at",
                "unrecognised",
            ]
            .contains(&field.as_str());
            assert_eq!(advisory.has_substance(), !is_bare, "{field}");
        }
    }

    #[test]
    fn letters_composed_of_two_characters_make_no_other_content() {
        let with = |title: &str, first: &str| {
            let products = ["foo", first].map(|name| json!({"id": "1", "name": name, "cpes": []}));
            let fields = json!({"title": title, "products": products, "description": "a\n\u{303}"});
            let advisory: Advisory = serde_json::from_value(fields).unwrap();
            advisory.normalised().content_hash()
        };
        let composed = with("\u{e9}", "\u{e9}tudes");
        assert_eq!(with("e\u{301}", "\u{e9}tudes"), composed);
        assert_eq!(with("e\u{301}", "e\u{301}tudes"), composed, "another order");
        assert_ne!(with("e", "\u{e9}tudes"), composed);
        assert_ne!(with("\u{e8}", "\u{e9}tudes"), composed);
    }

    /// Covers every list of the model, so that a new one must be sorted, too.
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
