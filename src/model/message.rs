//! Messages: one or more alerts in the form that sinks send.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{ChangedField, RecordKind, Severity, one_line, outgoing_within, shortened};

/// Version of the JSON format of [`Message`] (docs/alerts-sinks.md); incremented
/// when a key is removed or changes its meaning. Keys may be added without that.
pub const MESSAGE_VERSION: u32 = 1;

/// Maximum number of CVEs of an alert.
const MAX_CVES: usize = 100;
/// Maximum number of products of an alert.
const MAX_PRODUCTS: usize = 10;
/// Maximum number of changed fields, and of names of watch lists.
const MAX_ENTRIES: usize = 100;
/// Maximum length of a text of an alert, in characters.
const MAX_TEXT_CHARS: usize = 1000;
/// Maximum length of the beginning of a solution: a few lines on a screen.
const MAX_SOLUTION_CHARS: usize = 400;
/// Of an alert that is too large for its receiver: names and identifiers of each kind, and
/// characters of a text.
const ABRIDGED_ENTRIES: usize = 3;
const ABRIDGED_CHARS: usize = 100;
/// Maximum length of the name of a product or watch list, and of a changed value.
const MAX_NAME_CHARS: usize = 200;

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessagePurpose {
    /// A rule matched.
    Alert,
    /// advisoryd reports a problem of its own.
    Health,
    /// A regular sign of life.
    Heartbeat,
    /// A user tests a sink.
    Test,
}

impl MessagePurpose {
    /// The name used in SQL and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Health => "health",
            Self::Heartbeat => "heartbeat",
            Self::Test => "test",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Alert, Self::Health, Self::Heartbeat, Self::Test]
            .into_iter()
            .find(|purpose| purpose.name() == name)
    }
}

/// One message to one sink. A retry sends the same message with the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// [`MESSAGE_VERSION`] of the version that created it.
    pub schema: u32,
    /// A UUID that is the same for all attempts, so that receivers can drop duplicates.
    pub id: String,
    /// Why it is sent.
    pub purpose: MessagePurpose,
    /// When the message was created, by our clock.
    pub at: DateTime<Utc>,
    /// The rule that created it; empty if the purpose is not `alert`.
    pub rule: String,
    /// One line, for a subject or title.
    pub title: String,
    /// The alerts of the message, at least one.
    pub alerts: Vec<Alert>,
}

impl Message {
    /// Title for these alerts of this rule: what it is about, and how many alerts there
    /// are of which severity.
    pub fn title_of(rule: &str, alerts: &[Alert]) -> String {
        let title = match alerts {
            [] => rule.to_owned(),
            [one] => {
                let severity = one.severity.as_deref().unwrap_or_default();
                let severity = severity.replace('_', " ");
                let is_named = one.resolved || one.summary.contains(&severity);
                let severity = if is_named {
                    String::new()
                } else {
                    format!(", {severity}")
                };
                let key = one.called();
                format!("{key}: {} ({}{severity})", one.title, one.summary)
            }
            several => title_of_several(rule, several),
        };
        shortened(&one_line(&title), MAX_TEXT_CHARS)
    }
}

/// Counts what the alerts are about, by the newest alert about each: an advisory is one, however
/// often it has changed.
fn title_of_several(rule: &str, alerts: &[Alert]) -> String {
    let mut newest: BTreeMap<(&str, &str), &Alert> = BTreeMap::new();
    for alert in alerts {
        newest.insert((alert.kind.as_str(), alert.key.as_str()), alert);
    }
    let about: Vec<&Alert> = newest.into_values().collect();
    if let [one] = about[..] {
        let title = Message::title_of(rule, std::slice::from_ref(one));
        return format!("{title}, {}", super::counted(alerts.len(), "alert"));
    }
    let are_all = |kind: RecordKind| about.iter().all(|one| one.kind == kind.name());
    let called = if are_all(RecordKind::Advisory) {
        "advisories"
    } else if are_all(RecordKind::Ticket) {
        "tickets"
    } else {
        "advisories and tickets"
    };
    format!("{rule}: {} {called}: {}", about.len(), counted(&about))
}

/// `1 extremely critical, 3 highly critical, 1 resolved`.
fn counted(alerts: &[&Alert]) -> String {
    let mut counts: BTreeMap<(i16, &str), usize> = BTreeMap::new();
    for alert in alerts {
        let kind = if alert.resolved {
            (i16::MAX, "resolved")
        } else {
            let name = alert.severity.as_deref().unwrap_or("of unknown severity");
            let rank = Severity::from_name(name).map_or(-1, Severity::rank);
            (-rank, name)
        };
        *counts.entry(kind).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|((_, name), count)| format!("{count} {}", name.replace('_', " ")))
        .collect();
    counts.join(", ")
}

/// One alert. Pending messages in the database may have been written by an older
/// version: a missing key has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alert {
    /// UUIDv5 of rule, key, version, kind of change, list, and how often it came back to the
    /// list: the same event has the same id.
    pub id: String,
    /// The event: a documented kind of `advisoryd_v1.changes`, or a health condition.
    pub what: String,
    /// `advisory`, `ticket` or `advisoryd`.
    pub kind: String,
    /// Advisory identifier, ticket id, or the affected source or sink.
    pub key: String,
    /// Version of the advisory or ticket that the change created; 0 for health.
    pub version: i32,
    /// When it was detected, by our clock.
    pub at: DateTime<Utc>,
    /// True when the alert is resolved: the advisory was rejected, advisoryd recovered.
    pub resolved: bool,
    /// The advisory's or ticket's title.
    pub title: String,
    /// One sentence: what happened, with the values before and after.
    pub summary: String,
    /// As in `advisoryd_v1.advisories`; `None` for health and tickets without an advisory.
    pub severity: Option<String>,
    /// 5 extremely critical … 1 not critical, 0 rejected.
    pub severity_rank: Option<i16>,
    /// CVSS version 3 base score.
    pub cvss3_score: Option<f64>,
    /// `remote`, `local_network`, `local`, `none` or `unknown`.
    pub attack_vector: Option<String>,
    /// Upstream's threat score; requires an additional licence.
    pub threat_score: Option<f64>,
    /// Exploited before a fix was available.
    pub is_zero_day: Option<bool>,
    /// CVE identifiers, at most 100.
    pub cves: Vec<String>,
    /// How many CVE identifiers are not listed.
    pub more_cves: usize,
    /// Solution status, upstream's name.
    pub solution_status: Option<String>,
    /// When the advisory was first published.
    pub released_at: Option<DateTime<Utc>>,
    /// When upstream last modified the advisory or ticket.
    pub modified_at: Option<DateTime<Utc>>,
    /// Watch lists of the advisory, or the ticket's watch list.
    pub watch_list_ids: Vec<i64>,
    /// Status of the ticket.
    pub ticket_status: Option<String>,
    /// Assignee of the ticket.
    pub ticket_assignee: Option<String>,
    /// Severities of earlier alerts of this rule and key, without duplicates; an
    /// empty string means unknown. Set when `resolved`, so that a receiver that
    /// stores alerts by severity can resolve each of them.
    pub raised_severities: Vec<String>,
    /// The advisory; for a ticket its advisory, if known.
    pub said: Option<String>,
    /// Severity in the version before, if this version changed it.
    pub severity_before: Option<String>,
    /// The fields that this version changed, at most 100.
    pub changed: Vec<ChangedField>,
    /// The newest CVSS version that upstream gives: `4`, `3` or `2`.
    pub cvss_version: Option<String>,
    /// Base score of that version.
    pub cvss_score: Option<f64>,
    /// Vector of that version.
    pub cvss_vector: Option<String>,
    /// Names of affected products, at most 10.
    pub products: Vec<String>,
    /// How many products are not listed.
    pub more_products: usize,
    /// Names of the watch lists, in the order of `watch_list_ids`, at most 100; the id
    /// where there is no name.
    pub watch_list_names: Vec<String>,
    /// The beginning of the solution's text.
    pub solution: Option<String>,
    /// Upstream's id of the ticket: the ticket itself, or the newest one of the advisory.
    pub ticket_id: Option<i64>,
    /// The number of that ticket that people use.
    pub ticket_number: Option<i64>,
    /// How many further tickets the advisory has.
    pub more_tickets: usize,
    /// The advisory's page, from `[upstream] advisory_url`.
    pub advisory_url: Option<String>,
    /// The ticket's page, from `[upstream] ticket_url`.
    pub ticket_url: Option<String>,
    /// Whether one of its CVEs is in the KEV catalogue; `None` while that was not read.
    pub kev: Option<bool>,
    /// Earliest due date of those CVEs.
    pub kev_due: Option<NaiveDate>,
    /// Whether one of them is used in ransomware campaigns.
    pub ransomware: Option<bool>,
    /// Highest EPSS score of its CVEs, 0 without any; `None` while no scores were read.
    pub epss: Option<f64>,
    /// Kinds of changes that happened at once with `what`, which is the most important, and
    /// that the summary reports, too.
    pub further_events: Vec<String>,
}

impl Alert {
    /// What people call it: the identifier of an advisory, the number of a ticket (`#1002`).
    pub fn called(&self) -> String {
        let number = self.ticket_number;
        let number = number.filter(|_| self.kind == RecordKind::Ticket.name());
        number.map_or_else(|| self.key.clone(), |number| format!("#{number}"))
    }

    /// The alert as it is stored and sent: texts of at most 1,000 characters without
    /// registered secrets, at most 100 CVEs and 10 products; the rest is counted. Receivers
    /// refuse large messages.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.more_cves += self.cves.len().saturating_sub(MAX_CVES);
        self.cves.truncate(MAX_CVES);
        self.more_products += self.products.len().saturating_sub(MAX_PRODUCTS);
        self.products.truncate(MAX_PRODUCTS);
        self.watch_list_names.truncate(MAX_ENTRIES);
        self.changed.truncate(MAX_ENTRIES);
        let texts = [&mut self.title, &mut self.summary];
        let optional = [
            &mut self.solution_status,
            &mut self.ticket_status,
            &mut self.ticket_assignee,
            &mut self.cvss_vector,
        ];
        for text in texts.into_iter().chain(optional.into_iter().flatten()) {
            *text = outgoing_within(text, MAX_TEXT_CHARS);
        }
        if let Some(solution) = &mut self.solution {
            *solution = outgoing_within(solution, MAX_SOLUTION_CHARS);
        }
        let values = self.changed.iter_mut().flat_map(ChangedField::values);
        let names = self.products.iter_mut().chain(&mut self.watch_list_names);
        for name in names.chain(values) {
            *name = outgoing_within(name, MAX_NAME_CHARS);
        }
        self
    }

    /// The alert for a receiver that finds it too large: what it is about in short texts, few
    /// names, and no changed fields.
    #[must_use]
    pub fn abridged(mut self) -> Self {
        self.more_cves += self.cves.len().saturating_sub(ABRIDGED_ENTRIES);
        self.cves.truncate(ABRIDGED_ENTRIES);
        self.more_products += self.products.len().saturating_sub(ABRIDGED_ENTRIES);
        self.products.truncate(ABRIDGED_ENTRIES);
        self.watch_list_ids.truncate(ABRIDGED_ENTRIES);
        self.watch_list_names.truncate(ABRIDGED_ENTRIES);
        self.changed.clear();
        let texts = [&mut self.title, &mut self.summary];
        let optional = [
            &mut self.solution_status,
            &mut self.ticket_status,
            &mut self.ticket_assignee,
            &mut self.solution,
        ];
        let texts = texts.into_iter().chain(optional.into_iter().flatten());
        let names = self.products.iter_mut().chain(&mut self.watch_list_names);
        for text in texts.chain(names) {
            *text = shortened(text, ABRIDGED_CHARS);
        }
        self
    }
}

#[cfg(test)]
mod tests;
