//! What a page of the JSON API says beside its rows: that something failed upstream, or
//! that the page is not complete. Only the keys of the envelope count, never a row's.

use serde_json::Value;
use serde_json::value::RawValue;

use super::repeated_keys::Fields;
use super::xml::{self, FeedError};

/// The keys of the envelope itself.
const ENVELOPE: [&str; 4] = ["count", "next", "previous", "results"];
/// Objects that hold nothing but values about the page.
const ABOUT: [&str; 8] = [
    "meta",
    "metadata",
    "pagination",
    "paging",
    "page_info",
    "info",
    "links",
    "_links",
];
/// Texts that say what went wrong where there are no rows.
const MESSAGES: [&str; 4] = ["detail", "message", "reason", "warning"];

/// What a page says beside its rows.
pub(super) struct Claims {
    /// Keys and values of the envelope, and of the objects that are about the page.
    values: Vec<(String, Box<RawValue>)>,
}

impl Claims {
    /// Of a page, given as its text. The envelope was read before: what cannot be read here
    /// has no keys. A key that occurs twice counts twice.
    pub fn of(text: &str) -> Self {
        let fields = Fields::of(text).0.into_iter();
        let mut values = Vec::new();
        for (name, value) in fields.filter(|(name, _)| !ENVELOPE.contains(&name.as_str())) {
            if ABOUT.contains(&name.as_str()) {
                values.extend(Fields::of(value.get()).0);
            }
            values.push((name, value));
        }
        Self { values }
    }

    /// Fails if the page says that it is not what was asked for.
    pub fn check(&self, of: &Claim) -> Result<(), FeedError> {
        self.values
            .iter()
            .try_for_each(|(name, value)| of.check(name, value))
    }

    /// How many pages there are, or which one this is, with the words.
    pub fn pages(&self) -> Option<(u64, String)> {
        let numbers = self.values.iter().filter_map(|(name, value)| {
            let number = xml::page_number(name, value.get().trim_matches('"'))?;
            Some((number, xml::quoted(&format!("\"{name}\": {value}"))))
        });
        numbers.max_by_key(|(number, _)| *number)
    }
}

/// The page that says it.
pub(super) struct Claim {
    /// How many rows the collection has.
    pub count: u64,
    /// Whether it names the next page.
    pub is_linked: bool,
    /// Whether it has no rows: then every message counts.
    pub is_empty: bool,
}

impl Claim {
    fn check(&self, name: &str, raw: &RawValue) -> Result<(), FeedError> {
        let value = &serde_json::from_str(raw.get()).unwrap_or(Value::Null);
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.trim().to_owned(),
            Value::Array(items) if items.is_empty() => String::new(),
            Value::Object(fields) if fields.is_empty() => String::new(),
            other => other.to_string(),
        };
        let quote = || xml::quoted(&format!("\"{name}\": {value}"));
        let is_message = self.is_empty && MESSAGES.contains(&name) && !text.is_empty();
        if xml::is_failure(name, &text) || is_message {
            return Err(FeedError::Reported { text: quote() });
        }
        let is_more = xml::total(name, &text).is_some_and(|total| total > self.count);
        if is_more || xml::is_partial(name, &text, self.is_linked) {
            return Err(FeedError::Partial { text: quote() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Claims};
    use crate::source::xml::FeedError;

    fn check(text: &str, is_linked: bool, is_empty: bool) -> Result<(), FeedError> {
        Claims::of(text).check(&Claim {
            count: 0,
            is_linked,
            is_empty,
        })
    }

    fn page(more: &str, rows: &str) -> String {
        format!(r#"{{"count": 0, "next": null, "previous": null, "results": [{rows}]{more}}}"#)
    }

    #[test]
    fn a_page_that_says_that_something_failed_or_is_missing_is_found() {
        for more in [
            r#", "error": "backend timeout""#,
            r#", "errors": ["shard 3"]"#,
            r#", "errors": {"tickets": "timeout"}"#,
            r#", "error": true"#,
            r#", "partial": true"#,
            r#", "meta": {"partial": true}"#,
            r#", "truncated": 1"#,
            r#", "incomplete": "yes""#,
            r#", "complete": false"#,
            r#", "has_more": true"#,
            r#", "next_page_token": "abc""#,
            r#", "pagination": {"next_url": "https://example.org/?page=2"}"#,
            r#", "links": {"next": "https://example.org/?page=2"}"#,
            r#", "_links": {"next": {"href": "https://example.org/?page=2"}}"#,
            r#", "total": 250"#,
            r#", "meta": {"total_count": 250}"#,
            r#", "status": "partial""#,
            r#", "status": "error""#,
            r#", "status": 503"#,
            r#", "message": "Results truncated""#,
            r#", "error": "backend timeout", "error": null"#,
            r#", "error": null, "error": "backend timeout""#,
            r#", "meta": {"partial": true, "partial": false}"#,
            r#", "meta": {"partial": true}, "meta": {}"#,
        ] {
            for rows in ["", r#"{"id": 1}"#] {
                assert!(
                    check(&page(more, rows), false, rows.is_empty()).is_err(),
                    "{more}"
                );
            }
        }
        let more = r#", "detail": "search index unavailable, results incomplete""#;
        assert!(check(&page(more, ""), false, true).is_err());
    }

    #[test]
    fn what_says_that_all_is_well_is_no_failure() {
        for more in [
            "",
            r#", "error": null, "errors": [], "message": """#,
            r#", "error": false, "errors": 0"#,
            r#", "status": "ok", "code": 200, "complete": true"#,
            r#", "has_more": false, "next_page_token": """#,
            r#", "links": {"self": "https://example.org/", "next": null}, "total": 0"#,
            r#", "page": 3, "pages": 3, "page_size": 100"#,
            r#", "partial": false, "truncated": "no""#,
            r#", "facets": {"error": 3, "partial": 2}"#,
        ] {
            for rows in ["", r#"{"id": 1, "error": "x", "partial": true}"#] {
                let body = page(more, rows);
                assert_eq!(check(&body, false, rows.is_empty()), Ok(()), "{more}");
            }
        }
        let more = r#", "detail": "Some text", "has_more": true"#;
        assert_eq!(check(&page(more, r#"{"id": 1}"#), true, false), Ok(()));
    }

    #[test]
    fn the_number_of_pages_is_taken_from_the_envelope_and_what_is_about_the_page() {
        for (more, pages) in [
            ("", None),
            (r#", "total_pages": 3, "current_page": 1"#, Some(3)),
            (r#", "pagination": {"pages": "4"}"#, Some(4)),
            (r#", "facets": {"pages": 9}"#, None),
        ] {
            let found = Claims::of(&page(more, "")).pages();
            assert_eq!(found.map(|(number, _)| number), pages, "{more}");
        }
    }
}
