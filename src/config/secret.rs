//! Secret URLs: the password is redacted whenever the URL is printed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};

use crate::model::{keep_login, keep_secret};

/// Replacement text for a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// A URL that may contain a password. Printing it shows everything except the password.
#[derive(Clone)]
pub struct SecretUrl {
    whole: SecretString,
    shown: String,
}

impl SecretUrl {
    /// Wraps a URL, and registers its password.
    pub fn new(url: &Url) -> Self {
        keep_secrets_of(url);
        Self {
            whole: SecretString::from(url.as_str()),
            shown: without_password(url),
        }
    }

    /// The URL including its password; use it only to connect.
    pub fn expose(&self) -> &str {
        self.whole.expose_secret()
    }
}

/// Registers the passwords of a URL, as written and decoded.
pub(super) fn keep_secrets_of(url: &Url) {
    if let Some(password) = url.password() {
        keep_secret(password);
        keep_login(&decoded(url.username()), &decoded(password));
    }
    for (key, value) in url.query_pairs() {
        if key.to_ascii_lowercase().contains("pass") {
            keep_secret(&value);
        }
    }
}

/// The text of a percent-encoded part of a URL.
pub(super) fn decoded(part: &str) -> String {
    let pair = format!("={}", part.replace('+', "%2B"));
    let pairs = form_urlencoded::parse(pair.as_bytes());
    pairs.map(|(_, value)| value.into_owned()).collect()
}

fn without_password(url: &Url) -> String {
    let mut url = url.clone();
    // A URL that cannot have a password needs no redaction.
    if url.password().is_some() && url.set_password(Some("redacted")).is_err() {
        return REDACTED.into();
    }
    if url.query().is_some_and(|query| query.contains("pass")) {
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mut query = url.query_pairs_mut();
        query.clear();
        for (key, value) in &pairs {
            let secret = key.to_ascii_lowercase().contains("pass");
            query.append_pair(key, if secret { "redacted" } else { value });
        }
    }
    url.to_string()
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretUrl({})", self.shown)
    }
}

impl PartialEq for SecretUrl {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for SecretUrl {}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::SecretUrl;

    #[test]
    fn a_password_is_never_printed() {
        for url in [
            "postgres://me:hunter2@db/advisoryd?sslmode=require",
            "postgres:///advisoryd?host=/run/postgresql&password=hunter2",
            "postgres:///advisoryd?sslpassword=hunter2",
            "http://me:hunter2@proxy:3128",
        ] {
            let secret = SecretUrl::new(&url.parse().unwrap());
            let shown = format!("{secret} {secret:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(secret.expose().contains("hunter2"));
        }
    }
}
