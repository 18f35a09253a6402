//! The text of a JSON body, changed value by value or cut; its order, blanks and
//! numbers stay as they came.

use super::path::{ValueChange, ValuePath};

/// Deepest nesting that is followed; what is deeper is copied.
const MAX_DEPTH: usize = 128;

/// One open object or array.
enum Open {
    Object { awaits_key: bool },
    Array,
}

/// Copies a body with other strings in it. One that is cut short is copied as far
/// as it goes.
pub fn rewrite(text: &str, change: ValueChange<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut open, mut names): (Vec<Open>, Vec<String>) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        let end = if byte == b'"' {
            string_end(text, at)
        } else {
            at + text[at..].chars().next().map_or(1, char::len_utf8)
        };
        let raw = &text[at..end];
        at = end;
        if byte == b'"' {
            let is_key = matches!(open.last(), Some(Open::Object { awaits_key: true }));
            let value: String = serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned());
            if is_key {
                names.pop();
                names.push(value.clone());
            }
            let path = ValuePath {
                names: &names,
                attribute: None,
                is_key,
            };
            match change(path, &value) {
                Some(other) => out.push_str(&serde_json::Value::String(other).to_string()),
                None => out.push_str(raw),
            }
            continue;
        }
        step(byte, &mut open, &mut names);
        out.push_str(raw);
    }
    out
}

/// What a character outside of strings does to what is open. Each open object
/// has one name: that of its current key.
fn step(byte: u8, open: &mut Vec<Open>, names: &mut Vec<String>) {
    match byte {
        b'{' if open.len() < MAX_DEPTH => {
            open.push(Open::Object { awaits_key: true });
            names.push(String::new());
        }
        b'[' if open.len() < MAX_DEPTH => open.push(Open::Array),
        b'}' | b']' => {
            if let Some(Open::Object { .. }) = open.pop() {
                names.pop();
            }
        }
        b',' | b':' => {
            if let Some(Open::Object { awaits_key }) = open.last_mut() {
                *awaits_key = byte == b',';
            }
        }
        _ => {}
    }
}

/// Just behind the string that begins at `start`, or the end of the text.
fn string_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// Cuts a body that is not complete behind its last complete element of the
/// outermost array, and closes what is open; nothing where there is none.
pub fn cut(text: &str) -> Option<String> {
    let mut closers: Vec<char> = Vec::new();
    let mut best: Option<(usize, String)> = None;
    let mut outermost = usize::MAX;
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at);
                continue;
            }
            b'{' => closers.push('}'),
            b'[' => closers.push(']'),
            b'}' | b']' => {
                closers.pop();
            }
            b',' if closers.last() == Some(&']') && closers.len() <= outermost => {
                outermost = closers.len();
                best = Some((at, closers.iter().rev().collect()));
            }
            _ => {}
        }
        at += 1;
    }
    best.map(|(end, closers)| format!("{}{closers}", &text[..end]))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::{Value, json};

    use super::{cut, rewrite};

    #[test]
    fn every_string_is_reported_with_its_place_and_nothing_else_changes() {
        let text = "{ \"a\\u00e9\" : [\"x\\\"y\", {\"b\":\"ü\", \"c\": 1.50}], \"d\":\t\"z\" }";
        let mut seen = Vec::new();
        let same = rewrite(text, &mut |path, value| {
            if !path.is_key {
                seen.push(format!("{}={value}", path.names.join("/")));
            }
            None
        });
        assert_eq!(same, text);
        assert_eq!(seen, ["aé=x\"y", "aé/b=ü", "d=z"]);
        let other = rewrite(text, &mut |path, _| {
            (!path.is_key).then(|| "1 \"<\n".to_owned())
        });
        let value: Value = serde_json::from_str(&other).unwrap();
        assert_eq!(value["aé"][1], json!({"b": "1 \"<\n", "c": 1.5}));
    }

    #[test]
    fn a_body_cut_anywhere_is_closed_behind_its_last_whole_row() {
        let text =
            r#"{"count":3,"results":[{"a":"],}","b":[1,2]},{"a":"\""},{"a":"z"}],"next":null}"#;
        let mut rows = std::collections::BTreeSet::new();
        for end in 0..text.len() {
            let Some(cut) = cut(&text[..end]) else {
                continue;
            };
            let value: Value = serde_json::from_str(&cut).unwrap();
            rows.insert(value["results"].as_array().unwrap().len());
        }
        assert!(rows.contains(&1) && rows.contains(&2), "{rows:?}");
        assert_eq!(cut("{\"a\": 1"), None);
    }
}
