//! Values that hold markup, and what is no value.

use super::super::{read_json, read_record};
use super::{hasty, rules, split, split_with};
use crate::model::{Advisory, AttackVector};

fn read(inside: &str) -> Advisory {
    let record = format!("<adv><said>SA1</said>{inside}</adv>");
    read_record(&rules(), record.as_bytes()).unwrap()
}

/// Cases of a list of CVEs: what is inside the element, the names, what is unrecognised.
const CVES: &[(&str, &[&str], &str)] = &[
    ("RHSA-2020-1111", &[], "RHSA-2020-1111"),
    ("EUVD-2025-30001", &[], "EUVD-2025-30001"),
    (
        "FEDORA-2024-12345, DSA-2024-1234",
        &[],
        "FEDORA-2024-12345; DSA-2024-1234",
    ),
    (
        "CVE-2020-9999 (2019-2020)",
        &["CVE-2020-9999"],
        "(2019-2020)",
    ),
    ("2020-2021", &[], "2020-2021"),
    ("phone 555-2020-12345", &[], "phone; 555-2020-12345"),
    ("1.2.2019-1234", &[], "1.2.2019-1234"),
    (
        "1998-1234 2031-1234 2020-123",
        &[],
        "1998-1234; 2031-1234; 2020-123",
    ),
    ("2020-1234/7", &[], "2020-1234/7"),
    (
        "xCVE-2020-1111 CVE-2020-1111b",
        &[],
        "xCVE-2020-1111; CVE-2020-1111b",
    ),
    (
        "2020-1234, [2020-12345]; \"2019-0001\".",
        &["CVE-2019-0001", "CVE-2020-1234", "CVE-2020-12345"],
        "",
    ),
    (
        "cve-2020-1111 CVE_2020-1112 CVE2020-1113 CVE: 2020-1114 CAN-2001-0001",
        &[
            "CVE-2001-0001",
            "CVE-2020-1111",
            "CVE-2020-1112",
            "CVE-2020-1113",
            "CVE-2020-1114",
        ],
        "",
    ),
    (
        "CVE-2020-1111<br/>CVE-2020-2222",
        &["CVE-2020-1111", "CVE-2020-2222"],
        "",
    ),
    (
        "CVE-2020-1111<!-- x -->CVE-2020-2222",
        &["CVE-2020-1111", "CVE-2020-2222"],
        "",
    ),
    (
        "CVE-2020-1111CVE-2020-2222",
        &["CVE-2020-1111", "CVE-2020-2222"],
        "",
    ),
    (
        "<p>CVE-2020-1111</p><p>CVE-2020-2222</p>",
        &["CVE-2020-1111", "CVE-2020-2222"],
        "",
    ),
    (
        "<span>CVE-2020-1111</span>, <b>2020-2222</b>",
        &["CVE-2020-1111", "CVE-2020-2222"],
        "",
    ),
    (
        "<ul><li>CVE-2020-1111</li><li>CVE-2020-2222</li></ul>",
        &["CVE-2020-1111", "CVE-2020-2222"],
        "",
    ),
    (
        "<p>CVE-2020-1111</p><cve>CVE-2020-2222</cve>",
        &["CVE-2020-1111", "CVE-2020-2222"],
        "",
    ),
    ("CVE-<b>2020</b>-1111", &["CVE-2020-1111"], ""),
];

#[test]
fn only_what_is_a_cve_is_one_and_none_is_lost_at_markup() {
    for (inside, wanted, kept) in CVES {
        let advisory = read(&format!(
            "<modified_date>2026-01-03T03:04:05Z</modified_date><cve_str_list>{inside}</cve_str_list>"
        ));
        assert_eq!(&advisory.cves, wanted, "{inside}");
        let unrecognised: Vec<&str> = advisory.unrecognised.values().map(String::as_str).collect();
        assert_eq!(unrecognised.join("|"), *kept, "{inside}");
    }
}

fn names(advisory: &Advisory) -> Vec<&str> {
    let products = advisory.products.iter();
    products.map(|product| &*product.name).collect()
}

#[test]
fn markup_in_products_is_text() {
    for (inside, wanted) in [
        (
            "<product>Foo <i>Pro</i> 2.x</product>",
            &["Foo Pro 2.x"][..],
        ),
        ("<product>Foo<br/>Bar</product>", &["Bar", "Foo"]),
        (
            "<products><product>Foo<br/>Bar</product><product>Foo <b>2</b></product></products>",
            &["Bar", "Foo", "Foo 2"],
        ),
        (
            "<products><p>Foo</p><p>Bar <em>2</em></p></products>",
            &["Bar 2", "Foo"],
        ),
        (
            "<products>Foo <i>Pro</i><br/>Bar</products>",
            &["Bar", "Foo Pro"],
        ),
        (
            "<products><ul><li>Foo</li><li>Bar</li></ul></products>",
            &["Bar", "Foo"],
        ),
        (
            "<products><span>Foo</span><span>Bar</span></products>",
            &["Bar", "Foo"],
        ),
        ("<product><b>Foo</b>bar</product>", &["Foobar"]),
        (
            "<product><name>Foo <b>Pro</b></name></product>",
            &["Foo Pro"],
        ),
        ("<product id='7'>Foo <b>Pro</b></product>", &["Foo Pro"]),
    ] {
        let advisory = read(inside);
        assert_eq!(names(&advisory), wanted, "{inside}");
        assert!(
            advisory.unrecognised.is_empty(),
            "{inside}: {:?}",
            advisory.unrecognised
        );
    }
    let advisory = read("<product>Foo <i class='x'>Pro</i></product>");
    assert_eq!(names(&advisory), ["Foo Pro"]);
    assert_eq!(advisory.unrecognised["adv/product/i/@class"], "x");
}

#[test]
fn markup_in_codes_is_text() {
    for status in [
        "Vendor <b>Patched</b>",
        "<i>Vendor</i> Patched",
        "<p>Vendor Patched</p>",
        "<code>2</code>",
    ] {
        let advisory = read(&format!("<solution_status>{status}</solution_status>"));
        assert_eq!(
            advisory.solution_status.as_deref(),
            Some("Vendor Patched"),
            "{status}"
        );
        assert!(advisory.unrecognised.is_empty(), "{status}");
    }
    for (impact, wanted) in [
        ("System <b>access</b>", &["System access"][..]),
        ("DoS<br/>System access", &["DoS", "System access"]),
        ("<p>DoS</p><p>Hijacking</p>", &["DoS", "Hijacking"]),
        ("<i>D</i>oS", &["DoS"]),
    ] {
        for name in ["impact", "impacts"] {
            let advisory = read(&format!("<{name}>{impact}</{name}>"));
            assert_eq!(advisory.impacts, wanted, "{impact}");
            assert!(advisory.unrecognised.is_empty(), "{impact}");
        }
    }
    let advisory =
        read("<where>From <b>remote</b></where><criticality>Highly <b>critical</b></criticality>");
    assert_eq!(advisory.attack_vector, Some(AttackVector::Remote));
    assert_eq!(advisory.criticality, Some(2));
    assert!(advisory.unrecognised.is_empty());
}

#[test]
fn markup_in_references_is_text_and_links_are_addresses() {
    for (inside, wanted) in [
        (
            "<reference>http://x/<b>y</b></reference>",
            &[(Some("http://x/y"), None)][..],
        ),
        (
            "<references>http://x/y<br/>A <i>book</i></references>",
            &[(None, Some("A book")), (Some("http://x/y"), None)],
        ),
        (
            "<reference><a href='http://x/y'>here</a></reference>",
            &[(Some("http://x/y"), Some("here"))],
        ),
        (
            "<reference>See <a href='http://x/y'>here</a> now</reference>",
            &[(Some("http://x/y"), Some("See here now"))],
        ),
        (
            "<references><p><a href='http://x/1'>one</a></p><p>http://x/3</p><p>The <a href='http://x/2'>two</a></p></references>",
            &[
                (Some("http://x/1"), Some("one")),
                (Some("http://x/2"), Some("The two")),
                (Some("http://x/3"), None),
            ],
        ),
    ] {
        let advisory = read(inside);
        let mut found: Vec<_> = advisory
            .references
            .iter()
            .map(|one| (one.url.as_deref(), one.description.as_deref()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, wanted, "{inside}");
        assert!(
            advisory.unrecognised.is_empty(),
            "{inside}: {:?}",
            advisory.unrecognised
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_version_of_a_score_is_what_the_record_says() {
    let v3 = "CVSS:3.1/AV:N/AC:L";
    let v4 = "CVSS:4.0/AV:N/AC:L";
    for (inside, wanted, unrecognised) in [
        (
            format!("<cvss_score>9.8</cvss_score><cvss_vector>{v3}</cvss_vector>"),
            [None, Some(9.8), None],
            0,
        ),
        (
            format!("<cvss_score>9.8</cvss_score><cvss_vector>{v4}</cvss_vector>"),
            [None, None, Some(9.8)],
            0,
        ),
        (
            "<cvss_score>9.8</cvss_score><cvss_vector>AV:N/AC:L/Au:N</cvss_vector>".to_owned(),
            [Some(9.8), None, None],
            0,
        ),
        (
            "<cvss_score>9.8</cvss_score>".to_owned(),
            [Some(9.8), None, None],
            0,
        ),
        (
            format!("<cvss2_score>9.8</cvss2_score><cvss2_vector>{v3}</cvss2_vector>"),
            [None; 3],
            2,
        ),
        (
            format!("<cvss3_score>9.3</cvss3_score><cvss3_vector>{v4}</cvss3_vector>"),
            [None; 3],
            2,
        ),
        (
            "<cvss3_score>9.3</cvss3_score><cvss3_vector>CVSS:5.0/AV:N</cvss3_vector>".to_owned(),
            [None; 3],
            2,
        ),
        (
            format!(
                "<cvss_score>9.8</cvss_score><cvss_vector>{v3}</cvss_vector>\
            <cvss3_score>9.8</cvss3_score><cvss3_vector>{v3}</cvss3_vector>"
            ),
            [None, Some(9.8), None],
            0,
        ),
        (
            format!(
                "<cvss_score>7</cvss_score><cvss_vector>{v3}</cvss_vector><cvss3_score>9.8</cvss3_score>"
            ),
            [None, Some(9.8), None],
            2,
        ),
        ("<cvss version='5.0' score='9.8'/>".to_owned(), [None; 3], 2),
        ("<cvss>9.8</cvss>".to_owned(), [None; 3], 1),
        (
            "<cvss version='CVSSv3'>9.8</cvss>".to_owned(),
            [None, Some(9.8), None],
            0,
        ),
        (
            "<cvss version='2.0' score='9.8'/>".to_owned(),
            [Some(9.8), None, None],
            0,
        ),
        (
            format!("<cvss version='2.0' score='9.8' vector='{v3}'/>"),
            [None; 3],
            3,
        ),
        (
            format!("<cvss score='9.8' vector='{v4}'/>"),
            [None, None, Some(9.8)],
            0,
        ),
    ] {
        let advisory = read(&inside);
        let scores = [&advisory.cvss2, &advisory.cvss3, &advisory.cvss4].map(|one| one.score);
        assert_eq!(scores, wanted, "{inside}");
        assert_eq!(
            advisory.unrecognised.len(),
            unrecognised,
            "{inside}: {:?}",
            advisory.unrecognised
        );
    }
    let detail =
        serde_json::json!({"advisory_identifier": "SA1", "cvss_score": "9.8", "cvss_vector": v3});
    let advisory = read_json(&rules(), &detail).unwrap();
    assert_eq!(
        (advisory.cvss2.score, advisory.cvss3.score),
        (None, Some(9.8))
    );
    let detail = serde_json::json!({"advisory_identifier": "SA1", "products": [{"id": 7}]});
    assert!(read_json(&rules(), &detail).unwrap().products.is_empty());
}

#[test]
fn references_to_white_space_between_records_are_white_space() {
    let document = "<r>&#x20;<adv said='SA1'/>&#x20;\n&#10;&#32;<adv said='SA2'/>&#xD;</r>";
    // Of a reference that is cut the rest comes with the next piece.
    for rules in [rules(), hasty()] {
        for piece in 1..=document.len() {
            let (records, end) = split_with(&rules, document.as_bytes(), None, piece);
            assert_eq!((records.len(), end.is_ok()), (2, true), "{piece}: {end:?}");
        }
    }
    for text in ["&#65;", "&amp;", "&#x20", "&#x20;x", "&#;"] {
        let document = format!("<r><adv said='SA1'/>{text}<adv said='SA2'/></r>");
        assert!(split(document.as_bytes()).1.is_err(), "{text}");
    }
}

#[test]
fn a_hidden_or_oversized_record_is_refused_once() {
    let attributes = (0..300).map(|number| format!(" a{number}='x'"));
    let attributes = attributes.collect::<Vec<_>>().concat();
    for record in [
        "<!-- <adv><said>SA7</said></adv> -->".to_owned(),
        "<?x <adv><said>SA7</said></adv> ?>".to_owned(),
        format!("<adv><said>SA7</said><x{attributes}/></adv>"),
        format!("<adv{attributes}><said>SA7</said></adv>"),
        format!("<adv{attributes} said='SA7'><t>x</t></adv>"),
        format!("<adv said='SA7'{attributes}/>"),
    ] {
        let unreadable = read_record(&rules(), record.as_bytes()).unwrap_err();
        assert_eq!(unreadable.key.as_deref(), Some("SA7"), "{record}");
        assert!(unreadable.others.is_empty(), "{record}");
        assert!(!unreadable.reason.contains("no element"), "{record}");
    }
}
