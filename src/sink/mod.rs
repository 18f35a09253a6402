//! Where messages go: each sink hands a [`Message`] to one receiver and says
//! what came of it. Sinks know no database and no rule, and repeat nothing:
//! whoever delivers decides when to try again.

use std::time::Duration;

use crate::model::Message;

/// Most bytes of a receiver's answer that are kept for people to read.
pub const ANSWER_BYTES: usize = 512;

/// A receiver.
pub trait Sink: Send + Sync {
    /// Hands the message over once.
    fn send<'a>(
        &'a self,
        message: &'a Message,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Receipt, Refused>> + Send + 'a>>;
}

/// The receiver took the message.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// How long the receiver asked to be left alone.
    pub wait: Option<Duration>,
}
