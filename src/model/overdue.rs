//! What has not happened for some time: the clauses of rules that are evaluated by the clock,
//! and the alerts about it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fact::{NAMESPACE, alert_of};
use super::{Alert, Subject, counted};

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
    pub fn what(&self) -> &'static str {
        if self.ticket_open_for.is_some() {
            "ticket_open"
        } else if self.without_ticket_for.is_some() {
            "without_ticket"
        } else if self.no_solution_for.is_some() {
            "no_solution"
        } else {
            "unacknowledged"
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
    pub fn alert_id(&self, rule: &str, what: &str) -> Uuid {
        let name = format!("{rule}\n{}\n{what}\n{}", self.key, self.since.to_rfc3339());
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// The alert. `subject` has the content of that time.
    pub fn alert(&self, rule: &str, what: &str, subject: &Subject) -> Alert {
        let length = length(subject.at - self.since);
        let mut summary = match what {
            "ticket_open" => format!("ticket open for {length}"),
            "without_ticket" => format!("no ticket for {length}"),
            "no_solution" => format!("no solution for {length}"),
            "reminder" => "reminder: not acknowledged".to_owned(),
            _ => format!("not acknowledged for {length}"),
        };
        if let Some(severity) = subject.advisory.as_ref().and_then(|one| one.severity) {
            summary = format!("{summary}, {}", severity.name().replace('_', " "));
        }
        Alert {
            id: self.alert_id(rule, what).to_string(),
            what: what.to_owned(),
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
