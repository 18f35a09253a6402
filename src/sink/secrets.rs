use std::fmt;

use url::Url;

use crate::config::Secret;

/// Shorter texts are no secrets worth the name, and would tear holes into every message.
const MIN_SECRET_BYTES: usize = 4;
/// Longer words are none in any language.
const WORD_BYTES: usize = 16;

/// Everything that a sink knows and nobody may read. Receivers have been seen
/// to repeat what they were sent.
#[derive(Default)]
pub(super) struct Secrets(Vec<Secret>);

impl Secrets {
    pub(super) fn add(&mut self, secret: &Secret) {
        if secret.expose().len() >= MIN_SECRET_BYTES {
            self.0.push(secret.clone());
            // A longer one may hold a shorter one.
            self.0
                .sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        }
    }

    /// An URL that is itself the secret: all of it but scheme and host.
    pub(super) fn add_url(&mut self, url: &Url) {
        self.add(&Secret::new(url.as_str()));
        self.add(&Secret::new(url.path()));
        for segment in url.path_segments().into_iter().flatten() {
            // Not words such as `services`, which stand in other texts as well.
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
