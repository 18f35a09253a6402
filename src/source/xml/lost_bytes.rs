//! Bytes of a record that are no text in UTF-8. The stored text has U+FFFD in their place; a
//! processing instruction behind the record keeps them, so that the record is all there.

use std::borrow::Cow;

use encoding_rs::WINDOWS_1252;

use super::characters::storable;

/// Stands before the bytes. Like them, it has no digits, which could be an identifier.
const MARK: &[u8] = b"<?advisoryd bytes-not-utf ";
const END: &[u8] = b"?>";
/// How many places are kept: a record in another encoding must not become much longer.
const MOST_PLACES: usize = 100_000;
/// Stands for NUL, which the database cannot store.
const NUL: char = '\u{2400}';

/// Bytes of a record as text that the database can hold. Where bytes became U+FFFD, they
/// follow behind the record: for each U+FFFD of it, in this order, the bytes as read in
/// windows-1252, with a blank between them. No byte is read as another one there.
pub fn kept(record: &[u8]) -> Cow<'_, str> {
    let text = storable(record);
    if matches!(text, Cow::Borrowed(_)) {
        return text;
    }
    let mut kept = text.into_owned();
    kept.push_str(&String::from_utf8_lossy(MARK));
    for (place, bytes) in places(record).enumerate() {
        if place > 0 {
            kept.push(' ');
        }
        if place == MOST_PLACES {
            kept.push_str("...");
            break;
        }
        match bytes {
            [0] => kept.push(NUL),
            bytes => kept.push_str(&WINDOWS_1252.decode_without_bom_handling(bytes).0),
        }
    }
    kept.push_str("?>");
    Cow::Owned(kept)
}

/// The bytes behind each U+FFFD of the text of a record.
fn places(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    record.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let replaced = valid.match_indices(['\0', '\u{fffd}']);
        let replaced = replaced.map(|(_, found)| found.as_bytes());
        replaced.chain(Some(chunk.invalid()).filter(|bytes| !bytes.is_empty()))
    })
}

/// A record without the bytes behind it.
pub(super) fn without(record: &[u8]) -> &[u8] {
    let Some(text) = record.strip_suffix(END) else {
        return record;
    };
    // It is the last one of its kind: none of the bytes is a `<`.
    match memchr::memrchr(b'<', text) {
        Some(at) if text[at..].starts_with(MARK) => &record[..at],
        _ => record,
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_PLACES, kept, without};

    #[test]
    fn bytes_that_are_no_text_follow_the_record() {
        for (record, wanted) in [
            (&b"<a>Stra\xc3\x9fe</a>"[..], "<a>Straße</a>"),
            (
                b"<a>Stra\xdfe, M\xfcller</a>",
                "<a>Stra\u{fffd}e, M\u{fffd}ller</a><?advisoryd bytes-not-utf ß ü?>",
            ),
            (
                b"<a>\0 \xef\xbf\xbd \xe2\x82 \x81</a>",
                "<a>\u{fffd} \u{fffd} \u{fffd} \u{fffd}</a><?advisoryd bytes-not-utf \u{2400} ï¿½ â‚ \u{81}?>",
            ),
        ] {
            let text = kept(record);
            assert_eq!(text, wanted);
            let before = without(text.as_bytes());
            assert_eq!(before, super::storable(record).as_bytes());
        }
        let whole: Vec<u8> = b"<a b='?>'/><?x?>".to_vec();
        assert_eq!(without(&whole), whole);
    }

    #[test]
    fn a_record_does_not_become_much_longer() {
        let record = vec![0xff; MOST_PLACES * 2];
        let text = kept(&record);
        assert!(text.ends_with("ÿ ...?>"));
        assert!(text.len() < record.len() * 3 + MOST_PLACES * 4);
    }
}
