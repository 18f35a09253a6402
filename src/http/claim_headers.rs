//! Headers by which a response says how much of its collection it holds: `X-Total-Count`,
//! `X-Truncated`, `Warning` and the like.

use reqwest::header::{HeaderMap, WARNING};

use super::staleness::is_stale;

/// Headers that are looked at, and the longest value, in bytes.
const MOST: usize = 40;
const MAX_BYTES: usize = 300;
/// The message of a cache that could not ask upstream.
const STALE: &str = "the response is stale";

/// Their names without `x-`, and their values; of a `Warning` its text.
pub(super) fn header_claims(headers: &HeaderMap) -> Vec<(String, String)> {
    let named = headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?.trim();
        let (name, value) = if name == WARNING {
            (name.as_str(), warning(value))
        } else {
            (name.as_str().strip_prefix("x-")?, value.to_owned())
        };
        (value.len() <= MAX_BYTES).then(|| (name.to_owned(), value))
    });
    named.take(MOST).collect()
}

/// The text of `214 agent "text"`. What 110 to 112 mean does not depend on their text.
fn warning(value: &str) -> String {
    if is_stale(value) {
        return format!("{STALE}: {value}");
    }
    value.split('"').nth(1).unwrap_or(value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{header_claims, warning};

    #[test]
    fn warnings_are_read_by_their_text() {
        assert_eq!(warning("199 - \"Result truncated\""), "Result truncated");
        assert_eq!(warning("truncated"), "truncated");
        let stale = warning("110 - \"Old\"");
        assert_eq!(stale, "the response is stale: 110 - \"Old\"");
        assert!(header_claims(&reqwest::header::HeaderMap::new()).is_empty());
    }
}
