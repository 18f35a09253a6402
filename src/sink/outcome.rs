use std::time::Duration;

use super::secrets::Secrets;
use crate::model::one_line;

/// Most bytes of a receiver's answer that are kept for people to read.
pub const ANSWER_BYTES: usize = 512;
/// The most that is believed when a receiver asks to be left alone: longer, and
/// it is an alert no more.
pub const MAX_WAIT: Duration = Duration::from_hours(24);
/// Longest reason: it is a line of a log and a cell of a table.
const REASON_BYTES: usize = 1024;

/// The receiver took the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Its status where it has one: HTTP's, SMTP's, a process's exit status.
    pub status: Option<i32>,
    /// The beginning of what it answered, at most [`ANSWER_BYTES`], without control characters.
    pub answer: String,
}

/// The receiver did not take the message, or nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Why, and what to do about it; never holds a secret.
    pub reason: String,
    /// Its status where there was one.
    pub status: Option<i32>,
    /// The beginning of what it answered, as in [`Receipt`].
    pub answer: String,
    /// Whether trying again can help.
    pub can_repeat: bool,
    /// How long the receiver asked to be left alone, at most [`MAX_WAIT`].
    pub wait: Option<Duration>,
}

impl Receipt {
    pub(super) fn without(self, secrets: &Secrets) -> Self {
        let Self { status, answer } = self;
        Self {
            status,
            answer: shown(&answer, secrets, ANSWER_BYTES),
        }
    }
}

impl Refused {
    /// The same message may be taken later.
    pub(super) fn repeatable(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            status: None,
            answer: String::new(),
            can_repeat: true,
            wait: None,
        }
    }

    /// The same message is never taken.
    pub(super) fn permanent(reason: impl Into<String>) -> Self {
        Self {
            can_repeat: false,
            ..Self::repeatable(reason)
        }
    }

    /// Nothing came within the sink's timeout.
    pub(super) fn late(what: &str, timeout: Duration) -> Self {
        let timeout = humantime::format_duration(timeout);
        Self::repeatable(format!("{what} gave no answer within {timeout}"))
    }

    pub(super) fn without(self, secrets: &Secrets) -> Self {
        let Self {
            reason,
            status,
            answer,
            can_repeat,
            wait,
        } = self;
        Self {
            reason: shown(&reason, secrets, REASON_BYTES),
            status,
            answer: shown(&answer, secrets, ANSWER_BYTES),
            can_repeat,
            wait,
        }
    }
}

/// A text from outside as people may see it: first without secrets, so that a
/// cut leaves no half of one, then on one line, printable and bounded.
fn shown(text: &str, secrets: &Secrets, most_bytes: usize) -> String {
    let mut line = one_line(&secrets.redact(text));
    line.truncate(line.floor_char_boundary(most_bytes));
    line
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_BYTES, Refused, Secrets};
    use crate::config::Secret;

    #[test]
    fn what_is_kept_is_bounded_printable_and_without_secrets() {
        let mut secrets = Secrets::default();
        secrets.add(&Secret::new("hunter2-hunter2"));
        let refused = Refused {
            answer: format!("{} hunter2-hunter2", "ä".repeat(ANSWER_BYTES / 2 - 5)),
            ..Refused::permanent("no\r\n\u{1b}[31m \u{202e}hunter2-hunter2")
        };
        let Refused { reason, answer, .. } = refused.without(&secrets);
        assert_eq!(reason, "no [31m [redacted]");
        assert!(answer.len() <= ANSWER_BYTES, "{}", answer.len());
        assert!(!answer.contains("hunter"), "{answer}");
    }
}
