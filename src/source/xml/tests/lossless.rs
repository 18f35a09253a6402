//! Every text and attribute of a generated record is in a column, or under `unrecognised`.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{read_json, read_record};
use super::rules;
use crate::config::AliasField;
use crate::model::Advisory;

/// Names that the reading of lists, codes and CVRF knows, and some that nobody does.
const NAMES: [&str; 75] = [
    "workaround",
    "content",
    "foo",
    "notes",
    "history",
    "item",
    "list-item",
    "entry",
    "group",
    "vendor",
    "family",
    "package",
    "id",
    "code",
    "level",
    "value",
    "name",
    "number",
    "ordinal",
    "order",
    "version",
    "product_name",
    "product_id",
    "is_os",
    "os",
    "cpe",
    "cpes",
    "nvd_id",
    "has_cpe",
    "url",
    "href",
    "p",
    "b",
    "cvss",
    "score",
    "vector",
    "base_score",
    "cvss_vector",
    "cve_id",
    "cve_info",
    "cvss3_info",
    "extended_solution",
    "extended_description",
    "reason_for_rating",
    "provided_by",
    "revisions",
    "poc_files",
    "threat_rules",
    "related",
    "internal_type",
    "DocumentTracking",
    "DocumentNotes",
    "Note",
    "Notes",
    "DocumentReferences",
    "ProductTree",
    "Branch",
    "FullProductName",
    "ProductID",
    "Relationship",
    "Vulnerability",
    "Remediations",
    "Remediation",
    "CVSSScoreSets",
    "ScoreSetV2",
    "ScoreSetV3",
    "BaseScoreV3",
    "VectorV3",
    "Threats",
    "Threat",
    "Acknowledgments",
    "CWE",
    "xml:lang",
    "Type",
    "Title",
];
/// What stands around a marker `#`.
const TEXTS: [&str; 16] = [
    "#",
    "#",
    "#",
    "#",
    "2 (#)",
    "Highly critical (#)",
    "CVE-2026-1111 #",
    "#, CVE-2026-2222; x",
    "cpe:/a:x:y, #",
    "CPE:2.3:a:x:#:1",
    "pkg:npm/#@1.0",
    "https://example.com/#",
    "Impact #",
    "-1 #",
    "2026-01-01 #",
    "8.4 (#)",
];

/// An element with texts that hold markers.
#[derive(Debug, Clone)]
struct Element {
    name: String,
    text: Option<&'static str>,
    attributes: Vec<(String, &'static str)>,
    children: Vec<Element>,
}

pub fn names() -> Vec<String> {
    let aliases = AliasField::ALL.iter().flat_map(|field| field.built_in());
    let parts = aliases.flat_map(|path| path.split('/'));
    let parts = parts.map(|name| name.trim_start_matches('@'));
    let mut all: Vec<String> = parts.chain(NAMES).map(str::to_owned).collect();
    all.sort();
    all.dedup();
    all
}

fn any_element() -> impl Strategy<Value = Element> {
    let name = || prop::sample::select(names());
    let text = || prop::sample::select(TEXTS.to_vec());
    let attributes = move || {
        prop::collection::btree_map(name(), text(), 0..3).prop_map(|all| {
            // Names are compared without case and separators, but XML compares them as written.
            all.into_iter().collect::<Vec<_>>()
        })
    };
    let leaf = (name(), prop::option::weighted(0.9, text()), attributes());
    let leaf = leaf.prop_map(|(name, text, attributes)| Element {
        name,
        text,
        attributes,
        children: Vec::new(),
    });
    leaf.prop_recursive(4, 12, 4, move |inner| {
        let children = prop::collection::vec(inner, 1..4);
        let parts = (
            name(),
            prop::option::weighted(0.3, text()),
            attributes(),
            children,
        );
        parts.prop_map(|(name, text, attributes, children)| Element {
            name,
            text,
            attributes,
            children,
        })
    })
}

/// Gives each place a marker of its own.
pub struct Markers(pub usize);

impl Markers {
    pub fn fill(&mut self, text: &str) -> String {
        self.0 += 1;
        text.replace('#', &format!("q{}q", self.0))
    }

    fn xml(&mut self, element: &Element, out: &mut String) {
        let _ = write!(out, "<{}", element.name);
        for (name, text) in &element.attributes {
            let _ = write!(out, " {name}=\"{}\"", self.fill(text));
        }
        out.push('>');
        if let Some(text) = element.text {
            out.push_str(&self.fill(text));
        }
        element
            .children
            .iter()
            .for_each(|child| self.xml(child, out));
        let _ = write!(out, "</{}>", element.name);
    }

    fn json(&mut self, element: &Element) -> Value {
        let mut all = Map::new();
        for (name, text) in &element.attributes {
            all.insert(name.clone(), json!(self.fill(text)));
        }
        for child in &element.children {
            // Another of the same name would replace it, with its markers.
            if !all.contains_key(&child.name) {
                let value = self.json(child);
                all.insert(child.name.clone(), value);
            }
        }
        match element.text {
            Some(text) if all.is_empty() => json!(self.fill(text)),
            Some(text) => json!([self.fill(text), all]),
            None => Value::Object(all),
        }
    }

    /// The markers that an advisory lacks.
    pub fn lost(&self, advisory: &Advisory) -> Vec<String> {
        let all = serde_json::to_string(advisory).unwrap();
        let markers = (1..=self.0).map(|number| format!("q{number}q"));
        markers.filter(|marker| !all.contains(marker)).collect()
    }
}

/// A record; what makes it one of CVRF may be in it.
fn record(elements: &[Element], cvrf: &str) -> (String, Markers) {
    let mut markers = Markers(0);
    let mut inside = String::new();
    for element in elements {
        markers.xml(element, &mut inside);
    }
    let said = "<advisory_identifier>SA1</advisory_identifier>";
    (
        format!("<advisory>{said}{cvrf}{inside}</advisory>"),
        markers,
    )
}
/// Beyond so many places of one record, and so many characters of one, the raw text has
/// the rest.
const MOST_MARKERS: usize = 24;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_of_a_record_is_lost(
        elements in prop::collection::vec(any_element(), 1..4),
        cvrf in prop::sample::select(vec!["", "<DocumentTracking/>"]),
    ) {
        let (record, markers) = record(&elements, cvrf);
        prop_assume!(markers.0 <= MOST_MARKERS);
        let advisory = read_record(&rules(), record.as_bytes()).unwrap();
        let lost = markers.lost(&advisory);
        prop_assert!(lost.is_empty(), "{lost:?} of {record}: {advisory:?}");
    }

    #[test]
    fn no_text_of_details_is_lost(elements in prop::collection::vec(any_element(), 1..4)) {
        let mut markers = Markers(0);
        let mut all = Map::from_iter([("advisory_identifier".to_owned(), json!("SA1"))]);
        for element in &elements {
            if !all.contains_key(&element.name) {
                let value = markers.json(element);
                all.insert(element.name.clone(), value);
            }
        }
        prop_assume!(markers.0 <= MOST_MARKERS);
        let value = Value::Object(all);
        let advisory = read_json(&rules(), &value).unwrap();
        let lost = markers.lost(&advisory);
        prop_assert!(lost.is_empty(), "{lost:?} of {value}: {advisory:?}");
    }
}
