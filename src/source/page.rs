//! A page of one of upstream's collections (contract §4).

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;

use super::damaged_json::{self, Behind, MOST_MORE, PageParts};
use super::page_claims::{Claims, PageClaim};
use super::page_envelope::{PageEnvelope, first};
use super::page_rows::{ReadRows, page_text};
use super::repaired_row::plain;
pub use super::unreadable::UnreadableRow;
use super::xml::{self, FeedError};
use crate::model::{counted, one_line, shortened};

/// The envelope of a collection.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many rows the whole collection has, as upstream says.
    pub count: u64,
    /// URL of the next page.
    pub next: Option<String>,
    /// How many pages there are, or which one this is, if it says that; with the words.
    pub pages: Option<(u64, String)>,
    /// Keys beside its rows of which nothing is known, by their paths, and their values.
    pub unknown: Vec<(String, String)>,
    /// The rows of this page.
    pub results: Vec<Value>,
    /// Rows that are not valid JSON, or hold a value that cannot be read, such as a number
    /// out of range. They keep no other row from being read.
    pub unreadable: Vec<UnreadableRow>,
    /// How many of the rows in `results` did not come as valid JSON in a valid encoding and
    /// were repaired.
    pub repaired: usize,
    /// Why the page is not all that was asked for, if it is not. What it holds can be used
    /// all the same.
    pub claim: Option<Incomplete>,
}

/// Why a page is not all that was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Incomplete {
    /// It says so beside its rows: an error, or that it is not complete.
    #[error(transparent)]
    Says(#[from] FeedError),
    /// It has two links to the next page that differ: only one can be followed.
    #[error(
        "there are two different links to the next page, {one} and {other}; rows may be missing"
    )]
    LinksDiffer {
        /// A link.
        one: String,
        /// Another one.
        other: String,
    },
    /// Its link to the next page leads to another server, which must not get the token.
    #[error("the answer to {page} links to `{target}`, which is not on {origin}; not followed")]
    LinkElsewhere {
        /// The request that it answers.
        page: String,
        /// The target of the link.
        target: String,
        /// Scheme, host and port of upstream.
        origin: String,
    },
    /// It is cut off or damaged, so that rows may be missing.
    #[error(
        "the page is truncated or damaged, rows may be missing: {why}; {} could be read; the next run requests the page again",
        counted(*.rows, "row")
    )]
    Broken {
        /// What is wrong with it.
        why: String,
        /// How many of its rows could be read.
        rows: usize,
    },
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
        let message: Option<Message> = serde_json::from_str(&plain(text)).ok();
        let says = message.and_then(|named| named.detail.or(named.error).or(named.text));
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
    /// Reads a page. If the page is not valid JSON, its rows are read one by one and
    /// repaired where that is possible; if it is not even whole, those that are.
    pub fn read(body: &[u8]) -> Result<Self, NotAPage> {
        // Bytes of another encoding belong to one row only.
        let (text, has_wrong_bytes) = page_text(body);
        // A list would be read as the values of the object, in their order.
        if text.trim_start().starts_with('[') {
            let why = "a list instead of an object with `count`, `next` and `results`";
            return Err(NotAPage::new(&text, serde_json::Error::custom(why)));
        }
        let rows = ReadRows::of_page(has_wrong_bytes);
        let error = match serde_json::from_str::<PageEnvelope>(&text) {
            Ok(envelope) => {
                let rows = rows.read(envelope.results.iter().map(|row| row.get()));
                return Ok(Self::of(&envelope, rows, &text));
            }
            Err(error) => error,
        };
        let Some(parts) = damaged_json::split(&text) else {
            return Err(NotAPage::new(&text, error));
        };
        let rows = rows.read(parts.rows.iter().copied());
        let envelope = parts.envelope();
        let envelope = damaged_json::mended(&envelope, MOST_MORE).unwrap_or(envelope);
        match (
            &parts.behind,
            serde_json::from_str::<PageEnvelope>(&envelope),
        ) {
            (Behind::End(_), Ok(read)) => Ok(Self::of(&read, rows, &envelope)),
            _ => Self::of_broken(&parts, rows, error).map_err(|error| NotAPage::new(&text, error)),
        }
    }

    /// Takes what headers of the response say about how much the collection or the page
    /// holds: names without `x-`, and values.
    pub fn headers(&mut self, named: &[(String, String)]) {
        let is_linked = self.next.is_some();
        let is_claim = |(name, value): &&(String, String)| match xml::total(name, value) {
            Some(total) => total > self.count,
            None => xml::is_partial(name, value, is_linked),
        };
        if let Some((name, value)) = named.iter().find(is_claim) {
            let text = xml::quoted(&format!("{name}: {value} (header)"));
            self.claim
                .get_or_insert(Incomplete::Says(FeedError::Partial { text }));
        }
    }

    fn of(envelope: &PageEnvelope, rows: ReadRows, text: &str) -> Self {
        let is_empty = rows.results.is_empty() && rows.unreadable.is_empty();
        let claims = Claims::of(&plain(text));
        let claim = claims.check(&PageClaim {
            rows: &rows.results,
            count: envelope.count,
            is_linked: envelope.next.is_some(),
            is_empty,
        });
        Self {
            count: envelope.count,
            next: envelope.next.as_deref().map(plain).map(Cow::into_owned),
            pages: claims.pages(),
            unknown: claims.unknown(),
            results: rows.results,
            unreadable: rows.unreadable,
            repaired: rows.repaired,
            claim: claim.err().map(Incomplete::Says),
        }
    }

    /// A page that is not whole: cut off, with brackets that do not match, or with something
    /// behind its end, which may be further pages. Without any row it is none.
    fn of_broken(
        parts: &PageParts<'_>,
        mut rows: ReadRows,
        error: serde_json::Error,
    ) -> Result<Self, serde_json::Error> {
        let envelope = match parts.behind {
            Behind::Damage(rest) => {
                rows.add_behind(rest);
                let envelope = damaged_json::mended(&parts.envelope(), MOST_MORE);
                envelope.and_then(|text| serde_json::from_str(&text).ok())
            }
            Behind::End(end) => first(parts, end).map(|(envelope, further)| {
                rows.add_further(further);
                envelope
            }),
        };
        if rows.results.is_empty() {
            return Err(error);
        }
        let envelope: PageEnvelope = envelope.unwrap_or(PageEnvelope {
            count: rows.results.len() as u64,
            next: None,
            results: Vec::new(),
        });
        let claim = Incomplete::Broken {
            why: error.to_string(),
            rows: rows.results.len(),
        };
        Ok(Self {
            count: envelope.count,
            next: envelope.next.as_deref().map(plain).map(Cow::into_owned),
            pages: None,
            unknown: Vec::new(),
            results: rows.results,
            unreadable: rows.unreadable,
            repaired: rows.repaired,
            claim: Some(claim),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::Page;

    #[test]
    fn a_row_that_cannot_be_read_keeps_no_other_from_being_read() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for bad in ["1e999", "tru", &deep] {
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
        for none in [
            "{\"count\": 1",
            "{\"count\": 1, \"results\": [{\"id\"",
            "[]",
        ] {
            assert!(Page::read(none.as_bytes()).is_err(), "{none}");
        }
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
            (r#""a\ud83d""#, true, "\"a\u{fffd}\""),
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
    fn of_a_page_that_is_cut_off_anywhere_the_whole_rows_are_read() {
        let rows = [
            r#"{"id": 1, "status": {"id": 7}}"#,
            r#"{"id": 2, "status": {"id": 8}}"#,
        ];
        let page = format!(
            r#"{{"count": 2, "results": [{}], "x": 1}}"#,
            rows.join(", ")
        );
        let ends = rows.map(|row| page.find(row).unwrap() + row.len());
        for cut in 0..page.len() {
            // A row is known to be whole by what follows it.
            let whole = ends.iter().filter(|end| cut > **end).count();
            match Page::read(&page.as_bytes()[..cut]) {
                Ok(read) => {
                    assert_eq!(read.results.len(), whole, "{}", &page[..cut]);
                    assert!(read.claim.is_some(), "{}", &page[..cut]);
                    assert_eq!(read.unreadable, []);
                }
                Err(_) => assert_eq!(whole, 0, "{}", &page[..cut]),
            }
        }
    }

    #[test]
    fn headers_that_say_that_rows_are_missing_are_noticed() {
        for (name, value, is_whole) in [
            ("total-count", "2", true),
            ("total-count", "3", false),
            ("truncated", "true", false),
            ("truncated", "false", true),
            ("has-more", "true", false),
            ("page", "1", true),
            ("warning", "Results truncated", false),
            ("request-id", "3", true),
        ] {
            let body = br#"{"count": 2, "results": [{"id": 1}, {"id": 2}]}"#;
            let mut page = Page::read(body).unwrap();
            page.headers(&[(name.to_owned(), value.to_owned())]);
            assert_eq!(page.claim.is_none(), is_whole, "{name}: {value}");
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
