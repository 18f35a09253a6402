//! Redaction of a sink's secrets in replies and errors.

use std::fmt;

use url::Url;

use crate::config::Secret;

/// Minimum length: shorter strings are not real secrets and would be redacted everywhere in messages.
const MIN_SECRET_BYTES: usize = 4;
/// Longer than words of natural languages.
const WORD_BYTES: usize = 16;

/// All secrets of a sink. Some receivers repeat what they were sent in their
/// replies.
#[derive(Default)]
pub(super) struct Secrets(Vec<Secret>);

impl Secrets {
    pub(super) fn add(&mut self, secret: &Secret) {
        if secret.expose().len() >= MIN_SECRET_BYTES {
            self.0.push(secret.clone());
            // A longer secret may contain a shorter one.
            self.0
                .sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        }
    }

    /// A secret URL: everything except scheme and host.
    pub(super) fn add_url(&mut self, url: &Url) {
        self.add(&Secret::new(url.as_str()));
        self.add(&Secret::new(url.path()));
        for segment in url.path_segments().into_iter().flatten() {
            // Not words such as `services`, which also appear in other texts.
            if segment.len() >= WORD_BYTES || segment.contains(|c: char| c.is_ascii_digit()) {
                self.add(&Secret::new(segment));
            }
        }
        for (_, value) in url.query_pairs() {
            self.add(&Secret::new(&value));
        }
        if let Some(query) = url.query() {
            self.add(&Secret::new(query));
        }
    }

    pub(super) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose(), "[redacted]")
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} secrets", self.0.len())
    }
}
