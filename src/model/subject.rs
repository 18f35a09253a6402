use chrono::{DateTime, Utc};

use super::{AttackVector, ChangeKind, Severity};

/// A change, and what the advisory or ticket said when it happened: all that a
/// rule looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Number of the change; `None` for what is looked at without one.
    pub seq: Option<i64>,
    /// What happened.
    pub what: ChangeKind,
    /// Whether it happened to a ticket.
    pub is_ticket: bool,
    /// The advisory's identifier or the ticket's id.
    pub key: String,
    /// The version that the change made, or that was current.
    pub version: i32,
    /// When we learned it.
    pub at: DateTime<Utc>,
    /// The watch list it came through.
    pub through: Option<i64>,
    /// Whether it came with the first load of its source: no news.
    pub is_baseline: bool,
    /// Whether the advisory was in any source then that is followed.
    pub is_followed: bool,
    /// The watch lists that it was in then; a ticket's own list.
    pub watch_lists: Vec<i64>,
    /// Title of the advisory or the ticket.
    pub title: Option<String>,
    /// The advisory; for a ticket the one that it is about, where it is known.
    pub advisory: Option<AdvisorySubject>,
    /// The advisory's severity in the version before.
    pub former_severity: Option<Severity>,
    /// The advisory's solution status in the version before.
    pub former_solution_status: Option<String>,
    /// The ticket.
    pub ticket: Option<TicketSubject>,
    /// The ticket in the version before.
    pub former_ticket: Option<TicketSubject>,
}

/// What an advisory said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AdvisorySubject {
    /// Its identifier.
    pub said: String,
    /// Its title.
    pub title: Option<String>,
    /// `None` for a code that nobody has documented.
    pub severity: Option<Severity>,
    /// First published.
    pub released_at: Option<DateTime<Utc>>,
    /// Last revised, as upstream says.
    pub modified_at: Option<DateTime<Utc>>,
    /// `None` where unknown.
    pub attack_vector: Option<AttackVector>,
    /// As upstream names it.
    pub solution_status: Option<String>,
    /// CVE identifiers.
    pub cves: Vec<String>,
    /// CVEs that the version before did not name.
    pub new_cves: Vec<String>,
    /// Names and CPEs of products.
    pub products: Vec<String>,
    /// Base score.
    pub cvss2: Option<f64>,
    /// Base score.
    pub cvss3: Option<f64>,
    /// Base score.
    pub cvss4: Option<f64>,
    /// Upstream's threat score.
    pub threat_score: Option<f64>,
    /// Exploited before a fix was known.
    pub is_zero_day: Option<bool>,
}

/// What a ticket said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketSubject {
    /// Names are the customer's own.
    pub status: Option<String>,
    /// Who works on it.
    pub assignee: Option<String>,
    /// Names are the customer's own.
    pub priority: Option<String>,
    /// Names are the customer's own.
    pub queue: Option<String>,
}
