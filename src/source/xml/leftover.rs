//! What a record holds that no field has read: an element or attribute that
//! nobody has seen before must not get lost in the raw text.

use std::collections::BTreeMap;

use super::name::keys;
use super::tree::Node;

/// Names that are kept of one record.
const MOST_NAMES: usize = 32;
/// How much of what stands under one name is kept, in characters.
const LONGEST_TEXT_CHARS: usize = 200;
/// A longer way to a name is cut, in bytes.
const LONGEST_WAY_BYTES: usize = 200;

/// What the vendor's documentation and CVRF name and no column holds; the raw text
/// does. What stands inside is theirs too.
const DOCUMENTED: &[u64] = keys![
    // The JSON API (contract §7).
    "revisions",
    "poc_files",
    "cve_info",
    "custom_info",
    "cvss_info",
    "cvss3_info",
    "cvss4_info",
    "threat_rules",
    "has_cpe",
    "nvd_id",
    "modification_date",
    "internal_type",
    "extended_description",
    "extended_solution",
    "reason_for_rating",
    "provided_by",
    "cvss_score_ui",
    "related",
    "related_advisories",
    // CVRF 1.1 and 1.2.
    "DocumentType",
    "DocumentPublisher",
    "DocumentTracking",
    "DocumentDistribution",
    "DocumentNotes",
    "DocumentReferences",
    "AggregateSeverity",
    "ProductTree",
    "Acknowledgments",
    "Vulnerability",
];
/// The same within lists.
const IN_LISTS: &[u64] = keys![
    "title",
    "description",
    "ordinal",
    "id",
    "number",
    "products",
    "cpes",
    "cpe",
];

/// Adds what was not read, by the way to it from the record: `advisory/colour`.
/// Names of fields have no `/`, so none is mistaken for one.
pub(super) fn collect(record: &Node<'_>, into: &mut BTreeMap<String, String>) {
    let mut leftovers = Leftovers {
        found: BTreeMap::new(),
        way: record.name.to_string(),
    };
    leftovers.own(record, "/text()");
    leftovers.walk(record, 0);
    into.extend(leftovers.found);
}

struct Leftovers {
    found: BTreeMap<String, String>,
    way: String,
}

impl Leftovers {
    fn walk(&mut self, node: &Node<'_>, depth: usize) {
        let is_documented =
            |name: u64| DOCUMENTED.contains(&name) || depth > 0 && IN_LISTS.contains(&name);
        for attribute in &node.attributes {
            let is_left = !attribute.is_taken.get() && !is_documented(attribute.key);
            if is_left && !attribute.name.starts_with("xsi:") && !attribute.name.starts_with("xml:")
            {
                self.note(&format!("/@{}", attribute.name), &attribute.value);
            }
        }
        for child in node
            .children
            .iter()
            .filter(|child| !is_documented(child.key))
        {
            let length = self.way.len();
            if length + child.name.len() > LONGEST_WAY_BYTES {
                continue;
            }
            self.way.push('/');
            self.way.push_str(&child.name);
            self.own(child, "");
            self.walk(child, depth + 1);
            self.way.truncate(length);
        }
    }

    fn own(&mut self, node: &Node<'_>, end: &str) {
        if !node.is_taken.get() {
            self.note(end, &node.text);
        }
    }

    fn note(&mut self, end: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let way = format!("{}{end}", self.way);
        if self.found.len() >= MOST_NAMES && !self.found.contains_key(&way) {
            return;
        }
        let known = self.found.entry(way).or_default();
        let room = LONGEST_TEXT_CHARS.saturating_sub(known.chars().count());
        if !known.is_empty() && room > 2 && known.split("; ").all(|other| other != text) {
            known.push_str("; ");
            known.extend(text.chars().take(room - 2));
        } else if known.is_empty() {
            known.extend(text.chars().take(room));
        }
    }
}
