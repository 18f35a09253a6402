//! Short facts about an alert for people: severity, CVSS, CVEs, solution, watch lists.

use std::borrow::Cow;

use crate::model::{Alert, AttackVector, Message};

/// Number of CVEs that are listed; the rest is counted.
const NAMED_CVES: usize = 3;
/// Number of watch lists that are listed.
const NAMED_LISTS: usize = 10;
/// Number of changed fields that are listed.
const NAMED_FIELDS: usize = 5;
/// Longer values of a changed field are not quoted, in characters.
const MAX_QUOTED_CHARS: usize = 60;

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
/// score, CVEs, products, solution, watch lists, ticket.
pub(super) fn facts(alert: &Alert) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(severity) = &alert.severity {
        let before = alert.severity_before.as_deref();
        let before = before.map_or_else(String::new, |before| format!(" (before: {before})"));
        facts.push(format!("{severity}{before}").replace('_', " "));
    }
    facts.extend(cvss(alert));
    if alert.is_zero_day == Some(true) {
        facts.push("zero day".into());
    }
    facts.extend(exploitation(alert));
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
    let (named, rest) = alert.cves.split_at(alert.cves.len().min(NAMED_CVES));
    facts.extend(listed(named, rest.len() + alert.more_cves));
    let products = listed(&alert.products, alert.more_products);
    facts.extend(products.map(|products| format!("products: {products}")));
    facts.extend(changed(alert));
    if let Some(solution) = &alert.solution_status {
        facts.push(format!("solution: {solution}"));
    }
    facts.extend(ticket(alert));
    if let Some(assignee) = &alert.ticket_assignee {
        facts.push(format!("assigned to {assignee}"));
    }
    let lists = lists(alert);
    let (named, rest) = lists.split_at(lists.len().min(NAMED_LISTS));
    let word = if lists.len() == 1 { "list" } else { "lists" };
    let named = listed(named, rest.len());
    facts.extend(named.map(|named| format!("watch {word} {named}")));
    facts
}

/// What the KEV catalogue and EPSS say.
fn exploitation(alert: &Alert) -> Vec<String> {
    let mut facts = Vec::new();
    if alert.kev == Some(true) {
        let due = alert.kev_due;
        let due = due.map_or_else(String::new, |due| format!(", due {due}"));
        facts.push(format!("known to be exploited (KEV{due})"));
    }
    if alert.ransomware == Some(true) {
        facts.push("used in ransomware campaigns".into());
    }
    let score = alert.epss.filter(|score| *score > 0.0);
    facts.extend(score.map(|score| format!("EPSS {score:.3}")));
    facts
}

/// The score of the newest version with its vector.
fn cvss(alert: &Alert) -> Option<String> {
    let score = alert.cvss_score.or(alert.cvss3_score)?;
    let version = alert.cvss_version.as_deref().unwrap_or("3");
    let vector = alert.cvss_vector.as_deref();
    let vector = vector.map_or_else(String::new, |vector| format!(" ({vector})"));
    Some(format!("CVSS{version} {score:.1}{vector}"))
}

/// `a, b and 3 more`; nothing if there is none.
fn listed(names: &[String], more: usize) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let text = names.join(", ");
    Some(match more {
        0 => text,
        more => format!("{text} and {more} more"),
    })
}

/// The changed fields; the severity is a fact of its own.
fn changed(alert: &Alert) -> Option<String> {
    let fields = alert.changed.iter();
    let fields = fields.filter(|changed| changed.field != "severity");
    let names: Vec<String> = fields
        .map(|changed| {
            let field = changed.field.replace('_', " ");
            let has_value = changed.old.is_some() || changed.new.is_some();
            let is_short = |text: &Option<String>| {
                let length = text.as_ref().map_or(0, |text| text.chars().count());
                length <= MAX_QUOTED_CHARS
            };
            if !has_value || !is_short(&changed.old) || !is_short(&changed.new) {
                return field;
            }
            let value = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            format!("{field} {} → {}", value(&changed.old), value(&changed.new))
        })
        .collect();
    let (first, rest) = names.split_at(names.len().min(NAMED_FIELDS));
    listed(first, rest.len()).map(|fields| format!("changed: {fields}"))
}

fn ticket(alert: &Alert) -> Option<String> {
    let number = alert.ticket_number.or(alert.ticket_id);
    let status = alert.ticket_status.as_deref();
    let more = match alert.more_tickets {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match (number, status) {
        (None, None) => None,
        (None, Some(status)) => Some(format!("ticket: {status}")),
        (Some(number), None) => Some(format!("ticket #{number}{more}")),
        (Some(number), Some(status)) => Some(format!("ticket #{number}: {status}{more}")),
    }
}

/// Each watch list by name and id.
fn lists(alert: &Alert) -> Vec<String> {
    let names = alert.watch_list_names.iter().map(Some);
    let names = names.chain(std::iter::repeat(None));
    let lists = alert.watch_list_ids.iter().zip(names);
    lists
        .map(|(id, name)| {
            let id = id.to_string();
            match name {
                Some(name) if *name != id => format!("{name} ({id})"),
                _ => id,
            }
        })
        .collect()
}
