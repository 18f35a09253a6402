//! Alertmanager sink (API version 2).

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use super::facts::{alerts, facts};
use super::open::OpenError;
use super::outcome::{DeliveryReceipt, Refused};
use super::post::{Post, PostBody};
use super::secrets::Secrets;
use crate::config;
use crate::model::{Alert, Message, OWN_RULE};

/// Prometheus Alertmanager. It identifies an alert by its labels: they are the same
/// whenever the same rule reports the same key with the same severity, so that a
/// later message can resolve an alert that an earlier one started.
#[derive(Debug)]
pub(super) struct AlertmanagerSink {
    post: Post,
    labels: BTreeMap<String, String>,
    active_for: TimeDelta,
}

/// An alert in its API, version 2.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Posted {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<&'static str, String>,
    /// Omitted when an alert is resolved: Alertmanager then keeps its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
    ends_at: String,
}

impl AlertmanagerSink {
    pub(super) fn open(
        settings: &config::AlertmanagerSettings,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<Self, OpenError> {
        let config::AlertmanagerSettings {
            target,
            labels,
            active_for,
        } = settings;
        let active_for = TimeDelta::from_std(*active_for)
            .map_err(|_| OpenError::unusable("`active_for` is too long"))?;
        Ok(Self {
            post: Post::open(target, timeout, secrets)?.at("/api/v2/alerts"),
            labels: labels.clone(),
            active_for,
        })
    }

    pub(super) async fn send(
        &self,
        message: &Message,
        now: DateTime<Utc>,
    ) -> Result<DeliveryReceipt, Refused> {
        let posted: Vec<Posted> = alerts(message)
            .iter()
            .flat_map(|alert| self.posted(message, alert, now))
            .collect();
        let body = serde_json::to_vec(&posted).map_err(|error| {
            Refused::unbuilt(format!("cannot encode the message as JSON: {error}"))
        })?;
        self.post.send(PostBody::json(body), now).await
    }

    /// The alert itself, and the end of alerts that were fired before with other
    /// severities: of all if it is resolved, else of those it no longer has.
    pub(super) fn posted(
        &self,
        message: &Message,
        alert: &Alert,
        now: DateTime<Utc>,
    ) -> Vec<Posted> {
        let own = alert.severity.as_deref().unwrap_or_default();
        let raised = alert.raised_severities.iter().map(String::as_str);
        let mut ended: Vec<&str> = raised
            .filter(|severity| alert.resolved || *severity != own)
            .collect();
        if alert.resolved && ended.is_empty() {
            ended.push(own);
        }
        let one = |severity: &str, starts_at, ends_at| Posted {
            labels: self.labels(message, alert, severity),
            annotations: annotations(message, alert),
            starts_at,
            ends_at,
        };
        let mut posted: Vec<Posted> = ended
            .into_iter()
            .map(|severity| one(severity, None, time(alert.at)))
            .collect();
        if !alert.resolved {
            // Counted from this attempt, so that a late delivery is still active.
            let ends_at = time(now + self.active_for);
            posted.push(one(own, Some(time(alert.at)), ends_at));
        }
        posted
    }

    fn labels(&self, message: &Message, alert: &Alert, severity: &str) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        for (name, value) in [
            ("alertname", "advisoryd"),
            ("purpose", message.purpose.name()),
            ("rule", &message.rule),
            ("kind", &alert.kind),
            ("key", &alert.key),
            ("severity", severity),
            // advisoryd itself can have several problems at once.
            (
                "what",
                if alert.kind == OWN_RULE {
                    &alert.what
                } else {
                    ""
                },
            ),
        ] {
            // Alertmanager ignores labels without a value.
            if !value.is_empty() {
                labels.insert(name.to_owned(), value.to_owned());
            }
        }
        labels
    }
}

fn annotations(message: &Message, alert: &Alert) -> BTreeMap<&'static str, String> {
    let cves = alert.cves.join(", ");
    let description = facts(alert).join(" · ");
    let text = |text: &'_ Option<String>| text.clone().unwrap_or_default();
    let (solution, advisory_url) = (text(&alert.solution), text(&alert.advisory_url));
    let ticket_url = text(&alert.ticket_url);
    [
        ("title", alert.title.as_str()),
        ("summary", &alert.summary),
        ("description", &description),
        ("what", &alert.what),
        ("cves", &cves),
        ("solution", &solution),
        ("advisory_url", &advisory_url),
        ("ticket_url", &ticket_url),
        ("alert_id", &alert.id),
        ("message_id", &message.id),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name, value.to_owned()))
    .collect()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
