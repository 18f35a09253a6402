//! An outage of the database, as a message that needs no database.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fact::NAMESPACE;
use super::{Alert, MESSAGE_VERSION, Message, MessagePurpose, OWN_RULE, outgoing};

/// The kind of change of these alerts.
const WHAT: &str = "database_unavailable";

/// An outage of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// When it was found.
    pub since: DateTime<Utc>,
    /// Whether the sink was notified of it; files of earlier versions say `is_told`.
    #[serde(rename = "is_told")]
    pub is_notified: bool,
    /// Id of the object outside that it created.
    pub object: Option<String>,
}

impl Outage {
    /// An outage that nobody was notified of.
    pub fn since(since: DateTime<Utc>) -> Self {
        Self {
            since,
            is_notified: false,
            object: None,
        }
    }

    /// That the database is unavailable, because of `error`.
    pub fn begins(&self, error: &str, now: DateTime<Utc>) -> Message {
        let summary = format!(
            "since {} UTC: {}; nothing is stored and no other alert is sent until it is back",
            self.since.format("%Y-%m-%d %H:%M:%S"),
            outgoing(error)
        );
        self.message("the database is unavailable", summary, false, now)
    }

    /// That it is over.
    pub fn ends(&self, now: DateTime<Utc>) -> Message {
        let summary = format!(
            "it was unavailable since {} UTC; what was missed is read again",
            self.since.format("%Y-%m-%d %H:%M:%S")
        );
        self.message("the database is available again", summary, true, now)
    }

    /// The same outage has the same ids, so that receivers can drop duplicates.
    fn message(&self, title: &str, summary: String, resolved: bool, now: DateTime<Utc>) -> Message {
        let id = |part: &str| {
            let since = self.since.to_rfc3339();
            let text = format!("{OWN_RULE}\n{WHAT}\n{since}\n{resolved}\n{part}");
            Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
        };
        let alerts = vec![Alert {
            id: id("alert"),
            what: WHAT.to_owned(),
            kind: OWN_RULE.to_owned(),
            key: "database".to_owned(),
            at: now,
            resolved,
            title: title.to_owned(),
            summary,
            ..Alert::default()
        }];
        Message {
            schema: MESSAGE_VERSION,
            id: id("message"),
            purpose: MessagePurpose::Health,
            at: now,
            rule: OWN_RULE.to_owned(),
            title: Message::title_of(OWN_RULE, &alerts),
            alerts,
        }
    }
}
