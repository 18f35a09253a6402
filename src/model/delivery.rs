//! Deliveries: how each goes on, and what became of alerts.

use chrono::{DateTime, Utc};

/// How a delivery goes on after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The receiver took it.
    Delivered,
    /// It is tried again.
    Postponed {
        /// Not before.
        until: DateTime<Utc>,
        /// What went wrong.
        error: String,
    },
    /// It is given up: a dead letter.
    Abandoned {
        /// What went wrong.
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

    /// The state that it leaves the delivery in.
    pub fn state(&self) -> DeliveryState {
        match self {
            Self::Delivered => DeliveryState::Delivered,
            Self::Postponed { .. } => DeliveryState::Waiting,
            Self::Abandoned { .. } => DeliveryState::DeadLetter,
        }
    }

    /// What went wrong.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::Postponed { error, .. } | Self::Abandoned { error } => Some(error),
        }
    }
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried when it is due.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    DeadLetter,
}

impl DeliveryState {
    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::DeadLetter => "dead_letter",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::DeadLetter]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// What became of an alert: the closed set of `advisoryd_v1.alerts.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// Its message takes further alerts before it is sent.
    Gathering,
    /// A sink is still to be told.
    Waiting,
    /// Every sink was told.
    Delivered,
    /// A sink was given up.
    DeadLetter,
    /// A silence kept it from being sent.
    Silenced,
    /// Its rule sends nothing.
    Shadow,
    /// Its rule names no sink.
    Recorded,
}

impl AlertState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Gathering,
        Self::Waiting,
        Self::Delivered,
        Self::DeadLetter,
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
