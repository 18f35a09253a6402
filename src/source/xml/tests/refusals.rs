use std::sync::Arc;

use super::super::{FeedError, ParserRules, read_record};
use super::{failure, rules, split, split_with};

#[test]
fn an_entity_bomb_is_refused_at_the_document_type() {
    let bomb = b"<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]>\
        <r><adv><said>SA1</said><t>&lol2;</t></adv></r>";
    assert_eq!(failure(bomb), FeedError::EntityDeclaration { at: 0 });
    assert!(split(bomb).0.is_empty());
}

#[test]
fn documents_that_point_outside_are_refused() {
    for head in [
        "<!DOCTYPE r SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE r PUBLIC '-//X//Y' 'https://example.com/x.dtd'>",
        "<!DOCTYPE r [ %remote; ]>",
    ] {
        let error = failure(format!("{head}<r><adv said='SA1'/></r>").as_bytes());
        assert_eq!(error, FeedError::External { at: 0 }, "{head}");
    }
    for entity in [
        "<!ENTITY x SYSTEM 'file:///etc/passwd'>",
        "<!entity % x 'y'>",
    ] {
        let error = failure(format!("<!DOCTYPE r [{entity}]><r said='SA1'>&x;</r>").as_bytes());
        assert_eq!(error, FeedError::EntityDeclaration { at: 0 }, "{entity}");
    }
}

#[test]
fn an_html_page_is_reported_as_one() {
    for page in [
        "<!DOCTYPE html>\n<html><head><title>502</title></head><body>x<br></body></html>",
        "\n<!doctype HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\"><p>",
        "<HTML><body>SA1</body></HTML>",
        "<html><body><a id='SA1'>advisory</a></body></html>",
    ] {
        assert_eq!(failure(page.as_bytes()), FeedError::Html, "{page}");
    }
}

#[test]
fn nothing_is_not_a_feed() {
    for document in [
        "",
        " \n",
        "<?xml version='1.0'?>\n<!-- nothing -->",
        "\u{feff}",
    ] {
        assert_eq!(
            failure(document.as_bytes()),
            FeedError::Empty,
            "{document:?}"
        );
    }
}

#[test]
fn markup_that_does_not_end_is_a_document_cut_short() {
    for document in [
        "<?xml version='1.0'",
        "<!-- a",
        "<r><adv said='SA1'/></r",
        "<r><adv said='SA1'/></r><!-- a -",
        "<r><adv said='SA1'/></r><?a",
    ] {
        let at = document.len() as u64;
        assert_eq!(failure(document.as_bytes()), FeedError::Truncated { at });
    }
}

#[test]
fn what_is_wrong_outside_of_records_fails_the_document_and_keeps_the_records() {
    let record = "<adv><said>SA1</said></adv>";
    for (document, what) in [
        (format!("<r>{record}</r><r/>"), "a second root element"),
        (format!("<r>{record}</r>x"), "text behind the end"),
        (
            format!("<r>{record}</x></r>"),
            "`</x>` where `</r>` belongs",
        ),
        (format!("<r>{record}</r></r>"), "`</r>` ends nothing"),
        (format!("<r>{record}\u{b}</r>"), "control character U+000B"),
        (format!("<r>{record}</r>\0"), "control character U+0000"),
        (
            format!("<r>{record}<!DOCTYPE r></r>"),
            "a document type inside",
        ),
        (
            format!("<r>{record}</r><![CDATA[]]>"),
            "a CDATA section outside",
        ),
    ] {
        let (records, end) = split(document.as_bytes());
        let error = end.unwrap_err().to_string();
        assert!(error.contains(what), "{document}: {error}");
        assert!(error.contains("not well formed at byte 3"), "{error}");
        assert_eq!(records.len(), 1, "{document}");
    }
    let error = failure(b"{\"detail\": \"Invalid token.\"}").to_string();
    assert!(error.contains("looks like JSON"), "{error}");
}

#[test]
fn a_record_nested_too_deep_is_unreadable_and_costs_no_other() {
    let deep = format!(
        "<adv><said>SA1</said>{}{}</adv>",
        "<b>".repeat(5000),
        "</b>".repeat(5000)
    );
    let (records, end) = split(format!("<r>{deep}<adv said='SA2'/></r>").as_bytes());
    assert_eq!(end.unwrap().records, 2);
    let error = read_record(&rules(), &records[0]).unwrap_err();
    assert_eq!(error.reason, "elements are nested deeper than 64");
    assert_eq!(error.key.as_deref(), Some("SA1"));
}

#[test]
fn wrappers_nested_too_deep_are_refused() {
    let document = format!("{}{}", "<b>".repeat(1000), "</b>".repeat(1000));
    let wanted = FeedError::TooDeep { limit: 64, at: 192 };
    assert_eq!(failure(document.as_bytes()), wanted);
}

#[test]
fn limits_are_kept_and_named() {
    let mut small = ParserRules::clone(&rules());
    small.limits.record_bytes = 100;
    small.limits.markup_bytes = 100;
    small.limits.elements = 3;
    small.limits.attributes = 2;
    let small = Arc::new(small);
    let fill = "x".repeat(200);
    let large = format!("<adv><said>SA2</said>{fill}</adv>");
    let record = format!("<r><adv said='SA1'/>{large}<adv said='SA3'/></r>");
    for piece in [1, 10, 1000] {
        let (records, end) = split_with(&small, record.as_bytes(), None, piece);
        assert_eq!((records.len(), end.unwrap().records), (3, 3), "{piece}");
        let skipped = read_record(&small, &records[1]).unwrap_err();
        assert_eq!(skipped.key.as_deref(), Some("SA2"));
        assert_eq!(read_record(&small, &records[2]).unwrap().said, "SA3");
    }
    let (records, end) = split_with(&small, large.as_bytes(), None, 10);
    assert_eq!(records.len(), 0);
    let error = end.unwrap_err().to_string();
    assert_eq!(error, "`adv` at byte 0 is larger than 100 bytes");
    for markup in [
        format!("<adv said='SA2' title='{fill}'/>"),
        format!("<![CDATA[{fill}]]>"),
    ] {
        let document = format!("<r><adv said='SA1'/>{markup}</r>");
        let (_, end) = split_with(&small, document.as_bytes(), None, 10);
        assert!(
            matches!(
                end,
                Err(FeedError::TooLarge {
                    limit_bytes: 100,
                    ..
                })
            ),
            "{end:?}"
        );
    }
    let reason = |record: &str| read_record(&small, record.as_bytes()).unwrap_err().reason;
    assert_eq!(
        reason("<adv said='SA1'><a/><a/><a/></adv>"),
        "more than 3 elements"
    );
    assert_eq!(
        reason("<a said='SA1' b='' c=''/>"),
        "an element has more than 2 attributes"
    );
    assert_eq!(reason(&record), "larger than 100 bytes");
}

#[test]
fn no_entity_of_a_document_is_ever_expanded() {
    let read = read_record(
        &rules(),
        b"<adv said='SA1' title='&xxe;'><description>&xxe;</description></adv>",
    )
    .unwrap();
    assert_eq!(read.title.as_deref(), Some("&xxe;"));
    assert_eq!(read.description.as_deref(), Some("&xxe;"));
    assert_eq!(
        read.unrecognised["repaired"],
        "unknown entity `&xxe;` at byte 23; unknown entity `&xxe;` at byte 43"
    );
}

#[test]
fn a_record_without_identifier_says_what_stands_in_its_place() {
    let refused = |record: &str| read_record(&rules(), record.as_bytes()).unwrap_err();
    let nothing = refused("<adv><title>x</title><id>17</id></adv>");
    assert_eq!(nothing.reason, "it has no identifier");
    assert_eq!(nothing.key, None);
    let other = refused("<adv><advisory_identifier>SA-48</advisory_identifier></adv>");
    assert_eq!(
        other.reason,
        "it has no identifier: `advisory_identifier` is `SA-48`, which is not of the form `SA[0-9]{1,7}`"
    );
}

#[test]
fn a_reference_to_another_advisory_is_not_the_identifier_of_a_record() {
    let refused = |record: &str| read_record(&rules(), record.as_bytes()).unwrap_err();
    for (record, hints) in [
        (
            "<adv><advisory_identifier/><title>x</title><references><reference><description>SA7\
             </description><url>http://x/?id=SA7</url></reference></references></adv>",
            &["SA7"][..],
        ),
        (
            "<adv><said></said><related><adv><said>SA7</said></adv></related></adv>",
            &["SA7"],
        ),
        ("<adv><serial>SA7</serial><title>x</title></adv>", &["SA7"]),
    ] {
        let refused = refused(record);
        assert_eq!(refused.key, None, "{record}");
        assert_eq!(refused.reason, "it has no identifier; it mentions SA7");
        assert_eq!(refused.hints, hints, "{record}");
        assert!(refused.others.is_empty(), "{record}");
    }
    // Of a damaged record, what stands before the damage is its own; what stands behind it
    // may be that of another one.
    let deep = format!("{}{}", "<b>".repeat(99), "</b>".repeat(99));
    let before = refused(&format!(
        "<adv><said>SA1</said>{deep}<said>SA2</said></adv>"
    ));
    assert_eq!(before.key.as_deref(), Some("SA1"));
    let behind = refused(&format!("<adv>{deep}<x><said>SA2</said></x></adv>"));
    assert_eq!((behind.key, &*behind.others[0].key), (None, "SA2"));
}

#[test]
fn markup_without_end_in_place_of_records_is_refused_as_what_it_is() {
    let limit = rules().limits.markup_in_a_row;
    let record = "<adv><said>SA1</said><t>x</t></adv>";
    for piece in ["<x/>", "<x>y</x>", "<!---->", "<?x?>", "<g><x/></g>"] {
        for before in ["<r>", &format!("<r>{record}")] {
            let document = format!("{before}{}</r>", piece.repeat(limit + 1));
            let (records, end) = split(document.as_bytes());
            let error = end.unwrap_err();
            assert!(
                matches!(error, FeedError::NoRecords { limit: found, .. } if found == limit),
                "{before}{piece}: {error}"
            );
            assert_eq!(records.len(), usize::from(before != "<r>"), "{piece}");
        }
    }
    // Between records there may be as many as there are records, and more.
    let document = format!(
        "<r>{}</r>",
        format!("{record}{}", "<x/>".repeat(1000)).repeat(limit / 1000 + 1)
    );
    let (records, end) = split(document.as_bytes());
    end.unwrap();
    assert_eq!(records.len(), limit / 1000 + 1);
}
