//! Short facts about an alert for people: severity, CVSS, CVEs, solution, watch lists.

use std::borrow::Cow;

use crate::model::{Alert, AttackVector, Message};

/// Number of CVEs that are listed; the rest is counted.
const NAMED_CVES: usize = 3;

/// The alerts of a message; a message without alerts (a heartbeat) counts as one alert.
pub(super) fn alerts(message: &Message) -> Cow<'_, [Alert]> {
    if !message.alerts.is_empty() {
        return Cow::Borrowed(&message.alerts);
    }
    Cow::Owned(vec![Alert {
        id: message.id.clone(),
        what: message.purpose.name().into(),
        kind: "advisoryd".into(),
        key: message.purpose.name().into(),
        at: message.at,
        title: message.title.clone(),
        summary: message.title.clone(),
        ..Alert::default()
    }])
}

/// The facts about an alert in addition to its title, each in a few words: severity,
/// score, CVEs, solution, watch lists, ticket.
pub(super) fn facts(alert: &Alert) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(severity) = &alert.severity {
        facts.push(severity.replace('_', " "));
    }
    if let Some(score) = alert.cvss3_score {
        facts.push(format!("CVSS {score:.1}"));
    }
    if alert.is_zero_day == Some(true) {
        facts.push("zero day".into());
    }
    if let Some(vector) = alert
        .attack_vector
        .as_deref()
        .and_then(AttackVector::from_name)
        && !matches!(vector, AttackVector::None | AttackVector::Unknown)
    {
        facts.push(format!(
            "attack vector: {}",
            vector.name().replace('_', " ")
        ));
    }
    if let Some(score) = alert.threat_score {
        facts.push(format!("threat score {score}"));
    }
    if !alert.cves.is_empty() {
        let (named, rest) = alert.cves.split_at(alert.cves.len().min(NAMED_CVES));
        let named = named.join(", ");
        facts.push(match rest.len() + alert.more_cves {
            0 => named,
            more => format!("{named} and {more} more"),
        });
    }
    if let Some(solution) = &alert.solution_status {
        facts.push(format!("solution: {solution}"));
    }
    if let Some(status) = &alert.ticket_status {
        facts.push(format!("ticket: {status}"));
    }
    if let Some(assignee) = &alert.ticket_assignee {
        facts.push(format!("assigned to {assignee}"));
    }
    if !alert.watch_list_ids.is_empty() {
        let ids: Vec<String> = alert.watch_list_ids.iter().map(i64::to_string).collect();
        let lists = if ids.len() == 1 { "list" } else { "lists" };
        facts.push(format!("watch {lists} {}", ids.join(", ")));
    }
    facts
}
