//! Alert rules as configured.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{AttackVector, ChangeKind, ClockClauses, Severity};

/// A rule: which changes of which advisories or tickets are sent to which sinks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique name.
    pub name: String,
    /// The kinds of change that it matches.
    pub on: Vec<ChangeKind>,
    /// All of these have to match.
    #[serde(default)]
    pub clauses: Clauses,
    /// None of these may match as a whole.
    #[serde(default)]
    pub not: Vec<Clauses>,
    /// How missing values are treated.
    #[serde(default)]
    pub missing: Missing,
    /// Clauses about what has not happened for some time. A rule with one is evaluated by
    /// the clock, and not by changes.
    #[serde(default, skip_serializing_if = "ClockClauses::is_empty")]
    pub clock: ClockClauses,
    /// Names of the sinks.
    #[serde(default)]
    pub sinks: Vec<String>,
    /// Alerts within this many seconds go into one message; 0 = one message per alert.
    #[serde(default)]
    pub group_seconds: u64,
    /// Shadow rule: evaluated and recorded, but nothing is sent.
    #[serde(default)]
    pub shadow: bool,
    /// Cron expression: one message at each of its times, instead of `group_seconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Reminders after each so many seconds until the advisory is acknowledged; 0 = none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeat_seconds: u64,
    /// Names of times in which messages are held back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mute_times: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How a clause treats a value that upstream did not send (no CVSS yet).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The clause matches: rather one alert too many.
    #[default]
    Match,
    /// The clause does not match.
    Skip,
}

/// Clauses; those that are not set match everything. A list matches if any of its
/// entries matches; patterns are those of [`super::Globs`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clauses {
    /// Minimum severity. For a fall (`rejected`, `deescalated`) the severity before counts, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// In any of these watch lists at that time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub watch_lists: Vec<i64>,
    /// Or in any of those with these names, in any case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub watch_list_names: Vec<String>,
    /// Minimum CVSS version 2 base score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cvss2: Option<f64>,
    /// Minimum CVSS version 3 base score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cvss3: Option<f64>,
    /// Minimum CVSS version 4 base score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cvss4: Option<f64>,
    /// Whether it is exploited before a fix is available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_day: Option<bool>,
    /// Attack vectors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attack_vector: Vec<AttackVector>,
    /// Patterns of CVE identifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cve: Vec<String>,
    /// Patterns of product names and CPEs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub product: Vec<String>,
    /// A regular expression that matches part of the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Minimum threat score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threat_score: Option<f64>,
    /// Solution status, upstream's names; case-insensitive.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub solution_status: Vec<String>,
    /// Patterns of a ticket's status. Applies to tickets only, like those below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ticket_status: Vec<String>,
    /// Patterns of a ticket's assignee.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ticket_assignee: Vec<String>,
    /// Patterns of a ticket's priority.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ticket_priority: Vec<String>,
    /// Patterns of a ticket's queue.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ticket_queue: Vec<String>,
    /// Whether the advisory is acknowledged at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<WorkState>,
    /// Whether one of its CVEs is known to be exploited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kev: Option<bool>,
    /// Whether one of its CVEs is used in ransomware campaigns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ransomware: Option<bool>,
    /// Minimum EPSS score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epss: Option<f64>,
    /// A filter (docs/filter.md).
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Time zone of the days and times in it; `None`: UTC, or it has none.
    #[serde(rename = "timezone", skip_serializing_if = "Option::is_none")]
    pub zone: Option<Tz>,
}

/// Whether an advisory is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkState {
    /// Not acknowledged, or no longer.
    Open,
    /// Acknowledged.
    Acknowledged,
}

impl WorkState {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Open, Self::Acknowledged];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
        }
    }

    /// The state of an advisory.
    pub fn of(is_acknowledged: bool) -> Self {
        if is_acknowledged {
            Self::Acknowledged
        } else {
            Self::Open
        }
    }
}

impl Clauses {
    /// The clauses that are set.
    pub fn set(&self) -> Vec<Clause> {
        let Self {
            severity,
            watch_lists,
            watch_list_names,
            cvss2,
            cvss3,
            cvss4,
            zero_day,
            attack_vector,
            cve,
            product,
            title,
            threat_score,
            solution_status,
            ticket_status,
            ticket_assignee,
            ticket_priority,
            ticket_queue,
            state,
            filter,
            kev,
            ransomware,
            epss,
            zone: _,
        } = self;
        let there = [
            (Clause::Severity, severity.is_some()),
            (
                Clause::WatchLists,
                !watch_lists.is_empty() || !watch_list_names.is_empty(),
            ),
            (Clause::Cvss2, cvss2.is_some()),
            (Clause::Cvss3, cvss3.is_some()),
            (Clause::Cvss4, cvss4.is_some()),
            (Clause::ZeroDay, zero_day.is_some()),
            (Clause::AttackVector, !attack_vector.is_empty()),
            (Clause::Cve, !cve.is_empty()),
            (Clause::Product, !product.is_empty()),
            (Clause::Title, title.is_some()),
            (Clause::ThreatScore, threat_score.is_some()),
            (Clause::SolutionStatus, !solution_status.is_empty()),
            (Clause::TicketStatus, !ticket_status.is_empty()),
            (Clause::TicketAssignee, !ticket_assignee.is_empty()),
            (Clause::TicketPriority, !ticket_priority.is_empty()),
            (Clause::TicketQueue, !ticket_queue.is_empty()),
            (Clause::State, state.is_some()),
            (Clause::Where, filter.is_some()),
            (Clause::Kev, kev.is_some()),
            (Clause::Ransomware, ransomware.is_some()),
            (Clause::Epss, epss.is_some()),
        ];
        there
            .into_iter()
            .filter_map(|(clause, there)| there.then_some(clause))
            .collect()
    }
}

impl Rule {
    /// Whether the rule says which statuses of tickets it is about, or is not.
    pub fn names_ticket_status(&self) -> bool {
        let mut all = std::iter::once(&self.clauses).chain(&self.not);
        all.any(|clauses| !clauses.ticket_status.is_empty())
    }
}

/// A clause, named like its key in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clause {
    /// `severity`
    Severity,
    /// `watch_lists`
    WatchLists,
    /// `cvss2`
    Cvss2,
    /// `cvss3`
    Cvss3,
    /// `cvss4`
    Cvss4,
    /// `zero_day`
    ZeroDay,
    /// `attack_vector`
    AttackVector,
    /// `cve`
    Cve,
    /// `product`
    Product,
    /// `title`
    Title,
    /// `threat_score`
    ThreatScore,
    /// `solution_status`
    SolutionStatus,
    /// `ticket_status`
    TicketStatus,
    /// `ticket_assignee`
    TicketAssignee,
    /// `ticket_priority`
    TicketPriority,
    /// `ticket_queue`
    TicketQueue,
    /// `not`
    Not,
    /// `state`
    State,
    /// `where`
    Where,
    /// `kev`
    Kev,
    /// `ransomware`
    Ransomware,
    /// `epss`
    Epss,
}

impl Clause {
    /// Every clause, in the order of their codes in the database.
    pub const ALL: [Self; 22] = [
        Self::Severity,
        Self::WatchLists,
        Self::Cvss2,
        Self::Cvss3,
        Self::Cvss4,
        Self::ZeroDay,
        Self::AttackVector,
        Self::Cve,
        Self::Product,
        Self::Title,
        Self::ThreatScore,
        Self::SolutionStatus,
        Self::TicketStatus,
        Self::TicketAssignee,
        Self::TicketPriority,
        Self::TicketQueue,
        Self::Not,
        Self::State,
        Self::Where,
        Self::Kev,
        Self::Ransomware,
        Self::Epss,
    ];

    /// Whether it applies to tickets only.
    pub fn is_of_tickets(self) -> bool {
        matches!(
            self,
            Self::TicketStatus | Self::TicketAssignee | Self::TicketPriority | Self::TicketQueue
        )
    }

    /// Its key in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::WatchLists => "watch_lists",
            Self::Cvss2 => "cvss2",
            Self::Cvss3 => "cvss3",
            Self::Cvss4 => "cvss4",
            Self::ZeroDay => "zero_day",
            Self::AttackVector => "attack_vector",
            Self::Cve => "cve",
            Self::Product => "product",
            Self::Title => "title",
            Self::ThreatScore => "threat_score",
            Self::SolutionStatus => "solution_status",
            Self::TicketStatus => "ticket_status",
            Self::TicketAssignee => "ticket_assignee",
            Self::TicketPriority => "ticket_priority",
            Self::TicketQueue => "ticket_queue",
            Self::Not => "not",
            Self::State => "state",
            Self::Where => "where",
            Self::Kev => "kev",
            Self::Ransomware => "ransomware",
            Self::Epss => "epss",
        }
    }
}
