//! What was changed in a row of JSON to read it, and as what it came: kept in the row itself,
//! under a key of our own.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::model::shortened;

/// The key in a row: an object of the changed values, by their paths, as they came.
pub(crate) const REPAIRED: &str = "advisoryd_repaired";
/// The path of what concerns the whole row.
pub(crate) const WHOLE: &str = "*";
/// Values that are kept of one row.
const MOST_VALUES: usize = 64;
/// Longest value that is kept, in characters.
const MAX_VALUE_CHARS: usize = 10_000;

/// Stand, behind U+FFFD, for the bytes that became it: private characters, which no one sends.
const BYTES: u32 = 0x0010_fd00;
/// Begins a string that was no string, such as `NaN`.
pub(super) const WORD: char = '\u{10fffd}';

/// The text of a body of which the bytes that are not valid UTF-8 can be told: U+FFFD, as if
/// these were dropped, and the bytes behind it. `None` if the body has such characters.
pub(super) fn with_bytes(body: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        if chunk.valid().chars().any(is_private) {
            return None;
        }
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push('\u{fffd}');
            let bytes = chunk.invalid().iter();
            text.extend(bytes.filter_map(|byte| char::from_u32(BYTES + u32::from(*byte))));
        }
    }
    Some(text)
}

fn byte(character: char) -> Option<u8> {
    u32::from(character).checked_sub(BYTES)?.try_into().ok()
}

pub(super) fn is_private(character: char) -> bool {
    character == WORD || byte(character).is_some()
}

/// A text without these characters.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(is_private) {
        Cow::Owned(text.replace(is_private, ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// A row with what is changed in it. One that was `mended` to be read is marked in any case.
pub(super) fn noted(mut row: Value, is_mended: bool) -> Value {
    let mut found = Found::default();
    found.take(&mut row, String::new());
    if let Value::Object(fields) = &mut row {
        let mut notes = found.notes;
        if found.more > 0 {
            notes.insert("…".to_owned(), format!("{} more", found.more).into());
        }
        if notes.is_empty() && !is_mended {
            return row;
        }
        if notes.is_empty() {
            let why = "characters that are not valid in JSON";
            notes.insert(WHOLE.to_owned(), why.into());
        }
        fields.insert(REPAIRED.to_owned(), Value::Object(notes));
    }
    row
}

/// What was changed in a row, by its path.
#[derive(Default)]
struct Found {
    notes: Map<String, Value>,
    more: usize,
}

impl Found {
    fn take(&mut self, value: &mut Value, path: String) {
        let below = |name: &str| match &*path {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        };
        match value {
            Value::String(text) => {
                if let Some(word) = text.strip_prefix(WORD) {
                    self.note(path, word);
                    *value = Value::Null;
                } else if text.contains(is_private) || text.contains('\0') {
                    self.note(path, &escaped(text));
                    // The database cannot store NUL.
                    *text = plain(text).replace('\0', "\u{fffd}");
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.take(item, below(&at.to_string()));
                }
            }
            Value::Object(fields) => {
                let names = fields.keys().filter(|name| name.contains(is_private));
                for name in names.cloned().collect::<Vec<_>>() {
                    let taken = fields.remove(&name).unwrap_or_default();
                    let mut read = plain(&name).into_owned();
                    if fields.contains_key(&read) {
                        // Two names that differ in lost bytes alone: neither value goes.
                        read = escaped(&name);
                    }
                    self.note(below(&read), &escaped(&name));
                    fields.insert(read, taken);
                }
                for (name, field) in fields {
                    self.take(field, below(name));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn note(&mut self, path: String, came: &str) {
        if self.notes.len() >= MOST_VALUES {
            self.more += 1;
            return;
        }
        let came = shortened(came, MAX_VALUE_CHARS);
        self.notes.insert(path, came.into());
    }
}

/// A text with the bytes in place of the U+FFFD that they became: `\xDF`; a backslash is two.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_followed = characters.peek().is_some_and(|next| byte(*next).is_some());
        match (character, byte(character)) {
            (_, Some(byte)) => {
                escaped.push_str("\\x");
                escaped.push_str(&hex::encode_upper([byte]));
            }
            ('\u{fffd}', _) if is_followed => {}
            ('\0', _) => escaped.push_str("\\x00"),
            ('\\', _) => escaped.push_str("\\\\"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::{Value, json};

    use super::{noted, plain, with_bytes};

    #[test]
    fn changed_values_are_kept_as_they_came() {
        let text = with_bytes(b"{\"a\": [\"x\", {\"b\": \"Stra\xdfe \\\\ \xe2\x82\xef\xbf\xbd\"}], \"\xff\": \"\xf4\x8f\xbf\xbdNaN\"}");
        assert_eq!(text, None);
        let text = with_bytes(
            b"{\"a\": [\"x\", {\"b\": \"Stra\xdfe \\\\ \xe2\x82\xef\xbf\xbd\"}], \"\xff\": 1}",
        )
        .unwrap();
        let row: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            noted(row, true),
            json!({
                "a": ["x", {"b": "Stra\u{fffd}e \\ \u{fffd}\u{fffd}"}],
                "\u{fffd}": 1,
                "advisoryd_repaired": {
                    "a/1/b": "Stra\\xDFe \\\\ \\xE2\\x82\u{fffd}",
                    "\u{fffd}": "\\xFF"
                }
            })
        );
        assert_eq!(
            plain(&text),
            String::from_utf8_lossy(
                b"{\"a\": [\"x\", {\"b\": \"Stra\xdfe \\\\ \xe2\x82\xef\xbf\xbd\"}], \"\xff\": 1}"
            )
        );
    }

    #[test]
    fn names_that_become_the_same_keep_their_values() {
        let text = with_bytes(b"{\"\xfe\": 1, \"\xff\": 2}").unwrap();
        let row = noted(serde_json::from_str(&text).unwrap(), true);
        let values: Vec<i64> = row
            .as_object()
            .unwrap()
            .values()
            .filter_map(Value::as_i64)
            .collect();
        assert_eq!(values.iter().sum::<i64>(), 3, "{row}");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let row = json!({"a": vec!["\u{10fffd}NaN"; 100]});
        let row = noted(row, true);
        assert_eq!(row["a"][99], Value::Null);
        let notes = row["advisoryd_repaired"].as_object().unwrap();
        assert_eq!((notes.len(), &notes["…"]), (65, &json!("36 more")));
        assert_eq!(
            noted(json!({}), true)["advisoryd_repaired"]["*"],
            "characters that are not valid in JSON"
        );
    }
}
