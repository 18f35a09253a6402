//! Redaction of a sink's secrets in replies and errors.

use url::Url;

use crate::config::is_secret_header;
use crate::model::{Redaction, keep_login, keep_secret, outgoing_beginning, outgoing_within};

/// Longer than words of natural languages.
const WORD_BYTES: usize = 16;
/// All secrets of a sink. Some receivers repeat what they were sent in their
/// replies. They are registered for the whole process as well; those that may be
/// ordinary text, only for this sink.
#[derive(Debug, Default)]
pub(super) struct Secrets(Redaction);

impl Secrets {
    pub(super) fn add(&mut self, secret: &str) {
        self.0.add(secret);
        keep_secret(secret);
    }

    pub(super) fn add_login(&mut self, user: &str, password: &str) {
        self.0.add_login(user, password);
        keep_login(user, password);
    }

    /// The value of a header in the configuration.
    pub(super) fn add_header(&mut self, name: &str, value: &str) {
        if is_secret_header(name, value) {
            self.add(value);
        } else {
            self.0.add(value);
        }
    }

    /// A secret URL: everything except scheme and host.
    pub(super) fn add_url(&mut self, url: &Url) {
        self.add(url.as_str());
        self.add(url.path());
        for segment in url.path_segments().into_iter().flatten() {
            // Not words such as `services`, which also appear in other texts.
            if segment.len() >= WORD_BYTES || segment.contains(|c: char| c.is_ascii_digit()) {
                self.add(segment);
            }
        }
        for (_, value) in url.query_pairs() {
            self.add(&value);
        }
        if let Some(query) = url.query() {
            self.add(query);
        }
    }

    /// A text that may leave, without the secrets of this sink.
    pub(super) fn shown(&self, text: &str, most_chars: usize) -> String {
        outgoing_within(&outgoing_beginning(text, &self.0), most_chars)
    }
}
