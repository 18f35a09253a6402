//! What has not happened for some time: the clauses of rules that are evaluated by the clock,
//! and the alerts about it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fact::{NAMESPACE, alert_of};
use super::{Alert, Subject, counted};

/// Kind of an alert of a rule that is evaluated by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockKind {
    /// A ticket is open for too long.
    TicketOpen,
    /// An advisory has no ticket for too long.
    WithoutTicket,
    /// An advisory has no solution for too long.
    NoSolution,
    /// Nobody has acknowledged an advisory in time.
    Unacknowledged,
    /// An alert is repeated until somebody acknowledges the advisory.
    Reminder,
}

impl ClockKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::TicketOpen,
        Self::WithoutTicket,
        Self::NoSolution,
        Self::Unacknowledged,
        Self::Reminder,
    ];

    /// The name in `what` of alerts.
    pub fn name(self) -> &'static str {
        match self {
            Self::TicketOpen => "ticket_open",
            Self::WithoutTicket => "without_ticket",
            Self::NoSolution => "no_solution",
            Self::Unacknowledged => "unacknowledged",
            Self::Reminder => "reminder",
        }
    }

    /// What has not happened for `length`, in words.
    fn summary(self, length: &str) -> String {
        match self {
            Self::TicketOpen => format!("ticket open for {length}"),
            Self::WithoutTicket => format!("no ticket for {length}"),
            Self::NoSolution => format!("no solution for {length}"),
            Self::Unacknowledged => format!("not acknowledged for {length}"),
            Self::Reminder => "reminder: not acknowledged".to_owned(),
        }
    }
}

/// The clauses of a rule that are evaluated by the clock, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockClauses {
    /// A ticket exists for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_open_for: Option<i64>,
    /// An advisory has no ticket for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_ticket_for: Option<i64>,
    /// An advisory has no solution for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_solution_for: Option<i64>,
    /// Nobody has acknowledged an advisory for so long after its first alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unacknowledged_for: Option<i64>,
}

impl ClockClauses {
    /// Whether none is set: the rule is evaluated by changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The kind of its alerts.
    pub fn kind(&self) -> ClockKind {
        if self.ticket_open_for.is_some() {
            ClockKind::TicketOpen
        } else if self.without_ticket_for.is_some() {
            ClockKind::WithoutTicket
        } else if self.no_solution_for.is_some() {
            ClockKind::NoSolution
        } else {
            ClockKind::Unacknowledged
        }
    }

    /// The clauses that are set, with their keys in the configuration.
    pub fn described(&self) -> Vec<String> {
        let all = [
            ("ticket_open_for", self.ticket_open_for),
            ("without_ticket_for", self.without_ticket_for),
            ("no_solution_for", self.no_solution_for),
            ("unacknowledged_for", self.unacknowledged_for),
        ];
        let set = all.into_iter().filter_map(|(key, seconds)| {
            let seconds = u64::try_from(seconds?).unwrap_or(0);
            let length = std::time::Duration::from_secs(seconds);
            Some(format!("{key} {}", humantime::format_duration(length)))
        });
        set.collect()
    }
}

/// An advisory or ticket for which something has not happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The advisory's identifier or the ticket's id.
    pub key: String,
    /// Beginning of the period in which it has not happened.
    pub since: DateTime<Utc>,
    /// When the period became as long as the rule says.
    pub due_at: DateTime<Utc>,
}

impl Overdue {
    /// The id of its alert: one for each rule and period, however often and however late it
    /// is evaluated.
    pub fn alert_id(&self, rule: &str, kind: ClockKind) -> Uuid {
        let what = kind.name();
        let name = format!("{rule}\n{}\n{what}\n{}", self.key, self.since.to_rfc3339());
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// The alert. `subject` has the content of that time.
    pub fn alert(&self, rule: &str, kind: ClockKind, subject: &Subject) -> Alert {
        let mut summary = kind.summary(&length(subject.at - self.since));
        if let Some(severity) = subject.advisory.as_ref().and_then(|one| one.severity) {
            summary = format!("{summary}, {}", severity.name().replace('_', " "));
        }
        Alert {
            id: self.alert_id(rule, kind).to_string(),
            what: kind.name().to_owned(),
            summary,
            resolved: false,
            severity_before: None,
            ..alert_of(rule, subject)
        }
    }
}

/// A length in its largest unit: `3 days`, `1 hour`, `5 minutes`.
fn length(length: TimeDelta) -> String {
    let units = [
        (length.num_days(), "day"),
        (length.num_hours(), "hour"),
        (length.num_minutes(), "minute"),
    ];
    let largest = units.into_iter().find(|(number, _)| *number > 0);
    let (number, unit) = largest.unwrap_or((0, "minute"));
    counted(number, unit)
}
