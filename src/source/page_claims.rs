//! What a page of the JSON API says beside its rows: that something failed upstream, or
//! that the page is not complete. Only the keys of the envelope count, never a row's.

use serde_json::Value;
use serde_json::value::RawValue;

use super::repeated_keys::Fields;
use super::xml::{self, FeedError};

/// The keys of the envelope itself.
const ENVELOPE: [&str; 4] = ["count", "next", "previous", "results"];
/// Objects that hold nothing but values about the page.
const ABOUT: [&str; 6] = [
    "meta",
    "metadata",
    "pagination",
    "paging",
    "page_info",
    "info",
];
/// Texts that say what went wrong where there are no rows.
const MESSAGES: [&str; 4] = ["detail", "message", "reason", "warning"];

/// Fails if a page, given as its text, says that it is not what was asked for. A page that
/// `is_linked` names the next one; in one that `is_empty`, every message counts.
pub(super) fn check(text: &str, is_linked: bool, is_empty: bool) -> Result<(), FeedError> {
    // The envelope was read before: what cannot be read here has no keys. A key that occurs
    // twice counts twice.
    let fields = Fields::of(text).0;
    let beside = fields
        .iter()
        .filter(|(name, _)| !ENVELOPE.contains(&name.as_str()));
    let of = Claim {
        is_linked,
        is_empty,
    };
    for (name, value) in beside {
        of.check(name, value)?;
        let is_about = ABOUT.contains(&name.as_str());
        let inner = is_about.then(|| Fields::of(value.get()).0);
        for (name, value) in inner.into_iter().flatten() {
            of.check(&name, &value)?;
        }
    }
    Ok(())
}

struct Claim {
    is_linked: bool,
    is_empty: bool,
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
        if xml::is_partial(name, &text, self.is_linked) {
            return Err(FeedError::Partial { text: quote() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::check;

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
}
