//! What is told to people and machines outside: one message of one or more alerts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Version of the JSON form of [`Message`] (docs/alerts-sinks.md); raised when a
/// key changes its meaning or goes. Keys may be added without a new version.
pub const MESSAGE_VERSION: u32 = 1;

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A rule matched.
    Alert,
    /// The program reports on itself.
    Health,
    /// All quiet, complete to a time.
    Heartbeat,
    /// Somebody tries a sink.
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

/// One message to one sink. Sent again, it is the same message with the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// [`MESSAGE_VERSION`] of the program that wrote it.
    pub schema: u32,
    /// A UUID that stays the same over all attempts; receivers drop what they have seen.
    pub id: String,
    /// Why it is sent.
    pub purpose: Purpose,
    /// When the message was made, by our clock.
    pub at: DateTime<Utc>,
    /// The rule that asked for it; empty for other purposes than alerts.
    pub rule: String,
    /// One line for a subject or a title.
    pub title: String,
    /// The alerts in it, at least one.
    pub alerts: Vec<Alert>,
}

impl Message {
    /// One line for these alerts of this rule.
    pub fn title_of(rule: &str, alerts: &[Alert]) -> String {
        match alerts {
            [] => rule.to_owned(),
            [one] => format!("{}: {} ({})", one.key, one.title, one.summary),
            several => format!("{rule}: {} alerts", several.len()),
        }
    }
}

/// One fact that somebody must hear of. What waits in the database was perhaps
/// written by an older program: a key that is not there has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alert {
    /// UUIDv5 of rule, key, version, kind of change and list: the same fact has the same id.
    pub id: String,
    /// What happened: one of the documented kinds of `advisoryd_v1.changes`, or of health.
    pub what: String,
    /// `advisory`, `ticket` or `advisoryd`.
    pub kind: String,
    /// Advisory identifier, ticket id, or what of the program it is about.
    pub key: String,
    /// Version of the advisory or ticket that the change made; 0 for health.
    pub version: i32,
    /// When we learned it, by our clock.
    pub at: DateTime<Utc>,
    /// True when the alert is over: the advisory was rejected, the program recovered.
    pub resolved: bool,
    /// The advisory's or ticket's title.
    pub title: String,
    /// One sentence for people: what happened, with the values before and after.
    pub summary: String,
    /// As in `advisoryd_v1.advisories`; `None` for health and tickets without an advisory.
    pub severity: Option<String>,
    /// 5 extremely critical … 1 not critical, 0 rejected.
    pub severity_rank: Option<i16>,
    /// CVSS version 3 base score.
    pub cvss3_score: Option<f64>,
    /// `remote`, `local_network`, `local`, `none` or `unknown`.
    pub attack_vector: Option<String>,
    /// Upstream's threat score; absent without the licence for it.
    pub threat_score: Option<f64>,
    /// Exploited before a fix was known.
    pub is_zero_day: Option<bool>,
    /// CVE identifiers.
    pub cves: Vec<String>,
    /// As upstream names it.
    pub solution_status: Option<String>,
    /// When the advisory was first published.
    pub released_at: Option<DateTime<Utc>>,
    /// When upstream last revised the advisory or ticket.
    pub modified_at: Option<DateTime<Utc>>,
    /// Watch lists that the advisory is in, or the ticket's.
    pub watch_list_ids: Vec<i64>,
    /// Status of the ticket.
    pub ticket_status: Option<String>,
    /// Assignee of the ticket.
    pub ticket_assignee: Option<String>,
    /// Severities under which earlier alerts of this rule and key were raised,
    /// each once; an empty text stands for none. Filled when `resolved`: who
    /// keeps alerts by severity ends each of them.
    pub raised_severities: Vec<String>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::{Alert, MESSAGE_VERSION, Message, Purpose};

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
        assert_eq!(alert.len(), 23, "a new key is documented and named here");
        assert_eq!(json["purpose"], json!(Purpose::Alert.name()));
        let back: Message = serde_json::from_value(json).unwrap();
        assert_eq!(back, message);
    }
}
