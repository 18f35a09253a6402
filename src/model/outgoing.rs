//! The one door for text that leaves: every error, every answer of a receiver and every
//! field of the log passes it on the way to log, database, terminal and alert.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use super::redaction::{LONGEST_FORM_BYTES, Redaction};
use super::source_line::without_source_line;
use super::text::{beginning_within, legible, one_line, shortened};

/// Maximum length of an outgoing text, in characters.
pub const MAX_OUTGOING_CHARS: usize = 2_000;
/// How much of a text is searched, in characters: a text may become shorter when
/// secrets are replaced.
const MAX_SEARCHED_CHARS: usize = 16_384;
/// The same in bytes, for a text with characters that are not counted.
const MAX_SEARCHED_BYTES: usize = 4 * MAX_SEARCHED_CHARS;

/// All secrets of this process. They are never removed: an answer to what was sent
/// before a reload may arrive after it.
static SECRETS: RwLock<Redaction> = RwLock::new(Redaction::new());

/// How many access tokens are known at the same time. They are exchanged each hour or so, and
/// a receiver may repeat one long after the next was granted.
const MAX_TOKENS: usize = 64;

/// Access tokens, the newest last.
static TOKENS: RwLock<Tokens> = RwLock::new(Tokens {
    texts: VecDeque::new(),
    redaction: Redaction::new(),
});

struct Tokens {
    texts: VecDeque<String>,
    redaction: Redaction,
}

/// Registers a secret that another soon replaces: from now on no outgoing text contains it,
/// until 64 newer ones are known.
pub fn keep_token(token: &str) {
    let mut tokens = TOKENS.write().unwrap_or_else(PoisonError::into_inner);
    if tokens.texts.iter().any(|known| known == token) {
        return;
    }
    tokens.texts.push_back(token.to_owned());
    if tokens.texts.len() > MAX_TOKENS {
        tokens.texts.pop_front();
        let mut redaction = Redaction::new();
        tokens.texts.iter().for_each(|token| redaction.add(token));
        tokens.redaction = redaction;
    } else {
        tokens.redaction.add(token);
    }
}

/// Registers a secret: from now on no outgoing text contains it.
pub fn keep_secret(secret: &str) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    secrets.add(secret);
}

/// Registers a password that is sent together with a user name.
pub fn keep_login(user: &str, password: &str) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    secrets.add_login(user, password);
}

/// A text that may leave: one line without registered secrets, control characters and
/// invisible characters, at most [`MAX_OUTGOING_CHARS`] long.
pub fn outgoing(text: &str) -> String {
    outgoing_within(text, MAX_OUTGOING_CHARS)
}

/// As [`outgoing`], with a lower limit, in characters.
pub fn outgoing_within(text: &str, most_chars: usize) -> String {
    // Before control characters are removed: they show where a control sequence ends.
    let line = one_line(&redacted_beginning(text, searched(text)));
    let line = without_source_line(&line);
    shortened(&line, most_chars.min(MAX_OUTGOING_CHARS))
}

/// The beginning of a text from which an outgoing one is made, without the secrets of
/// `redaction`: whoever sends a long text must not make us search all of it.
pub fn outgoing_beginning(text: &str, redaction: &Redaction) -> String {
    // As much as is searched for the registered secrets.
    let bytes = searched(text).saturating_add(2 * LONGEST_FORM_BYTES);
    redaction.redact_beginning(text, bytes)
}

/// How much of a text an outgoing one can be made from, in bytes.
fn searched(text: &str) -> usize {
    let bytes = beginning_within(text, MAX_SEARCHED_CHARS).len();
    bytes.min(MAX_SEARCHED_BYTES)
}

/// A text of our own that may quote others, for a terminal: without registered secrets
/// and control sequences. Line ends and length stay.
pub fn outgoing_page(text: &str) -> String {
    legible(&without_source_line(&redacted(text)))
}

/// A text without registered secrets, and otherwise as it is.
pub fn without_secrets(text: &str) -> String {
    redacted(text)
}

/// Whether a text contains a registered secret as a whole.
pub fn contains_secret(text: &str) -> bool {
    // What follows says that the text was not cut: the beginning of a secret may be a word.
    let whole = format!("{text} .");
    redacted(&whole) != whole
}

fn redacted(text: &str) -> String {
    redacted_beginning(text, text.len())
}

/// The beginning of a text without registered secrets.
fn redacted_beginning(text: &str, bytes: usize) -> String {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let tokens = TOKENS.read().unwrap_or_else(PoisonError::into_inner);
    let clean = secrets.redact_beginning(text, bytes.saturating_add(LONGEST_FORM_BYTES));
    if bytes == text.len() {
        return tokens.redaction.redact(&clean);
    }
    tokens.redaction.redact_beginning(&clean, bytes)
}

#[cfg(test)]
mod tests {
    use super::{
        LONGEST_FORM_BYTES, MAX_OUTGOING_CHARS, MAX_SEARCHED_BYTES, Redaction, keep_secret,
        outgoing, outgoing_beginning, outgoing_within,
    };

    #[test]
    fn of_a_long_text_only_the_beginning_is_searched() {
        let most = MAX_SEARCHED_BYTES + 2 * LONGEST_FORM_BYTES;
        for piece in ["x", " ", "\u{200b}", "\u{10348}", "%41", "\u{1b}[0m"] {
            let long = piece.repeat((4 << 20) / piece.len());
            let searched = outgoing_beginning(&long, &Redaction::new());
            assert!(searched.len() <= most, "{piece:?}: {}", searched.len());
            // The beginning of a secret at the end of it is not shown.
            keep_secret("5d1c2b3a49586776a5b4c3d2e1f00918outgoing");
            let invisible = "\u{200b}".repeat(MAX_SEARCHED_BYTES / 3 - 3);
            let cut = format!("{invisible}5d1c2b3a49586776a5b4c3d2e1f00918outgoing");
            assert_eq!(outgoing(&cut), "[redacted]");
        }
    }

    #[test]
    fn what_leaves_is_one_bounded_line_without_secrets() {
        keep_secret("9f8e7d6c5b4a39281706f5e4d3c2b1a0outgoing");
        let text =
            "no\r\n\u{1b}[31m \u{9b}2J\u{202e}9f8e7d6c5b4a3928\u{200b}1706f5e4d3c2b1a0outgoing.";
        assert_eq!(outgoing(text), "no [31m 2J[redacted].");
        let long = outgoing(&"x ".repeat(1_000_000));
        assert_eq!(long.chars().count(), MAX_OUTGOING_CHARS);
        let cut = format!(
            "{} 9f8e7d6c5b4a39281706f5e4d3c2b1a0outgoing",
            "x".repeat(170)
        );
        assert!(outgoing_within(&cut, 200).ends_with(" [redacted]"));
        let cut = format!("{} 9f8e7d6c5b4a39281706f5e4d3…", " ".repeat(170));
        assert_eq!(outgoing(&cut), "[redacted]…");
    }
}
