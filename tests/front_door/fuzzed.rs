//! What reads input from outside, with what must hold for any input. The fuzz targets
//! (`tests/fuzz`) call these functions with inputs that libFuzzer makes up, and the
//! test of the stored corpus with those that are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use advisoryd::config::Config;
use advisoryd::source::page::Page;
use advisoryd::source::xml::{
    FeedError, ParsedDocument, ParserRules, RecordReader, encoding_of, read_record,
};
use advisoryd::source::{asset_list, detail, ticket};
use serde_json::Value;

/// A target: its name, which is that of its folder in the corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("feed", feed),
    ("encodings", encodings),
    ("tickets", tickets),
    ("details", details),
    ("lists", lists),
    ("configuration", configuration),
];

/// Labels that a content type may carry, known and unknown ones.
const CHARSETS: &[Option<&str>] = &[
    None,
    Some("utf-8"),
    Some("iso-8859-1"),
    Some("windows-1252"),
    Some("utf-16"),
    Some("utf-16le"),
    Some("utf-16be"),
    Some("shift_jis"),
    Some("gb18030"),
    Some("iso-2022-jp"),
    Some("us-ascii"),
    Some("\"koi8-r\""),
    Some("nonsense"),
];

static RULES: LazyLock<Arc<ParserRules>> = LazyLock::new(|| {
    let rules = ParserRules::new("SA[0-9]{1,7}", &BTreeMap::new());
    Arc::new(rules.expect("the default rules"))
});

/// A feed: the first byte says how large its pieces are. Pieces of any size give what
/// the whole document gives, and every record can be read or says why not.
pub fn feed(input: &[u8]) {
    let Some((size, document)) = input.split_first() else {
        return;
    };
    same_in_pieces(document, None, usize::from(*size));
}

/// A feed whose content type names an encoding, which the second byte chooses.
pub fn encodings(input: &[u8]) {
    let [size, charset, document @ ..] = input else {
        return;
    };
    let charset = CHARSETS[usize::from(*charset) % CHARSETS.len()];
    if let Ok((_, mark)) = encoding_of(document, charset) {
        assert!(mark <= document.len(), "a mark beyond the document");
    }
    same_in_pieces(document, charset, usize::from(*size));
}

/// A page of tickets. What is stored of a ticket reads as the same ticket.
pub fn tickets(input: &[u8]) {
    let Some(page) = page(input) else { return };
    for row in page.results {
        if let Ok(found) = ticket::read(row) {
            let again = ticket::read(found.raw.clone());
            assert_eq!(again.as_ref(), Ok(&found), "read again");
        }
    }
}

/// An advisory's detail. What is stored of it reads as the same advisory.
pub fn details(input: &[u8]) {
    match detail::read(&RULES, input) {
        Ok(found) => {
            let again = detail::read_again(&RULES, &found.raw);
            assert_eq!(again.as_ref(), Ok(&found.advisory), "read again");
            is_storable(&found.advisory);
        }
        Err(unreadable) => is_storable(&unreadable.raw),
    }
}

/// A page of the collections of advisories and of watch lists.
pub fn lists(input: &[u8]) {
    let Some(page) = page(input) else { return };
    for row in &page.results {
        if let Some(list) = asset_list::read(row) {
            assert!(list.id > 0, "{list:?}");
        }
    }
    let rows = page.results.len() + page.unreadable.len();
    let (elements, unreadable) = detail::read_page(&RULES, page);
    // An identifier that is listed twice is one element.
    let read = elements.len() + unreadable.len();
    assert!(read <= rows, "{read} of {rows} rows");
    assert!(read > 0 || rows == 0, "no row of {rows} was read");
}

/// A configuration file: accepted, or refused with words.
pub fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Err(error) = Config::from_text("config.toml", text) {
        assert!(!error.to_string().is_empty(), "an error without words");
    }
}

/// A page, and that each of its rows is read or says why not.
fn page(input: &[u8]) -> Option<Page> {
    let page = Page::read(input).ok()?;
    for row in &page.unreadable {
        assert!(!row.reason.is_empty(), "{row:?}");
    }
    Some(page)
}

/// What a document gave: its records, and what it was in the end.
type Read = (Vec<Vec<u8>>, Result<ParsedDocument, String>);

fn same_in_pieces(document: &[u8], charset: Option<&str>, size: usize) {
    let whole = read(document, charset, usize::MAX);
    let pieces = read(document, charset, size.max(1));
    assert_eq!(whole, pieces, "in pieces of {size} bytes");
    for record in &whole.0 {
        match read_record(&RULES, record) {
            Ok(advisory) => {
                assert!(
                    RULES.is_identifier(advisory.said.as_bytes()),
                    "{advisory:?}"
                );
                is_storable(&advisory);
            }
            Err(unreadable) => assert!(!unreadable.reason.is_empty(), "{unreadable:?}"),
        }
    }
    if let Ok(document) = &whole.1 {
        // What stands beside the records is handed out and not counted.
        assert!(document.records <= whole.0.len() as u64, "{document:?}");
    }
}

fn read(document: &[u8], charset: Option<&str>, size: usize) -> Read {
    let mut records = Vec::new();
    let mut reader = RecordReader::new(Arc::clone(&RULES), charset, None);
    let mut keep = |record: &[u8]| records.push(record.to_vec());
    let mut pushed = Ok(());
    for piece in document.chunks(size) {
        pushed = reader.push(piece, &mut keep);
        if pushed.is_err() {
            break;
        }
    }
    let end = pushed.and_then(|()| reader.finish(&mut keep));
    (records, end.map_err(|error: FeedError| error.to_string()))
}

/// The database's text holds every character but NUL.
fn is_storable(value: &impl serde::Serialize) {
    fn holds_nul(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(values) => values.iter().any(holds_nul),
            Value::Object(fields) => fields
                .iter()
                .any(|(key, value)| key.contains('\0') || holds_nul(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    let value = serde_json::to_value(value).expect("JSON");
    assert!(!holds_nul(&value), "{value}");
}
