//! Subject: a change with the content that rules compare.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{AttackVector, ChangeKind, RecordKind, Severity};

/// Watch lists are pulled one after the other, and one may be late: what comes with several of
/// them within this time is one event.
pub const SAME_EVENT: TimeDelta = TimeDelta::hours(1);

/// A change with the content of the advisory or ticket at that time: everything
/// that a rule compares.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Subject {
    /// Number of the change; `None` if there is no change behind it.
    pub seq: Option<i64>,
    /// What happened.
    pub what: ChangeKind,
    /// Whether it happened to a ticket.
    pub is_ticket: bool,
    /// The advisory's identifier or the ticket's id.
    pub key: String,
    /// The version that the change created, or that was current.
    pub version: i32,
    /// When it was detected.
    pub at: DateTime<Utc>,
    /// The watch list it came through.
    pub through: Option<i64>,
    /// How often the advisory had come back to that list by then, after at least a day.
    pub returns: i64,
    /// How often it had come back by then, after whatever time.
    pub all_returns: i64,
    /// Whether it belongs to the baseline (first load of its source).
    pub is_baseline: bool,
    /// Whether the advisory was known, and is news in the source that it came through: a rule
    /// that has not reported it yet takes that as its appearance.
    pub is_new_in_source: bool,
    /// Whether the advisory was in any followed source at that time.
    pub is_followed: bool,
    /// Whether the advisory, for a ticket its advisory, was acknowledged at that time.
    pub is_acknowledged: bool,
    /// Whether the advisory had a ticket at that time; true for a ticket that exists.
    pub has_ticket: bool,
    /// The watch lists of the advisory at that time; for a ticket its own list.
    pub watch_lists: Vec<i64>,
    /// Their names, in the same order; empty for a list without one.
    pub watch_list_names: Vec<String>,
    /// Title of the advisory or the ticket.
    pub title: Option<String>,
    /// The advisory; for a ticket its advisory, if known.
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

impl Subject {
    /// What it happened to.
    pub fn kind(&self) -> RecordKind {
        if self.is_ticket {
            RecordKind::Ticket
        } else {
            RecordKind::Advisory
        }
    }

    /// The watch lists that rules compare: of a list that was joined only that one, so
    /// that nobody is notified of the lists of others.
    pub fn compared_lists(&self) -> &[i64] {
        match (&self.through, self.what) {
            (through, _) if self.is_new_in_source => through.as_slice(),
            (Some(joined), ChangeKind::JoinedWatchList) => std::slice::from_ref(joined),
            _ => &self.watch_lists,
        }
    }

    /// The names of the watch lists that rules compare.
    pub fn compared_names(&self) -> impl Iterator<Item = &str> {
        let compared = self.compared_lists();
        let named = self.watch_lists.iter().zip(&self.watch_list_names);
        named
            .filter(move |(id, name)| compared.contains(id) && !name.is_empty())
            .map(|(_, name)| name.as_str())
    }

    /// The severities to compare: of a fall the one before it, if it is known, and the one
    /// after it; otherwise the present one.
    pub fn compared_severities(&self) -> impl Iterator<Item = Option<Severity>> + use<> {
        let now = self
            .advisory
            .as_ref()
            .and_then(|advisory| advisory.severity);
        let former = self.former_severity.filter(|_| self.what.is_fall());
        former.map(Some).into_iter().chain([now])
    }

    /// The name of a watch list of the advisory.
    pub fn name_of_list(&self, id: i64) -> Option<&str> {
        let mut named = self.watch_lists.iter().zip(&self.watch_list_names);
        let (_, name) = named.find(|(list, name)| **list == id && !name.is_empty())?;
        Some(name)
    }

    /// The severity to compare: after a fall the one before it, otherwise a rule for
    /// severe advisories would miss that one was rejected.
    pub fn worst_severity(&self) -> Option<Severity> {
        let now = self.advisory.as_ref()?.severity;
        if self.what.is_fall() {
            return now.max(self.former_severity);
        }
        now
    }
}

/// Content of an advisory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AdvisorySubject {
    /// Its identifier.
    pub said: String,
    /// Its title.
    pub title: Option<String>,
    /// Severity; `None` for an undocumented code.
    pub severity: Option<Severity>,
    /// First published.
    pub released_at: Option<DateTime<Utc>>,
    /// Last modified, according to upstream.
    pub modified_at: Option<DateTime<Utc>>,
    /// `None` if unknown.
    pub attack_vector: Option<AttackVector>,
    /// Solution status, upstream's name.
    pub solution_status: Option<String>,
    /// CVE identifiers.
    pub cves: Vec<String>,
    /// CVEs that the version before did not have.
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
    /// Exploited before a fix was available.
    pub is_zero_day: Option<bool>,
    /// Withdrawn by upstream.
    pub is_rejected: Option<bool>,
    /// Whether it was parsed from a damaged record.
    pub is_repaired: Option<bool>,
    /// Impacts, upstream's names.
    pub impacts: Vec<String>,
    /// When its first version was stored.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// Whether one of its CVEs is known to be exploited; `None` while the KEV catalogue was
    /// not read.
    pub kev: Option<bool>,
    /// Earliest due date of those CVEs.
    pub kev_due: Option<NaiveDate>,
    /// Whether one of them is used in ransomware campaigns.
    pub ransomware: Option<bool>,
    /// Highest EPSS score of its CVEs, 0 without any; `None` while no scores were read.
    pub epss: Option<f64>,
    /// To whom it was assigned at that time; empty if to nobody.
    pub assigned_to: String,
    /// The full-text searches that match, of those that were asked for.
    pub matched_words: Vec<String>,
}

/// Content of a ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketSubject {
    /// Defined by the customer.
    pub status: Option<String>,
    /// Assignee.
    pub assignee: Option<String>,
    /// Defined by the customer.
    pub priority: Option<String>,
    /// Defined by the customer.
    pub queue: Option<String>,
}
