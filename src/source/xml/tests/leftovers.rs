//! Every text and attribute of a record is in a column, or under `unrecognised`.

use std::fmt::Write as _;

use serde_json::json;

use super::super::{ParserRules, read_json, read_record, read_records};
use super::lossless::{Markers, names};
use super::rules;

/// The texts `TOKa` to `TOKe` that a record lacks.
fn lost(rules: &ParserRules, inside: &str) -> Vec<String> {
    let record = format!("<adv><said>SA1</said>{inside}</adv>");
    let advisory = read_record(rules, record.as_bytes()).unwrap();
    let all = serde_json::to_string(&advisory).unwrap();
    let texts = ('a'..='e').map(|letter| format!("TOK{letter}"));
    let is_lost = |text: &String| inside.contains(text) && !all.contains(text);
    texts.filter(is_lost).collect()
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
