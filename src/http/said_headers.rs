//! Headers by which a response says how much of its collection it holds: `X-Total-Count`,
//! `X-Truncated`, `Warning` and the like.

use reqwest::header::{HeaderMap, WARNING};

/// Headers that are looked at, and the longest value, in bytes.
const MOST: usize = 40;
const MAX_BYTES: usize = 300;

/// Their names without `x-`, and their values; of a `Warning` its text.
pub(super) fn said(headers: &HeaderMap) -> Vec<(String, String)> {
    let named = headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?.trim();
        let (name, value) = if name == WARNING {
            (name.as_str(), warning(value))
        } else {
            (name.as_str().strip_prefix("x-")?, value)
        };
        (value.len() <= MAX_BYTES).then(|| (name.to_owned(), value.to_owned()))
    });
    named.take(MOST).collect()
}

/// The text of `214 agent "text"`.
fn warning(value: &str) -> &str {
    value.split('"').nth(1).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::{said, warning};

    #[test]
    fn warnings_are_read_by_their_text() {
        assert_eq!(warning("199 - \"Result truncated\""), "Result truncated");
        assert_eq!(warning("truncated"), "truncated");
        assert!(said(&reqwest::header::HeaderMap::new()).is_empty());
    }
}
