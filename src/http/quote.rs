//! Quoting of untrusted text and URLs in errors and logs, without secrets.

use url::Url;

use crate::config::Token;
use crate::model::{one_line, shortened};

/// Maximum length of untrusted text in a message, in characters.
pub(super) const MAX_QUOTED_CHARS: usize = 200;

/// Untrusted text for an error or log: on one line, printable, limited in length,
/// and without the token, which some servers repeat.
pub(super) fn quote(text: &str, token: &Token) -> String {
    let text = text.replace(token.expose(), "[redacted]");
    shortened(&one_line(&text), MAX_QUOTED_CHARS)
}

/// A request for error messages: without user, password and fragment, limited in
/// length.
pub(super) fn asked(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    // A URL that cannot have a user needs no redaction.
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return shortened(&format!("GET {url}"), MAX_QUOTED_CHARS);
    }
    shortened(&format!("GET {url}"), MAX_QUOTED_CHARS)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{asked, quote};
    use crate::config::Token;

    #[test]
    fn quoted_texts_are_bounded_printable_and_without_the_token() {
        let token = Token::parse("hunter2").unwrap();
        assert_eq!(
            quote("Invalid\r\n\u{1b}[31m token hunter2.\u{202e}", &token),
            "Invalid [31m token [redacted]."
        );
        assert_eq!(quote(&"x".repeat(999), &token).chars().count(), 200);
        let url = "https://me:pw@x.example/a?b=c#d".parse().unwrap();
        assert_eq!(asked(&url), "GET https://x.example/a?b=c");
    }
}
