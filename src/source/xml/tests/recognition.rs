use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::super::{FeedError, ParserRules, Profile, RecordReader, record_key};
use super::{failure, ids, rules, split, split_with};

#[test]
fn records_are_found_whatever_wrapper_namespace_and_order_they_have() {
    let documents = [
        "<a><adv><said>SA1</said></adv><adv><said>SA2</said></adv></a>",
        "<a><adv><t>x</t><Advisory-Identifier>SA1</Advisory-Identifier></adv><adv><identifier> SA2\n</identifier></adv></a>",
        "<a xmlns='urn:x'><s:adv said=\"SA1\" id='7'/><s:adv id='8' said='SA2'>x</s:adv></a>",
        "<root><count>2</count><next/><results><list-item><said>SA1</said></list-item><list-item><said>SA2</said></list-item></results></root>",
        "<f><d><l><adv><said><![CDATA[SA1]]></said></adv></l><l><adv><said>SA<!-- x -->2</said></adv></l></d></f>",
        "<f><cvrfdoc><DocumentTracking><Identification><ID>SA1</ID></Identification></DocumentTracking></cvrfdoc><x said='SA2'/></f>",
    ];
    for document in documents {
        assert_eq!(ids(document), ["SA1", "SA2"], "{document}");
    }
}

#[test]
fn a_single_record_is_found_with_and_without_a_wrapper() {
    let record = "<adv><said>SA7</said></adv>";
    assert_eq!(ids(&format!("<feed>{record}</feed>")), ["SA7"]);
    assert_eq!(ids(record), ["SA7"]);
    assert_eq!(ids("<adv said='SA7'/>"), ["SA7"]);
    let (_, end) = split(record.as_bytes());
    assert_eq!(end.unwrap().root, "adv");
}

#[test]
fn related_advisories_inside_of_a_record_are_no_records() {
    let nested = "<related><adv><said>SA8</said></adv><adv><said>SA9</said></adv></related>";
    let one = |id: u8| format!("<adv>{nested}<said>SA{id}</said></adv>");
    assert_eq!(ids(&format!("<r>{}{}</r>", one(1), one(2))), ["SA1", "SA2"]);
    assert_eq!(ids(&one(1)), ["SA1"]);
    let list = "<root><list-item><custom_info><affected_asset_lists><list-item><advisory_identifier>SA3\
        </advisory_identifier></list-item></affected_asset_lists></custom_info><advisory_identifier>SA4\
        </advisory_identifier></list-item></root>";
    assert_eq!(ids(list), ["SA4"]);
}

#[test]
fn a_number_as_id_is_no_identifier() {
    let document = "<r><item id='215177'><adv><id>SA1</id></adv></item><item id='3'/></r>";
    assert_eq!(ids(document), ["SA1"]);
}

#[test]
fn records_without_identifier_and_of_other_names_are_handed_out_too() {
    let document = "<r><count>4</count><adv><said>SA1</said></adv><adv><t>lost</t></adv>\
        <notice><said>SA2</said></notice><notice/><banner>hello</banner>\
        <next>https://example.com/?page=2&amp;x=1</next></r>";
    assert_eq!(ids(document), ["SA1", "?", "SA2", "?"]);
    let document = split(document.as_bytes()).1.unwrap();
    assert_eq!(document.records, 4);
    assert_eq!(document.claimed, Some(4));
    assert_eq!(
        document.next.as_deref(),
        Some("https://example.com/?page=2&x=1")
    );
    assert_eq!(document.ignored, ["banner"]);
    assert_eq!(document.record.as_deref(), Some("adv"));
}

#[test]
fn the_envelope_around_a_list_is_read() {
    let document = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<root><count>80529</count>\
        <next>https://example.com/api/xml-feed/?page=2</next><previous></previous>\
        <results><list-item><advisory_identifier>SA1</advisory_identifier></list-item></results></root>\n";
    let document = split(document.as_bytes()).1.unwrap();
    assert_eq!(document.claimed, Some(80_529));
    assert_eq!(
        document.next.as_deref(),
        Some("https://example.com/api/xml-feed/?page=2")
    );
    assert_eq!(document.profile, Profile::Drf);
    assert_eq!(document.root, "root");
}

#[test]
fn an_empty_feed_is_a_success() {
    for document in [
        "<advisories/>",
        "<x:Advisory_List xmlns:x='urn:x'>\n</x:Advisory_List>",
        "<root><count>0</count><next></next><previous/><results>  </results></root>",
    ] {
        let (records, end) = split(document.as_bytes());
        assert!(records.is_empty());
        assert_eq!(end.unwrap().records, 0, "{document}");
    }
    let mut reader = RecordReader::new(rules(), None, Some("VulnFeed"));
    reader.push(b"<vuln-feed/>", &mut |_| ()).unwrap();
    assert_eq!(reader.finish(&mut |_| ()).unwrap().records, 0);
}

#[test]
fn a_document_that_is_not_understood_is_not_an_empty_feed() {
    for document in [
        "<vulnfeed/>",
        "<root><detail>Invalid token.</detail></root>",
        "<root>sorry</root>",
        "<root>sorry<count>0</count></root>",
        "<root><count>3</count><results/></root>",
        "<root><count>0</count><next>https://example.com/2</next></root>",
        "<advisories><advisory><number>17</number></advisory></advisories>",
    ] {
        let error = failure(document.as_bytes());
        assert!(
            matches!(error, FeedError::NotRecognised { .. }),
            "{document}: {error}"
        );
    }
    let error = failure(b"<root><detail>Invalid token.</detail><code>7</code></root>");
    assert_eq!(
        error.to_string(),
        "structure not recognised: no element in `root` contains an identifier; elements seen: detail, code"
    );
}

#[test]
fn an_alias_of_the_configuration_finds_records() {
    let extra = BTreeMap::from([("said".to_owned(), vec!["head/@vuln_id".to_owned()])]);
    let rules = Arc::new(ParserRules::new("V-[0-9]+", &extra).unwrap());
    let document = b"<x><v><head vuln-id='V-1'/></v><v><t/><head Vuln_ID='V-2'/></v></x>";
    let (records, end) = split_with(&rules, document, None, 5);
    assert_eq!(end.unwrap().records, 2);
    let said: Vec<_> = records
        .iter()
        .filter_map(|record| record_key(&rules, record))
        .collect();
    assert_eq!(said, ["V-1", "V-2"]);
    let read = super::read_record(&rules, &records[1]).unwrap();
    assert_eq!(read.said, "V-2");
}

#[test]
fn many_nested_advisories_before_the_first_identifier_do_not_mislead() {
    let mut document = String::from("<r><adv><related>");
    for id in 0..200 {
        write!(document, "<adv><said>SA{id}</said></adv>").unwrap();
    }
    document.push_str("</related><said>SA1000</said></adv></r>");
    assert_eq!(ids(&document), ["SA1000"]);
}
