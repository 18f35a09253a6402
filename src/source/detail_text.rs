//! The text of details: repaired where it is no JSON, and with the bytes that are no text in
//! UTF-8.

use encoding_rs::UTF_8;
use serde_json::Value;

use super::damaged_json::{self, MOST_MORE};
use super::repaired_row::{REPAIRED, noted, with_bytes};

/// The text of an answer. As in a page: a byte order mark decides, else it is UTF-8, and bytes
/// that are not become U+FFFD. Text cannot hold NUL.
pub(super) fn text(body: &[u8]) -> String {
    UTF_8.decode(body).0.replace('\0', "\u{fffd}")
}

/// The value of JSON, and whether that had to be mended.
pub(super) fn mended(text: &str) -> Result<(Value, bool), serde_json::Error> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok((value, false)),
        Err(error) => error,
    };
    let mended = damaged_json::mended(text, MOST_MORE).ok_or(error)?;
    serde_json::from_str(&mended).map(|value| (value, true))
}

/// The text of an answer, with the values whose bytes are not valid UTF-8 as they came, under
/// the key that tickets have too.
pub(super) fn with_lost_bytes(body: &[u8], text: String) -> String {
    let kept = || {
        let marked = with_bytes(body)?;
        let (value, _) = mended(&marked).ok()?;
        let notes = noted(value, false);
        let notes = notes.get(REPAIRED)?.as_object()?;
        let start = text.find('{')? + 1;
        let comma = if text[start..].trim_start().starts_with('}') {
            ""
        } else {
            ", "
        };
        let notes = Value::Object(notes.clone());
        let (before, behind) = text.split_at(start);
        Some(format!("{before}\"{REPAIRED}\": {notes}{comma}{behind}"))
    };
    match std::str::from_utf8(body) {
        Ok(_) => text,
        Err(_) => kept().unwrap_or(text),
    }
}
