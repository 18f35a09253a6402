//! A page of one of upstream's collections (contract §4).

use encoding_rs::UTF_8;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::xml::FeedError;
use super::{damaged_json, page_claims};
use crate::model::{one_line, shortened};

/// A record that was received and could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its identifier, where one could be found.
    pub key: Option<String>,
    /// Why it could not be understood.
    pub reason: String,
    /// As it came.
    pub raw: String,
}

/// The envelope of a collection.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many rows the whole collection has, as upstream says.
    pub count: u64,
    /// URL of the next page.
    pub next: Option<String>,
    /// The rows of this page.
    pub results: Vec<Value>,
    /// Rows that are not valid JSON, or hold a value that cannot be read, such as a number
    /// out of range. They keep no other row from being read.
    pub unreadable: Vec<Unreadable>,
    /// How many of the rows in `results` did not come as valid JSON in a valid encoding and
    /// were repaired.
    pub repaired: usize,
    /// Why the page is not what was asked for, if it says so beside its rows: an error, or
    /// that it is not complete. What it holds can be used all the same.
    pub claim: Option<FeedError>,
}

/// The envelope as it comes, its rows not read yet.
#[derive(Deserialize)]
struct Envelope {
    #[serde(deserialize_with = "count")]
    count: u64,
    #[serde(default, deserialize_with = "next")]
    next: Option<String>,
    results: Vec<Box<RawValue>>,
}

/// A whole number, also as a string or with a fraction of zero.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let text = raw.get().trim_matches('"').trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let count = whole.parse().ok();
    count
        .filter(|_| fraction.bytes().all(|digit| digit == b'0'))
        .ok_or_else(|| D::Error::custom("`count` is not a whole number"))
}

/// A URL; `null`, `false` and an empty string are none.
fn next<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(url) => Ok(Some(url).filter(|url| !url.trim().is_empty())),
        Value::Null | Value::Bool(false) => Ok(None),
        _ => Err(D::Error::custom("`next` is neither a URL nor null")),
    }
}

/// Why a body is no page.
#[derive(Debug, thiserror::Error)]
#[error("the answer is no page of a collection (`count`, `next`, `results`){}", in_words(.says.as_ref()))]
pub struct NotAPage {
    /// What it says instead, if it is an object with a message.
    says: Option<String>,
    source: serde_json::Error,
}

impl NotAPage {
    fn new(text: &str, source: serde_json::Error) -> Self {
        let message: Option<Message> = serde_json::from_str(text).ok();
        let says = message.and_then(|said| said.detail.or(said.error).or(said.text));
        let says = says.as_ref().and_then(Value::as_str).map(one_line);
        Self {
            says: says.map(|says| shortened(&says, MAX_MESSAGE_CHARS)),
            source,
        }
    }
}

/// Maximum length of a message that is quoted, in characters.
const MAX_MESSAGE_CHARS: usize = 200;

/// What comes in place of a page when something went wrong, whatever the status says.
#[derive(Deserialize)]
struct Message {
    detail: Option<Value>,
    error: Option<Value>,
    #[serde(rename = "message")]
    text: Option<Value>,
}

fn in_words(says: Option<&String>) -> String {
    says.map_or_else(String::new, |says| format!("; it says `{says}`"))
}

impl Page {
    /// Reads a page. If the page is not valid JSON,
    /// its rows are read one by one and repaired where that is possible.
    pub fn read(body: &[u8]) -> Result<Self, NotAPage> {
        // A byte order mark decides; else it is UTF-8. Bytes that are not become U+FFFD:
        // they belong to one row only.
        let (text, _, has_wrong_bytes) = UTF_8.decode(body);
        let mut page = match serde_json::from_str::<Envelope>(&text) {
            Ok(envelope) => {
                let rows = envelope.results.iter().map(|row| row.get());
                Self::of(&envelope, rows, has_wrong_bytes)
            }
            Err(error) => {
                let Some(parts) = damaged_json::split(&text) else {
                    return Err(NotAPage::new(&text, error));
                };
                let mended = damaged_json::mended(&parts.envelope);
                let envelope =
                    serde_json::from_str(&mended).map_err(|error| NotAPage::new(&text, error))?;
                Self::of(&envelope, parts.rows.into_iter(), has_wrong_bytes)
            }
        };
        let is_empty = page.results.is_empty() && page.unreadable.is_empty();
        page.claim = page_claims::check(&text, page.next.is_some(), is_empty).err();
        Ok(page)
    }

    fn of<'a>(
        envelope: &Envelope,
        rows: impl Iterator<Item = &'a str>,
        has_wrong_bytes: bool,
    ) -> Self {
        let mut page = Self {
            count: envelope.count,
            next: envelope.next.clone(),
            results: Vec::with_capacity(rows.size_hint().0),
            unreadable: Vec::new(),
            repaired: 0,
            claim: None,
        };
        for row in rows {
            let as_it_came = serde_json::from_str(row);
            let is_damaged =
                as_it_came.is_err() || has_wrong_bytes && row.contains(char::REPLACEMENT_CHARACTER);
            let read = as_it_came.or_else(|_| serde_json::from_str(&damaged_json::mended(row)));
            match read {
                Ok(value) => {
                    page.repaired += usize::from(is_damaged);
                    page.results.push(value);
                }
                Err(error) => page.unreadable.push(Unreadable {
                    key: None,
                    reason: format!("it cannot be read as JSON: {error}"),
                    // The database cannot store NUL, which may stand outside of strings here.
                    raw: row.trim().replace('\0', "\u{fffd}"),
                }),
            }
        }
        page
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::Page;

    #[test]
    fn a_row_that_cannot_be_read_keeps_no_other_from_being_read() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for bad in ["1e999", r#""\ud800""#, &deep] {
            let body = format!(
                r#"{{"count": 3, "next": null, "results": [{{"id": 1}}, {{"id": 2, "x": {bad}}}, {{"id": 3}}]}}"#
            );
            let page = Page::read(body.as_bytes()).unwrap();
            let ids: Vec<_> = page.results.iter().map(|row| &row["id"]).collect();
            assert_eq!(ids, [1, 3], "{bad:.20}");
            assert!(page.unreadable[0].raw.contains(bad));
        }
        let body = b"{\"count\": 1, \"results\": [{\"id\": 1, \"title\": \"a\xff\"}]}";
        let page = Page::read(body).unwrap();
        assert_eq!(page.results[0]["title"], "a\u{fffd}");
        assert_eq!(page.repaired, 1);
        assert!(Page::read(b"{\"count\": 1").is_err());
        let refused = Page::read(br#"{"detail": "Try\nlater."}"#)
            .unwrap_err()
            .to_string();
        assert!(refused.ends_with("; it says `Try later.`"), "{refused}");
    }

    #[test]
    fn damage_in_one_row_costs_no_other() {
        for (bad, read, title) in [
            ("\"a\u{1}b\"", true, "\"a\\u0001b\""),
            ("\"a\nb\"", true, "\"a\\nb\""),
            ("NaN", true, "null"),
            ("-Infinity", true, "null"),
            ("tru", false, ""),
            ("\0", false, ""),
            ("'a'", false, ""),
        ] {
            let body = format!(
                r#"{{"count": 3, "results": [{{"id": 1}}, {{"id": 2, "x": {bad}}}, {{"id": 3}}], "next": "/p"}}"#
            );
            let page = Page::read(body.as_bytes()).unwrap();
            assert_eq!((page.count, page.next.as_deref()), (3, Some("/p")));
            assert_eq!(page.repaired, usize::from(read), "{bad:?}");
            assert_eq!(page.unreadable.len(), usize::from(!read), "{bad:?}");
            let ids: Vec<_> = page.results.iter().map(|row| &row["id"]).collect();
            if read {
                assert_eq!(ids, [1, 2, 3], "{bad:?}");
                assert_eq!(page.results[1]["x"].to_string(), title);
            } else {
                assert_eq!(ids, [1, 3], "{bad:?}");
                assert!(page.unreadable[0].raw.starts_with("{\"id\": 2"));
            }
        }
    }

    #[test]
    fn a_page_in_other_encodings_and_spellings_is_read() {
        let plain = r#"{"count": 1, "next": null, "results": [{"id": 1, "title": "ü"}]}"#;
        let le: Vec<u8> = "\u{feff}"
            .encode_utf16()
            .chain(plain.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        let be: Vec<u8> = "\u{feff}"
            .encode_utf16()
            .chain(plain.encode_utf16())
            .flat_map(u16::to_be_bytes)
            .collect();
        for body in [format!("\u{feff}{plain}").into_bytes(), le, be] {
            let page = Page::read(&body).unwrap();
            assert_eq!(page.results[0]["title"], "ü");
            assert_eq!((page.count, page.next, page.repaired), (1, None, 0));
        }
        for (count, next) in [("\"5\"", "false"), ("5.0", "\"\""), ("5", "null")] {
            let body = format!(r#"{{"count": {count}, "next": {next}, "results": []}}"#);
            let page = Page::read(body.as_bytes()).unwrap();
            assert_eq!((page.count, page.next), (5, None), "{body}");
        }
        for (count, next) in [
            ("5.5", "null"),
            ("-1", "null"),
            ("null", "null"),
            ("5", "true"),
        ] {
            let body = format!(r#"{{"count": {count}, "next": {next}, "results": []}}"#);
            assert!(Page::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
