//! Every text and attribute of a record is in a column, or under `unrecognised`.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Rules, read_json, read_record, read_records};
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

fn names() -> Vec<String> {
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
struct Markers(usize);

impl Markers {
    fn fill(&mut self, text: &str) -> String {
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
    fn lost(&self, advisory: &Advisory) -> Vec<String> {
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

/// The texts `TOKa` to `TOKe` that a record lacks.
fn lost(rules: &Rules, inside: &str) -> Vec<String> {
    let record = format!("<adv><said>SA1</said>{inside}</adv>");
    let advisory = read_record(rules, record.as_bytes()).unwrap();
    let all = serde_json::to_string(&advisory).unwrap();
    let texts = ('a'..='e').map(|letter| format!("TOK{letter}"));
    let is_lost = |text: &String| inside.contains(text) && !all.contains(text);
    texts.filter(is_lost).collect()
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

/// Every name within every other one, and as an attribute of it.
#[test]
fn no_text_is_lost_in_any_pair_of_names() {
    let (rules, names) = (rules(), names());
    let mut all_lost = Vec::new();
    for outer in &names {
        for inner in &names {
            let inside =
                format!("<{outer} {inner}='TOKa'><{inner}>TOKb</{inner}><foo>TOKc</foo></{outer}>");
            let lost = lost(&rules, &inside);
            if !lost.is_empty() {
                all_lost.push(format!("{lost:?} of {inside}"));
            }
        }
    }
    assert!(
        all_lost.is_empty(),
        "{} lost: {}",
        all_lost.len(),
        all_lost[..all_lost.len().min(20)].join("\n")
    );
}

/// All that a document of CVRF usually has.
#[test]
fn no_text_of_a_document_of_cvrf_is_lost() {
    let inside = "<DocumentTitle>#</DocumentTitle><DocumentType>#</DocumentType>\
        <DocumentPublisher Type='#'><ContactDetails>#</ContactDetails><IssuingAuthority>#</IssuingAuthority></DocumentPublisher>\
        <DocumentTracking><Identification><ID>SA1</ID><Alias>#</Alias></Identification><Status>#</Status><Version>#</Version>\
        <RevisionHistory><Revision><Number>#</Number><Date>#</Date><Description>#</Description></Revision></RevisionHistory>\
        <InitialReleaseDate>#</InitialReleaseDate><CurrentReleaseDate>#</CurrentReleaseDate></DocumentTracking>\
        <DocumentNotes><Note Title='#' Type='#' Ordinal='#'>#</Note><Note Title='#' Type='Legal Disclaimer'>#</Note></DocumentNotes>\
        <AggregateSeverity Namespace='#'>#</AggregateSeverity><ProductTree><Branch Type='#' Name='#'>\
        <FullProductName ProductID='#'>#</FullProductName></Branch></ProductTree>\
        <Vulnerability Ordinal='#'><Title>#</Title><ID SystemName='#'>#</ID><Notes><Note Title='#' Type='#' Ordinal='#'>#</Note></Notes>\
        <CVE>CVE-2026-1111 #</CVE><CWE ID='#'>#</CWE><Threats><Threat Type='Impact'><Description>#</Description></Threat>\
        <Threat Type='#'><Description>#</Description></Threat></Threats>\
        <CVSSScoreSets><ScoreSet><BaseScore>7.7</BaseScore><Vector>#</Vector></ScoreSet>\
        <ScoreSet><BaseScore>3.0#</BaseScore><Vector>#</Vector></ScoreSet></CVSSScoreSets>\
        <Remediations><Remediation Type='#'><Description>#</Description><URL>https://#</URL></Remediation></Remediations>\
        <References><Reference Type='#'><URL>https://#</URL><Description>#</Description></Reference></References>\
        <Acknowledgments><Acknowledgment><Name>#</Name><Organization>#</Organization><Description>#</Description></Acknowledgment></Acknowledgments>\
        </Vulnerability><Vulnerability><Title>#</Title><CVSSScoreSets><ScoreSet><BaseScore>9.8</BaseScore></ScoreSet></CVSSScoreSets></Vulnerability>";
    let mut markers = Markers(0);
    let parts: Vec<&str> = inside.split_inclusive('#').collect();
    let filled: String = parts.iter().map(|part| markers.fill(part)).collect();
    let record = format!("<cvrfdoc>{filled}</cvrfdoc>");
    let advisory = read_record(&rules(), record.as_bytes()).unwrap();
    let without_mark = usize::from(!inside.ends_with('#'));
    let markers = Markers(markers.0 - without_mark);
    assert_eq!(markers.lost(&advisory), [""; 0], "{advisory:?}");
    assert!(format!("{advisory:?}").contains("7.7"));
    let news: Vec<_> = advisory.unknown_fields().collect();
    assert_eq!(news, []);
}

#[test]
fn what_contradicts_a_code_or_stands_beside_a_name_is_kept() {
    for inside in [
        "<impact><item><id>1</id><name>TOKa</name></item></impact>",
        "<impact><item><id>99</id><name>TOKa</name><description>TOKb</description></item></impact>",
        "<criticality><id>2</id><name>TOKa</name></criticality><criticality>TOKb</criticality>",
        "<criticality>TOKa</criticality><criticality>TOKb</criticality><severity>TOKc</severity>",
        "<where><id>1</id><name>TOKa</name></where><where_description>TOKb</where_description>",
        "<solution_status>TOKa</solution_status><solution_status_description>TOKb</solution_status_description>",
        "<is_zero_day>TOKa</is_zero_day><is_zero_day>TOKb</is_zero_day>",
        "<released>TOKa</released><released_at>TOKb</released_at><released>TOKc</released>",
        "<product><name>TOKa</name><title>TOKb</title><description>TOKc</description><is_os>TOKd</is_os>TOKe</product>",
        "<product><id>TOKa</id><product_id>TOKb</product_id><name>TOKc</name></product>",
        "<reference id='TOKa'><url>http://TOKb</url><title>TOKc</title><description>TOKd</description>TOKe</reference>",
        "<reference><url>http://TOKa</url><link>TOKb</link><ordinal>TOKc</ordinal></reference>",
        "<cves><cve id='CVE-2026-1111' severity='TOKa'>TOKb</cve></cves>",
        "<vulnerability><cve>CVE-2026-1111</cve><name>TOKa</name><id>TOKb</id>TOKc</vulnerability>",
        "<cvss version='TOKa' score='TOKb' vector='TOKc'/><cvss version='3' score='4' vector='TOKd'/>",
        "<cvss version='3' score='9' vector='TOKa'/><cvss version='3' score='8' vector='TOKb'>TOKc</cvss>",
    ] {
        assert_eq!(lost(&rules(), inside), [""; 0], "{inside}");
    }
}

#[test]
fn what_is_kept_is_bounded_and_says_so() {
    let mut inside: String = (0..200).fold(String::new(), |all, number| {
        all + &format!("<field{number}>{number}</field{number}>")
    });
    inside += &"<revisions>".repeat(40);
    inside += "deep";
    inside += &"</revisions>".repeat(40);
    let _ = write!(inside, "<revisions>{}</revisions>", "long ".repeat(100));
    let record = format!("<adv><said>SA1</said>{inside}</adv>");
    let advisory = read_record(&rules(), record.as_bytes()).unwrap();
    let kept = &advisory.unrecognised;
    assert_eq!(kept["adv/…"], "168 more values");
    assert_eq!(kept.len(), 32 + 3);
    let long = &kept["adv/revisions"];
    assert!(long.ends_with('…') && long.chars().count() == 200, "{long}");
    let deep = kept.iter().find(|(_, text)| *text == "deep").unwrap();
    assert!(deep.0.ends_with("/…") && deep.0.len() < 250, "{}", deep.0);
    assert_eq!(advisory.unknown_fields().count(), 32);
}

#[test]
fn whole_records_of_another_name_are_handed_out_and_references_are_not() {
    let within = |inside: &str| -> Vec<String> {
        let record = format!("<advisory><said>SA1</said><title>A</title>{inside}</advisory>");
        let (advisory, within) = read_records(&rules(), record.as_bytes()).unwrap();
        let all = serde_json::to_string(&advisory).unwrap();
        for other in &within {
            assert!(inside.contains(&other.raw));
            assert!(all.contains(&other.key) && !all.contains("Theirs"), "{all}");
        }
        within.into_iter().map(|other| other.key).collect()
    };
    for (inside, wanted) in [
        (
            "<updates><update><advisory_identifier>SA3</advisory_identifier><title>Theirs</title><description>Theirs</description></update></updates>",
            &["SA3"][..],
        ),
        (
            "<entry said='SA3' title='Theirs' criticality='2'/>",
            &["SA3"],
        ),
        (
            "<members><item><said>SA3</said><title>Theirs</title><solution>Theirs</solution></item><item><said>SA4</said><modified>2026-01-01</modified><cve>CVE-2026-1111</cve></item></members>",
            &["SA3", "SA4"],
        ),
        (
            "<item><said>SA3</said><title>Theirs</title><solution>Theirs</solution><header><said>SA3</said><title>Theirs</title><solution>Theirs</solution></header></item>",
            &["SA3"],
        ),
        ("<replaced_by>SA3</replaced_by>", &[]),
        ("<related><entry><said>SA3</said></entry></related>", &[]),
        (
            "<related><entry><said>SA3</said><title>T</title><link>https://example.com/</link><released>2026-01-01</released><modified>2026-01-01</modified></entry></related>",
            &[],
        ),
        (
            "<references><reference><said>SA3</said><title>T</title><url>https://example.com/</url><description>D</description></reference></references>",
            &[],
        ),
        ("<link type='advisory' said='SA3' title='T'/>", &[]),
        (
            "<header><said>SA1</said><title>T</title><criticality>2</criticality></header>",
            &[],
        ),
    ] {
        assert_eq!(within(inside), wanted, "{inside}");
    }
}

#[test]
fn what_is_documented_is_kept_and_is_no_news() {
    let value = json!({
        "advisory_identifier": "SA1", "extended_solution": "More", "provided_by": "X",
        "revisions": [{"number": "1.0"}], "custom_info": {"affected_asset_lists": [{"id": 4}]},
        "workaround": {"description": "Disable it"},
    });
    let advisory = read_json(&rules(), &value).unwrap();
    let kept: Vec<(&str, &str)> = advisory
        .unrecognised
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        kept,
        [
            ("advisory/extended_solution", "More"),
            ("advisory/provided_by", "X"),
            ("advisory/revisions/list-item/number", "1.0"),
            ("advisory/workaround/description", "Disable it"),
        ]
    );
    let new: Vec<_> = advisory.unknown_fields().collect();
    assert_eq!(new, [("advisory/workaround/description", "Disable it")]);
}
