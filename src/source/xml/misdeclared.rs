//! Records in UTF-8 in a document that is declared as Latin-1. Read as declared, each
//! character beyond ASCII becomes two or more: `Ã¼` for `ü`.

use encoding_rs::WINDOWS_1252;

/// Stands before such a record, so that whoever parses it again says so again. It has no
/// digits, which could be an identifier.
const MARK: &str = "<?advisoryd utf-declared-as-latin?>";

/// What the note of repairs says.
const NOTE: &str =
    "declared as ISO-8859-1 or windows-1252, but all of it is valid UTF-8: read as that";

/// The record as UTF-8, behind a mark, if its bytes were valid UTF-8 before they were decoded
/// as Windows-1252 (and Latin-1, which is read as that), with characters beyond ASCII. No
/// text in Latin-1 looks like that in all its words.
pub(super) fn as_utf8(record: &[u8]) -> Option<Vec<u8>> {
    if record.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(record).ok()?;
    let (bytes, _, is_lossy) = WINDOWS_1252.encode(text);
    if is_lossy || std::str::from_utf8(&bytes).is_err() {
        return None;
    }
    Some([MARK.as_bytes(), &bytes].concat())
}

/// The note about a record that has the mark.
pub(super) fn note(record: &str) -> Option<&'static str> {
    record.starts_with(MARK).then_some(NOTE)
}

#[cfg(test)]
mod tests {
    use super::{MARK, as_utf8, note};

    #[test]
    fn only_what_is_utf_8_throughout_is_read_as_such() {
        let decoded = |bytes: &[u8]| encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned();
        for (sent, is_utf8) in [
            ("<a>Müller – 漢 \u{81}</a>".as_bytes(), true),
            (b"<a>M\xfcller</a>", false),
            (b"<a>M\xc3\xbcller, M\xfcller</a>", false),
            (b"<a>plain</a>", false),
        ] {
            let read = as_utf8(decoded(sent).as_bytes());
            let expected = [MARK.as_bytes(), sent].concat();
            assert_eq!(read, is_utf8.then_some(expected), "{sent:?}");
            assert_eq!(
                read.is_some_and(|read| {
                    let read = String::from_utf8_lossy(&read);
                    note(&read).is_some()
                }),
                is_utf8
            );
        }
    }
}
