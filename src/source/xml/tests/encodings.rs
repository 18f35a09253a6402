use encoding_rs::{Encoding, WINDOWS_1252};

use super::super::{FeedError, read_record};
use super::{rules, split_with};

const BODY: &str =
    "<feed><adv><said>SA1</said><title>Müller é</title></adv><adv><said>SA2</said></adv></feed>";

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

fn latin(text: &str) -> Vec<u8> {
    let encoding: &Encoding = WINDOWS_1252;
    encoding.encode(text).0.into_owned()
}

fn title(document: &[u8], charset: Option<&str>) -> Option<String> {
    let mut title = None;
    for piece in [1, 2, 3, 5, usize::MAX] {
        let (records, end) = split_with(&rules(), document, charset, piece);
        assert_eq!(end.unwrap().records, 2, "pieces of {piece}");
        title = read_record(&rules(), &records[0]).unwrap().title;
    }
    title
}

#[test]
fn every_encoding_is_read_by_mark_declaration_or_content_type() {
    let declared = |label: &str| format!("<?xml version=\"1.0\" encoding='{label}'?>\n{BODY}");
    let documents = [
        (BODY.as_bytes().to_vec(), None),
        (format!("\u{feff}{BODY}").into_bytes(), Some("iso-8859-1")),
        (declared("UTF-8").into_bytes(), Some("iso-8859-1")),
        (declared("utf-16").into_bytes(), None),
        (latin(&declared("ISO-8859-1")), Some("utf-8")),
        (latin(&declared("windows-1252")), None),
        (latin(BODY), Some("ISO-8859-1")),
        (latin(BODY), Some("\"windows-1252\"")),
        (utf16(&format!("\u{feff}{BODY}"), u16::to_le_bytes), None),
        (
            utf16(&format!("\u{feff}{BODY}"), u16::to_be_bytes),
            Some("utf-8"),
        ),
        (utf16(&declared("UTF-16"), u16::to_le_bytes), None),
        (utf16(&declared("utf-16"), u16::to_be_bytes), None),
    ];
    for (document, charset) in documents {
        assert_eq!(
            title(&document, charset).as_deref(),
            Some("Müller é"),
            "{charset:?}"
        );
    }
}

#[test]
fn windows_characters_are_read_under_the_latin_label_too() {
    let document = latin(&BODY.replace('é', "“€”"));
    assert_eq!(
        title(&document, Some("iso-8859-1")).as_deref(),
        Some("Müller “€”")
    );
}

#[test]
fn an_unknown_encoding_is_named() {
    let document = b"<?xml version='1.0' encoding='klingon'?><r/>";
    let (_, end) = split_with(&rules(), document, None, usize::MAX);
    let label = "klingon".to_owned();
    assert_eq!(end, Err(FeedError::Encoding { label }));
}

#[test]
fn half_a_character_costs_one_record_and_its_place_is_kept() {
    let mut document = utf16("\u{feff}<r><adv><said>SA1</said>", u16::to_le_bytes);
    document.extend_from_slice(&[0x00, 0xd8]);
    document.extend(utf16(
        "</adv><adv><said>SA2</said></adv></r>",
        u16::to_le_bytes,
    ));
    let (records, end) = split_with(&rules(), &document, None, 3);
    assert_eq!(end.unwrap().records, 2);
    assert_eq!(records[0], b"<adv><said>SA1</said>\xff</adv>");
}

#[test]
fn a_document_in_utf16_cut_anywhere_is_never_complete() {
    let document = utf16(&format!("\u{feff}{BODY}"), u16::to_be_bytes);
    for length in 0..document.len() {
        let (_, end) = split_with(&rules(), &document[..length], None, 11);
        assert!(end.is_err(), "cut at {length}");
    }
}
