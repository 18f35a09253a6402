//! Messages: one or more alerts in the form that sinks send.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{one_line, shortened};

/// Version of the JSON format of [`Message`] (docs/alerts-sinks.md); incremented
/// when a key is removed or changes its meaning. Keys may be added without that.
pub const MESSAGE_VERSION: u32 = 1;

/// Maximum number of CVEs of an alert.
const MAX_CVES: usize = 100;
/// Maximum length of a text of an alert, in characters.
const MAX_TEXT_CHARS: usize = 1000;

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A rule matched.
    Alert,
    /// advisoryd reports a problem of its own.
    Health,
    /// A regular sign of life.
    Heartbeat,
    /// A user tests a sink.
    Test,
}

impl Purpose {
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
    pub purpose: Purpose,
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
    /// Title for these alerts of this rule.
    pub fn title_of(rule: &str, alerts: &[Alert]) -> String {
        let title = match alerts {
            [] => rule.to_owned(),
            [one] => format!("{}: {} ({})", one.key, one.title, one.summary),
            several => format!("{rule}: {} alerts", several.len()),
        };
        shortened(&one_line(&title), MAX_TEXT_CHARS)
    }
}

/// One alert. Pending messages in the database may have been written by an older
/// version: a missing key has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alert {
    /// UUIDv5 of rule, key, version, kind of change and list: the same event has the same id.
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
}

impl Alert {
    /// The alert as it is stored and sent: texts of at most 1,000 characters, and at most
    /// 100 CVEs; the rest is counted. Receivers refuse large messages.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.more_cves += self.cves.len().saturating_sub(MAX_CVES);
        self.cves.truncate(MAX_CVES);
        let texts = [&mut self.title, &mut self.summary];
        let names = [
            &mut self.solution_status,
            &mut self.ticket_status,
            &mut self.ticket_assignee,
        ];
        for text in texts.into_iter().chain(names.into_iter().flatten()) {
            *text = shortened(&one_line(text), MAX_TEXT_CHARS);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::{Alert, MESSAGE_VERSION, Message, Purpose};

    #[test]
    fn texts_and_lists_of_an_alert_are_bounded() {
        let alert = Alert {
            title: "x\r\nSA9999  forged,".repeat(10_000),
            ticket_status: Some("y".repeat(2000)),
            cves: (0..250).map(|n| format!("CVE-2026-{n}")).collect(),
            ..Alert::default()
        };
        let bounded = alert.bounded();
        assert!((990..=1000).contains(&bounded.title.chars().count()));
        assert!(bounded.title.starts_with("x SA9999 forged,x SA9999"));
        assert_eq!(bounded.ticket_status.as_deref().map(str::len), Some(1002));
        assert_eq!((bounded.cves.len(), bounded.more_cves), (100, 150));
        assert_eq!(bounded.clone().bounded(), bounded);
    }

    #[test]
    fn the_json_form_of_version_1_keeps_its_keys() {
        let message = Message {
            schema: MESSAGE_VERSION,
            id: "0".into(),
            purpose: Purpose::Alert,
            at: DateTime::UNIX_EPOCH,
            rule: "soc".into(),
            title: "one".into(),
            alerts: vec![Alert::default()],
        };
        let json = serde_json::to_value(&message).unwrap();
        let keys =
            |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        let mut whole = keys(&json);
        whole.sort();
        assert_eq!(
            whole,
            ["alerts", "at", "id", "purpose", "rule", "schema", "title"]
        );
        let alert = keys(&json["alerts"][0]);
        for key in [
            "id",
            "what",
            "kind",
            "key",
            "version",
            "at",
            "resolved",
            "title",
            "summary",
            "severity",
            "severity_rank",
            "cvss3_score",
            "attack_vector",
            "threat_score",
            "is_zero_day",
            "cves",
            "more_cves",
            "solution_status",
            "released_at",
            "modified_at",
            "watch_list_ids",
            "ticket_status",
            "ticket_assignee",
            "raised_severities",
        ] {
            assert!(
                alert.iter().any(|name| name == key),
                "{key} is always there"
            );
        }
        assert_eq!(alert.len(), 24, "document a new key and list it here");
        assert_eq!(json["purpose"], json!(Purpose::Alert.name()));
        let back: Message = serde_json::from_value(json).unwrap();
        assert_eq!(back, message);
    }
}
