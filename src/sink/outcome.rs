//! Results of delivery attempts: accepted, or rejected with reason and retry hint.

use std::time::Duration;

use super::secrets::Secrets;
use crate::model::{FailureReason, RemoteObject};

/// Maximum size of the receiver's reply that is stored, in bytes.
pub const ANSWER_BYTES: usize = 512;
/// Maximum `Retry-After` of a receiver: with a longer wait the alert would be
/// outdated.
pub const MAX_WAIT: Duration = Duration::from_hours(24);
/// Maximum length of a reason: it is shown on a log line and in a table cell.
const REASON_BYTES: usize = 1024;

/// The receiver accepted the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryReceipt {
    /// Status, if any: HTTP, SMTP, or exit status of a process.
    pub status: Option<i32>,
    /// The beginning of the reply, at most [`ANSWER_BYTES`], without control characters.
    pub answer: String,
}

/// A part of a message was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What the receiver said.
    pub receipt: DeliveryReceipt,
    /// The object outside that the alert belongs to now.
    pub object: Option<RemoteObject>,
}

impl From<DeliveryReceipt> for Sent {
    fn from(receipt: DeliveryReceipt) -> Self {
        Self {
            receipt,
            object: None,
        }
    }
}

/// The delivery failed: the receiver rejected the message, or the result is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Refused {
    /// The reason and what to do; never contains a secret.
    pub reason: String,
    /// Status, if any.
    pub status: Option<i32>,
    /// The beginning of the reply, as in [`DeliveryReceipt`].
    pub answer: String,
    /// The kind of failure, for metrics.
    pub kind: FailureReason,
    /// Whether a retry can succeed.
    pub can_repeat: bool,
    /// How long the receiver asked to wait (`Retry-After`), at most [`MAX_WAIT`].
    pub wait: Option<Duration>,
    /// Whether an object outside exists nevertheless, with an id that is not known.
    pub is_created: bool,
    /// Whether the object outside is not resolved any more nevertheless.
    pub is_reopened: bool,
    /// Whether a smaller one may be accepted.
    pub is_too_large: bool,
}

impl DeliveryReceipt {
    pub(super) fn without(self, secrets: &Secrets) -> Self {
        let Self { status, answer } = self;
        Self {
            status,
            answer: shown(&answer, secrets, ANSWER_BYTES),
        }
    }
}

impl Refused {
    /// A temporary failure without an answer: a retry may succeed.
    pub(super) fn repeatable(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            status: None,
            answer: String::new(),
            kind: FailureReason::Unreachable,
            can_repeat: true,
            wait: None,
            is_created: false,
            is_reopened: false,
            is_too_large: false,
        }
    }

    /// A permanent failure: the message will never be accepted.
    pub(super) fn permanent(reason: impl Into<String>) -> Self {
        Self {
            kind: FailureReason::Refused,
            can_repeat: false,
            ..Self::repeatable(reason)
        }
    }

    /// The message cannot be built, and never will be.
    pub(super) fn unbuilt(reason: impl Into<String>) -> Self {
        Self {
            kind: FailureReason::Template,
            ..Self::permanent(reason)
        }
    }

    /// The body or the input exceeds `max_bytes`; nothing was sent.
    pub(super) fn too_large(what: &str, most: usize) -> Self {
        let reason = format!("the {what} is larger than `max_bytes` ({most})");
        Self {
            is_too_large: true,
            ..Self::unbuilt(reason)
        }
    }

    /// Another process has the message.
    pub(crate) fn lost() -> Self {
        Self::repeatable("another process is sending this message")
    }

    /// No reply within the sink's timeout.
    pub(super) fn late(what: &str, timeout: Duration) -> Self {
        let timeout = humantime::format_duration(timeout);
        Self::repeatable(format!("{what} timed out after {timeout}"))
    }

    pub(super) fn without(self, secrets: &Secrets) -> Self {
        let Self {
            reason,
            status,
            answer,
            kind,
            can_repeat,
            wait,
            is_created,
            is_reopened,
            is_too_large,
        } = self;
        Self {
            reason: shown(&reason, secrets, REASON_BYTES),
            status,
            answer: shown(&answer, secrets, ANSWER_BYTES),
            kind,
            can_repeat,
            wait,
            is_created,
            is_reopened,
            is_too_large,
        }
    }
}

/// Untrusted text for display: secrets are redacted first, so that truncation cannot
/// leave a part of one, then it is made one line, printable and limited in length.
fn shown(text: &str, secrets: &Secrets, most_bytes: usize) -> String {
    // One more: the end is cut off below, without a mark.
    let mut line = secrets.shown(text, most_bytes + 1);
    line.truncate(line.floor_char_boundary(most_bytes));
    line
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{ANSWER_BYTES, Refused, Secrets, shown};

    /// The shorter one of two attempts: others use the processor too.
    fn time(text: &str, secrets: &Secrets) -> Duration {
        let once = || {
            let begun = Instant::now();
            assert!(shown(text, secrets, ANSWER_BYTES).len() <= ANSWER_BYTES);
            begun.elapsed()
        };
        once().min(once())
    }

    #[test]
    fn a_long_answer_takes_no_longer_than_its_beginning() {
        let mut secrets = Secrets::default();
        secrets.add("hunter2-hunter2");
        for piece in ["x", "%41", "hunter2-hunter2 "] {
            let short = piece.repeat((128 << 10) / piece.len());
            let long = short.repeat(32);
            let (short, long) = (time(&short, &secrets), time(&long, &secrets));
            assert!(long < 8 * short, "{piece}: {short:?}, {long:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_printable_and_without_secrets() {
        let mut secrets = Secrets::default();
        secrets.add("hunter2-hunter2");
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
