//! What a page of the JSON API says beside its rows: that something failed upstream, or
//! that the page is not complete. Only the keys of the envelope count, never a row's.

use serde_json::Value;
use serde_json::value::RawValue;

use super::repeated_keys::RepeatedFields;
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
/// Words of the names of objects that are about something else than the rows of the page.
const ASIDE: [&str; 24] = [
    "facet",
    "facets",
    "aggregations",
    "aggs",
    "buckets",
    "filter",
    "filters",
    "query",
    "params",
    "parameters",
    "request",
    "rate",
    "ratelimit",
    "quota",
    "throttle",
    "throttling",
    "usage",
    "user",
    "account",
    "schema",
    "columns",
    "fields",
    "sort",
    "included",
];
/// Objects within objects that are looked into.
const MOST_LEVELS: usize = 3;
/// A row has at least so many keys.
const FEWEST_KEYS: usize = 3;
/// Unknown keys that are reported.
const MOST_UNKNOWN: usize = 32;
/// Texts that say what went wrong where there are no rows.
const MESSAGES: [&str; 4] = ["detail", "message", "reason", "warning"];
/// What such a text says if there is nothing to say.
const ALL_IS_WELL: [&str; 4] = ["ok", "success", "successful", "none"];

/// What a page says beside its rows.
pub(super) struct Claims {
    values: Vec<NamedMember>,
}

/// A key and its value in the envelope, or in an object in it.
struct NamedMember {
    name: String,
    value: Box<RawValue>,
    /// Whether it stands in the envelope or an object that is about the page, so that a total
    /// is that of the rows.
    is_about: bool,
    is_top: bool,
}

impl Claims {
    /// Of a page, given as its text. The envelope was read before: what cannot be read here
    /// has no keys. A key that occurs twice counts twice.
    pub fn of(text: &str) -> Self {
        let mut values = Vec::new();
        for (name, value) in RepeatedFields::of(text).0 {
            if !ENVELOPE.contains(&name.as_str()) {
                add(&mut values, (name, value), true, 0);
            }
        }
        Self { values }
    }

    /// The keys of the envelope of which nothing is known, with their values.
    pub fn unknown(&self) -> Vec<(String, String)> {
        let unknown = self.values.iter().filter(|member| {
            let name = member.name.as_str();
            member.is_top && !ABOUT.contains(&name) && !xml::is_known(name)
        });
        let named = unknown.map(|member| {
            let path = format!("envelope/{}", member.name);
            (path, xml::quoted(member.value.get()))
        });
        named.take(MOST_UNKNOWN).collect()
    }

    /// Fails if the page says that it is not what was asked for.
    pub fn check(&self, of: &PageClaim) -> Result<(), FeedError> {
        self.values.iter().try_for_each(|member| of.check(member))
    }

    /// How many pages there are, or which one this is, with the words.
    pub fn pages(&self) -> Option<(u64, String)> {
        let about = self.values.iter().filter(|member| member.is_about);
        let numbers = about.filter_map(|NamedMember { name, value, .. }| {
            let number = xml::page_number(name, value.get().trim_matches('"'))?;
            Some((number, xml::quoted(&format!("\"{name}\": {value}"))))
        });
        numbers.max_by_key(|(number, _)| *number)
    }
}

/// Adds a key of the envelope, and those of the objects in it.
fn add(
    values: &mut Vec<NamedMember>,
    (name, value): (String, Box<RawValue>),
    is_about: bool,
    level: usize,
) {
    let words = xml::words(&name);
    let is_aside = words.iter().any(|word| ASIDE.contains(&word.as_str()));
    if level < MOST_LEVELS && !is_aside {
        let is_about = is_about && ABOUT.contains(&name.as_str());
        for field in RepeatedFields::of(value.get()).0 {
            add(values, field, is_about, level + 1);
        }
    }
    values.push(NamedMember {
        name,
        value,
        is_about,
        is_top: level == 0,
    });
}

/// The page that says it.
pub(super) struct PageClaim<'p> {
    /// Its rows.
    pub rows: &'p [Value],
    /// How many rows the collection has.
    pub count: u64,
    /// Whether it names the next page.
    pub is_linked: bool,
    /// Whether it has no rows: then every message counts.
    pub is_empty: bool,
}

impl PageClaim<'_> {
    fn check(&self, member: &NamedMember) -> Result<(), FeedError> {
        let (name, raw) = (member.name.as_str(), &member.value);
        let value = &serde_json::from_str(raw.get()).unwrap_or(Value::Null);
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.trim().to_owned(),
            Value::Array(items) if items.is_empty() => String::new(),
            Value::Object(fields) if fields.is_empty() => String::new(),
            other => other.to_string(),
        };
        let quote = || xml::quoted(&format!("\"{name}\": {value}"));
        let says_something = !text.is_empty() && !ALL_IS_WELL.contains(&&*text.to_lowercase());
        let is_message = self.is_empty && MESSAGES.contains(&name) && says_something;
        if xml::is_failure(name, &text) || is_message {
            return Err(FeedError::Reported { text: quote() });
        }
        let is_more = member.is_about && self.is_more(name, &text);
        if is_more || self.has_rows(value) || xml::is_partial(name, &text, self.is_linked) {
            return Err(FeedError::Partial { text: quote() });
        }
        Ok(())
    }

    /// Whether it counts more rows than the collection has. A size may be that of a page.
    fn is_more(&self, name: &str, text: &str) -> bool {
        let is_total = xml::is_total(name) && !xml::words(name).iter().all(|word| word == "size");
        let most = self.count.max(self.rows.len() as u64);
        is_total && text.parse::<u64>().is_ok_and(|total| total > most)
    }

    /// Whether it holds rows like those of the page.
    fn has_rows(&self, value: &Value) -> bool {
        let is_row = |value: &Value| value.as_object().is_some_and(|row| self.is_row(row));
        match value {
            Value::Array(items) => items.iter().any(is_row),
            Value::Object(fields) => fields.values().any(is_row),
            _ => false,
        }
    }

    fn is_row(&self, row: &serde_json::Map<String, Value>) -> bool {
        if row.len() < FEWEST_KEYS {
            return false;
        }
        let Some(known) = self.rows.iter().find_map(Value::as_object) else {
            return row.contains_key("id") && row.len() > FEWEST_KEYS;
        };
        let shared = row.keys().filter(|key| known.contains_key(*key)).count();
        shared >= FEWEST_KEYS && shared * 2 >= row.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Claims, PageClaim};
    use crate::source::xml::FeedError;

    fn check(text: &str, is_linked: bool, is_empty: bool) -> Result<(), FeedError> {
        Claims::of(text).check(&PageClaim {
            rows: &[],
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
        for more in [
            r#", "incomplete_results": true"#,
            r#", "timed_out": true"#,
            r#", "results_capped": true"#,
            r#", "_shards": {"total": 5, "successful": 3, "failed": 2}"#,
            r#", "warnings": ["shard 2 timed out"]"#,
            r#", "detail": "Some text""#,
            r#", "meta": {"pagination": {"total": 5}}"#,
            r#", "matches": 5"#,
            r#", "archived": [{"id": 4, "title": "x", "status": 1, "queue": 1}]"#,
        ] {
            assert!(check(&page(more, ""), false, false).is_err(), "{more}");
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
            r#", "_shards": {"total": 5, "successful": 5, "failed": 0}"#,
            r#", "rate_limit": {"remaining": 240, "limit": 250}"#,
            r#", "page_size": 100, "took": 15, "size": 20, "version": 3"#,
            r#", "statuses": [{"id": 1, "name": "Open", "count": 3}]"#,
            r#", "success": true, "message": "OK", "request_id": "5""#,
        ] {
            for rows in ["", r#"{"id": 1, "error": "x", "partial": true}"#] {
                let body = page(more, rows);
                assert_eq!(check(&body, false, rows.is_empty()), Ok(()), "{more}");
            }
        }
        let more = r#", "has_more": true"#;
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
