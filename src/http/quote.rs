//! Quoting of untrusted text and URLs in errors and logs, without secrets.

use url::Url;

use crate::model::outgoing_within;

/// Maximum length of untrusted text in a message, in characters.
pub(super) const MAX_QUOTED_CHARS: usize = 200;

/// Untrusted text for an error or log: as all [outgoing](crate::model::outgoing) text,
/// and shorter.
pub(crate) fn quote(text: &str) -> String {
    outgoing_within(text, MAX_QUOTED_CHARS)
}

/// A request for error messages: without user, password and fragment, limited in
/// length.
pub(crate) fn asked(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    // A URL that cannot have a user has no password either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    quote(&format!("GET {url}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{asked, quote};
    use crate::config::ApiToken;

    #[test]
    fn quoted_texts_are_bounded_printable_and_without_the_token() {
        ApiToken::parse("hunter2").unwrap();
        assert_eq!(
            quote("Invalid\r\n\u{1b}[31m token hunter2.\u{202e}"),
            "Invalid [31m token [redacted]."
        );
        assert_eq!(quote(&"x".repeat(999)).chars().count(), 200);
        let url = "https://me:pw@x.example/a?b=c#d".parse().unwrap();
        assert_eq!(asked(&url), "GET https://x.example/a?b=c");
    }
}
