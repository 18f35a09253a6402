//! Deliveries: the result of an attempt, and the states of deliveries and alerts.

use chrono::{DateTime, Utc};

/// The result of a delivery attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The receiver accepted the message.
    Delivered,
    /// The attempt failed and will be retried.
    Postponed {
        /// Not retried before this time.
        until: DateTime<Utc>,
        /// The error.
        error: String,
    },
    /// The delivery is no longer retried: a dead letter.
    Abandoned {
        /// The error.
        error: String,
    },
}

impl Ending {
    /// The attempt's outcome, as SQL and metrics name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Postponed { .. } => "postponed",
            Self::Abandoned { .. } => "abandoned",
        }
    }

    /// The state of the delivery after the attempt.
    pub fn state(&self) -> DeliveryState {
        match self {
            Self::Delivered => DeliveryState::Delivered,
            Self::Postponed { .. } => DeliveryState::Waiting,
            Self::Abandoned { .. } => DeliveryState::DeadLetter,
        }
    }

    /// The error.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::Postponed { error, .. } | Self::Abandoned { error } => Some(error),
        }
    }
}

/// Why a delivery attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReason {
    /// The receiver rejected the credentials.
    Auth,
    /// The receiver accepts no more for now (status 429).
    RateLimited,
    /// The receiver answered with any other error.
    Refused,
    /// No answer: not connected, or too late.
    Unreachable,
    /// The message could not be built from the template.
    Template,
}

impl FailureReason {
    /// All reasons.
    pub const ALL: [Self; 5] = [
        Self::Auth,
        Self::RateLimited,
        Self::Refused,
        Self::Unreachable,
        Self::Template,
    ];

    /// The name used in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::RateLimited => "rate_limited",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Template => "template",
        }
    }
}

/// Why a receiver does not take an alert of a message, while it takes the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassedOverReason {
    /// It is too large for the receiver, also abridged.
    TooLarge,
    /// Its object outside exists, and the id of the object is not known.
    ObjectWithoutId,
}

impl PassedOverReason {
    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::ObjectWithoutId => "object_without_id",
        }
    }
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is sent when it is due.
    Waiting,
    /// The receiver accepted the message.
    Delivered,
    /// It could not be delivered and is no longer retried.
    DeadLetter,
    /// A dead letter that somebody has dismissed.
    Dismissed,
}

impl DeliveryState {
    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::DeadLetter => "dead_letter",
            Self::Dismissed => "dismissed",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Waiting,
            Self::Delivered,
            Self::DeadLetter,
            Self::Dismissed,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }
}

/// State of an alert: the fixed set of `advisoryd_v1.alerts.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// Its message is still open for more alerts.
    Gathering,
    /// At least one sink has not received it yet.
    Waiting,
    /// Every sink has received it.
    Delivered,
    /// The delivery to a sink failed permanently.
    DeadLetter,
    /// It failed permanently, and somebody dismissed that.
    Dismissed,
    /// Suppressed by a silence.
    Silenced,
    /// Its rule is a shadow rule.
    Shadow,
    /// Its rule has no sinks.
    Recorded,
}

impl AlertState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Gathering,
        Self::Waiting,
        Self::Delivered,
        Self::DeadLetter,
        Self::Dismissed,
        Self::Silenced,
        Self::Shadow,
        Self::Recorded,
    ];

    /// The name used in SQL, JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gathering => "gathering",
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::DeadLetter => "dead_letter",
            Self::Dismissed => "dismissed",
            Self::Silenced => "silenced",
            Self::Shadow => "shadow",
            Self::Recorded => "recorded",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}
