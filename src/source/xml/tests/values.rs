use std::collections::BTreeMap;

use chrono::DateTime;

use super::super::{ParserRules, read_record, read_records};
use super::rules;
use crate::config::AliasField;
use crate::model::{Advisory, AttackVector, Cvss, overlay, sample};

fn read(inside: &str) -> Advisory {
    let record = format!("<adv><said>SA1</said>{inside}</adv>");
    read_record(&rules(), record.as_bytes()).unwrap()
}

#[test]
fn an_identifier_is_enough() {
    let wanted = Advisory {
        said: "SA1".to_owned(),
        ..Advisory::default()
    };
    assert_eq!(read(""), wanted);
    let blank = "<title/><criticality></criticality><where> </where><cvss3_score/><released/><products/>\
        <references></references><impact/><vulnerabilities/><cve_str_list/><cvss3_info/><is_zero_day/><id/>";
    assert_eq!(read(blank), wanted);
}

#[test]
fn values_that_cannot_be_read_are_kept_and_harm_nothing() {
    let advisory = read(
        "<title>T</title><released>yesterday</released><modified_date>2026-13-01</modified_date>\
        <criticality>Purple</criticality><where>9</where><cvss3_score>high</cvss3_score>\
        <cvss_score>11</cvss_score><is_zero_day>maybe</is_zero_day><id>x17</id><cve>CVE-20-1</cve>",
    );
    assert_eq!(advisory.title.as_deref(), Some("T"));
    assert_eq!(advisory.attack_vector, Some(AttackVector::Unknown));
    let kept: Vec<(&str, &str)> = advisory
        .unrecognised
        .iter()
        .map(|(field, text)| (field.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        kept,
        [
            ("attack_vector", "9"),
            ("criticality", "Purple"),
            ("cves", "CVE-20-1"),
            ("cvss2_score", "11"),
            ("cvss3_score", "high"),
            ("is_zero_day", "maybe"),
            ("modified_at", "2026-13-01"),
            ("released_at", "yesterday"),
            ("upstream_id", "x17"),
        ]
    );
}

#[test]
fn unknown_codes_stay_as_they_came() {
    let advisory = read(
        "<criticality>17</criticality><solution_status>9</solution_status>\
        <solution_status_description>Mitigated</solution_status_description>\
        <impact><item><id>99</id><name>Time travel</name></item><item><id>98</id></item></impact>",
    );
    assert_eq!(advisory.criticality, Some(17));
    assert_eq!(advisory.solution_status.as_deref(), Some("Mitigated"));
    assert_eq!(advisory.impacts, ["98", "Time travel"]);
    assert_eq!(
        read("<solution_status>9</solution_status>")
            .solution_status
            .as_deref(),
        Some("9")
    );
    let kept: Vec<(&str, &str)> = advisory
        .unrecognised
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        kept,
        [("adv/impact/item/id", "99"), ("adv/solution_status", "9")]
    );
}

#[test]
fn codes_come_as_code_name_description_or_inside() {
    for inside in [
        "<criticality>3</criticality>",
        "<criticality>Moderately critical</criticality>",
        "<criticality_description>moderately critical</criticality_description>",
        "<criticality id='3'>?</criticality>",
        "<criticality><id>3</id><name>Moderately critical</name></criticality>",
        "<severity>MODERATELY_CRITICAL</severity>",
    ] {
        assert_eq!(read(inside).criticality, Some(3), "{inside}");
    }
    assert_eq!(
        read("<where>0</where>").attack_vector,
        Some(AttackVector::None)
    );
    assert_eq!(
        read("<where_description>Local system</where_description>").attack_vector,
        Some(AttackVector::Local)
    );
    assert_eq!(
        read("<solution_status>0</solution_status>")
            .solution_status
            .as_deref(),
        Some("None")
    );
    assert_eq!(
        read("<impact>1</impact><impact>DoS</impact>").impacts,
        ["DoS", "System access"]
    );
    assert_eq!(
        read("<impacts><impact>DoS</impact></impacts>").impacts,
        ["DoS"]
    );
    assert_eq!(
        read("<impact_description>DoS, Hijacking</impact_description>").impacts,
        ["DoS", "Hijacking"]
    );
}

#[test]
fn rejections_are_seen_by_type_criticality_and_name() {
    for inside in [
        "<type>1</type>",
        "<criticality>0</criticality>",
        "<criticality_description>Rejected</criticality_description>",
        "<is_rejected>yes</is_rejected>",
    ] {
        assert!(read(inside).is_rejected, "{inside}");
    }
    assert!(!read("<type>0</type><criticality>5</criticality>").is_rejected);
}

#[test]
fn a_score_of_zero_without_vector_is_absent() {
    assert_eq!(
        read("<cvss_score>0.0</cvss_score><cvss_vector/>").cvss2,
        Cvss::default()
    );
    let zero = read("<cvss3_score>0</cvss3_score><cvss3_vector>CVSS:3.1/AV:N</cvss3_vector>").cvss3;
    assert_eq!(zero.score, Some(0.0));
    assert_eq!(
        read("<cvss3 score='9.8' vector='v'/>").cvss3.score,
        Some(9.8)
    );
    assert_eq!(
        read("<cvss vector='CVSS:3.1/AV:N' score='5'/>").cvss3.score,
        Some(5.0)
    );
    assert_eq!(
        read("<threat_score>Not present</threat_score>").threat_score,
        None
    );
}

#[test]
fn cves_come_from_every_list_but_not_from_prose() {
    let advisory = read(
        "<cves>CVE-2026-0001, cve-2026-0002</cves><cve>CVE-2026-0003</cve>\
        <cve_list><cve><id>CVE-2026-0004</id></cve><cve>CVE-2026-0001</cve></cve_list>\
        <vulnerabilities><vulnerability cve='CVE-2026-0005'><description>CVE-2026-9999</description></vulnerability>\
        <vulnerability>CVE-2026-0006</vulnerability></vulnerabilities><description>like CVE-2026-9998</description>",
    );
    let wanted: Vec<String> = (1..=6)
        .map(|number| format!("CVE-2026-000{number}"))
        .collect();
    assert_eq!(advisory.cves, wanted);
    let kept: Vec<&String> = advisory.unrecognised.keys().collect();
    assert_eq!(kept, ["adv/vulnerabilities/vulnerability/description"]);
}

#[test]
fn lists_may_be_flat_single_or_plain() {
    let names = |inside: &str| -> Vec<String> {
        read(inside)
            .products
            .into_iter()
            .map(|product| product.name)
            .collect()
    };
    assert_eq!(
        names("<products><product>A</product><product>B</product></products>"),
        ["A", "B"]
    );
    assert_eq!(names("<product>A</product><product name='B'/>"), ["A", "B"]);
    assert_eq!(
        names("<products><name>A</name><id>1</id></products>"),
        ["A"]
    );
    assert!(names("<products><product id='7'/></products>").is_empty());
    assert_eq!(names("<affected><product name='A'/></affected>"), ["A"]);
    let links = read(
        "<references><reference>https://example.com/b</reference><reference>Book</reference></references>",
    );
    assert_eq!(links.references[0].description.as_deref(), Some("Book"));
    assert_eq!(
        links.references[1].url.as_deref(),
        Some("https://example.com/b")
    );
    assert_eq!(links.references[1].ordinal, 2);
}

#[test]
fn another_order_of_lists_is_no_other_advisory() {
    let one = read(
        "<ref url='https://example.com/a'/><ref url='https://example.com/b'/><cve>CVE-2026-0001</cve><cve>CVE-2026-0002</cve>",
    );
    let other = read(
        "<cve>CVE-2026-0002</cve><ref url='https://example.com/b'/><cve>CVE-2026-0001</cve><ref url='https://example.com/a'/>",
    );
    assert_eq!(one.content_hash(), other.content_hash());
}

#[test]
fn what_related_advisories_say_stays_theirs() {
    let advisory = read(
        "<related><title>Theirs</title><advisory><said>SA2</said><title>Theirs</title><cve>CVE-2026-0001</cve>\
        <solution>Theirs</solution></advisory></related><custom_info><cvss3_score>9.9</cvss3_score></custom_info>",
    );
    let kept: Vec<&String> = advisory.unrecognised.keys().collect();
    let wanted = [
        "adv/custom_info/cvss3_score",
        "adv/related/advisory",
        "adv/related/title",
    ];
    assert_eq!(kept, wanted);
    let columns = Advisory {
        unrecognised: BTreeMap::new(),
        ..advisory
    };
    assert_eq!(columns, read(""));
}

#[test]
fn whole_records_within_a_record_are_handed_out() {
    let inner = "<adv>\n<said>SA3</said><title>B &amp; C</title><criticality>2</criticality></adv>";
    let record = format!(
        "<adv><said>SA1</said><title>A</title><supersedes><adv id='SA2' title='x' criticality='3'/>\
         <list>{inner}</list></supersedes><related><adv><said>SA4</said></adv>\
         <adv><said>SA1</said><title>Itself</title></adv></related></adv>"
    );
    let (advisory, within) = read_records(&rules(), record.as_bytes()).unwrap();
    let within: Vec<(&str, &str)> = within
        .iter()
        .map(|other| (other.key.as_str(), other.raw.as_str()))
        .collect();
    assert_eq!(
        within,
        [
            ("SA2", "<adv id='SA2' title='x' criticality='3'/>"),
            ("SA3", inner)
        ]
    );
    assert_eq!(advisory.title.as_deref(), Some("A"));
    assert_eq!(advisory.unrecognised["adv/supersedes/adv"], "SA2");
    assert_eq!(advisory.unrecognised["adv/supersedes/list/adv"], "SA3");
    assert_eq!(advisory.unrecognised["adv/related/adv/said"], "SA4; SA1");
    assert_eq!(advisory.unrecognised["adv/related/adv/title"], "Itself");
}

#[test]
fn aliases_of_the_configuration_come_first() {
    let extra = BTreeMap::from([
        (
            "title".to_owned(),
            vec!["head/@caption".to_owned(), "headline".to_owned()],
        ),
        ("criticality".to_owned(), vec!["@sev".to_owned()]),
    ]);
    let rules = ParserRules::new("SA[0-9]+", &extra).unwrap();
    let record = b"<adv said='SA1' sev='2'><title>Old</title><head caption='New'/><criticality>5</criticality></adv>";
    let advisory = read_record(&rules, record).unwrap();
    assert_eq!(advisory.title.as_deref(), Some("New"));
    assert_eq!(advisory.criticality, Some(2));
}

/// Whatever fields there are: all but the identifier and the flags can be open.
#[test]
fn what_is_not_understood_of_a_field_is_dropped_where_another_statement_says_it() {
    let odd = |field: &AliasField| (field.name().to_owned(), "odd".to_owned());
    let record = Advisory {
        unrecognised: AliasField::ALL.iter().map(odd).collect(),
        ..Advisory::default()
    };
    let detail = Advisory {
        unrecognised: BTreeMap::new(),
        ..sample::full()
    };
    let left = overlay(&record, &detail, &[], DateTime::UNIX_EPOCH).unrecognised;
    assert!(left.keys().eq(["is_rejected", "said", "type"]), "{left:?}");
    let left = overlay(&record, &Advisory::default(), &[], DateTime::UNIX_EPOCH).unrecognised;
    assert_eq!(left.len(), AliasField::ALL.len());
}

#[test]
fn of_values_that_contradict_each_other_the_worse_one_counts() {
    for (inside, criticality, kept) in [
        (
            r#"<criticality value="2">Less critical</criticality>"#,
            2,
            "Less critical",
        ),
        (
            r#"<criticality value="4">Highly critical</criticality>"#,
            2,
            "4",
        ),
        (
            "<severity>Highly critical</severity><criticality>5</criticality>",
            2,
            "5",
        ),
        (
            "<criticality>2</criticality><severity>Less critical</severity>",
            2,
            "Less critical",
        ),
    ] {
        let advisory = read(inside);
        assert_eq!(advisory.criticality, Some(criticality), "{inside}");
        let texts: Vec<&str> = advisory.unrecognised.values().map(String::as_str).collect();
        assert_eq!(texts, [kept], "{inside}");
    }
    // A number may be on another scale.
    let advisory = read("<severity>1</severity><criticality>5</criticality>");
    assert_eq!(advisory.criticality, Some(5));
    for inside in [
        "<where>2</where><where>1</where>",
        "<where>1</where><where>2</where>",
    ] {
        let advisory = read(inside);
        assert_eq!(
            advisory.attack_vector,
            Some(AttackVector::Remote),
            "{inside}"
        );
        assert_eq!(advisory.unrecognised["attack_vector"], "2", "{inside}");
    }
    let advisory =
        read("<vendor><name>Acme</name><product>Foo</product><product>Bar</product></vendor>");
    let names: Vec<_> = advisory.products.iter().map(|one| &one.name).collect();
    assert_eq!(names, ["Bar", "Foo"]);
}

/// What looks like a tag and has no counterpart in a text is a word of it.
#[test]
fn words_in_angle_brackets_stay_in_the_text() {
    for (text, wanted) in [
        ("use std::vector<int> and <T> here", None),
        ("<T> is a type, <V> another", None),
        ("the <select> element of <form> pages", None),
        ("map<K, V> or map<int, vector<int>>", None),
        ("run cmd <file name> now", None),
        ("the </head> tag", None),
        ("if a <b and c> d", None),
        ("open <b>bold", Some("open bold")),
        ("one<br>two<p>three", Some("one\ntwo\nthree")),
        ("use <x>the</x> word", Some("use the word")),
    ] {
        let advisory = read(&format!("<fix>{text}</fix><where>1</where>"));
        assert_eq!(
            advisory.solution.as_deref(),
            Some(wanted.unwrap_or(text)),
            "{text}"
        );
        assert_eq!(advisory.is_repaired(), !text.contains("</x>"), "{text}");
        assert_eq!(advisory.attack_vector, Some(AttackVector::Remote));
    }
    // What would have to be remembered of a record is limited.
    let ends = (0..100_000).map(|number| format!("</e{number}>"));
    let hostile = format!("<fix>vector<int>{}</fix>", ends.collect::<String>());
    let read_in = std::time::Instant::now();
    assert_eq!(read(&hostile).solution.as_deref(), Some("vector"));
    assert!(read_in.elapsed().as_secs() < 20, "{:?}", read_in.elapsed());
    // More words than elements may be nested.
    let many = "vector<int> ".repeat(200);
    assert_eq!(
        read(&format!("<fix>{many}</fix>")).solution.as_deref(),
        Some(many.trim())
    );
}
