//! Log sink: one log line per alert.

use tracing::info;

use super::facts::{alerts, facts};
use super::outcome::DeliveryReceipt;
use crate::model::Message;

/// Writes one log line per alert.
pub(super) fn send(message: &Message) -> DeliveryReceipt {
    let alerts = alerts(message);
    for alert in alerts.iter() {
        let over = if alert.resolved { " (resolved)" } else { "" };
        info!(
            message.id = %message.id,
            message.purpose = message.purpose.name(),
            rule.name = %message.rule,
            alert.id = %alert.id,
            alert.what = %alert.what,
            alert.kind = %alert.kind,
            alert.key = %alert.key,
            alert.version = alert.version,
            alert.resolved = alert.resolved,
            alert.severity = alert.severity.as_deref(),
            alert.title = %alert.title,
            alert.facts = facts(alert).join(" | "),
            alert.solution = alert.solution.as_deref(),
            alert.advisory_url = alert.advisory_url.as_deref(),
            alert.ticket_url = alert.ticket_url.as_deref(),
            "alert{over}: {} {}: {}",
            alert.kind,
            alert.key,
            alert.summary,
        );
    }
    DeliveryReceipt {
        status: None,
        answer: format!("{} written to the log", alerts.len()),
    }
}
