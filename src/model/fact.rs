//! Alert facts: the id, text and fields of the alert for a change.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Alert, ChangeKind, Severity, Subject, TicketSubject, one_line};

/// Namespace of our alerts' ids: UUIDv5 of the DNS name `advisoryd`.
pub(super) const NAMESPACE: Uuid = Uuid::from_u128(0xd128_311b_0ec1_51c9_9873_be48_7b3f_53d4);
/// CVEs that a summary names before it counts the rest.
const NAMED_CVES: usize = 5;

/// The id of an alert, derived from the rule and the change: evaluating a change
/// again gives the same id. Which returns of an advisory to a list are news, the rule says
/// ([`Rule::seen`](super::Rule::seen)).
pub fn alert_id(rule: &str, subject: &Subject) -> Uuid {
    let list = subject
        .through
        .map_or_else(String::new, |id| id.to_string());
    // No part can contain the separator.
    let name = format!(
        "{rule}\n{}\n{}\n{}\n{list}",
        subject.key,
        subject.version,
        subject.what.name()
    );
    let name = match subject.returns {
        0 => name,
        returns => format!("{name}\n{returns}"),
    };
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// The alert that receivers get, with the values at the time of the change. Its texts
/// are one line each; [`Alert::bounded`] cuts them.
pub fn alert_of(rule: &str, subject: &Subject) -> Alert {
    let advisory = subject.advisory.as_ref();
    let severity = advisory.and_then(|advisory| advisory.severity);
    let ticket = subject.ticket.as_ref();
    Alert {
        id: alert_id(rule, subject).to_string(),
        what: subject.what.name().to_owned(),
        kind: subject.kind().name().to_owned(),
        key: subject.key.clone(),
        version: subject.version,
        at: subject.at,
        resolved: subject.what == ChangeKind::Rejected,
        title: one_line(subject.title.as_deref().unwrap_or_default()),
        summary: one_line(&summary(subject)),
        severity: severity.map(|severity| severity.name().to_owned()),
        severity_rank: severity.map(Severity::rank),
        cvss3_score: advisory.and_then(|advisory| advisory.cvss3),
        attack_vector: advisory
            .and_then(|advisory| advisory.attack_vector)
            .map(|vector| vector.name().to_owned()),
        threat_score: advisory.and_then(|advisory| advisory.threat_score),
        is_zero_day: advisory.and_then(|advisory| advisory.is_zero_day),
        released_at: advisory.and_then(|advisory| advisory.released_at),
        modified_at: advisory.and_then(|advisory| advisory.modified_at),
        cves: advisory.map_or_else(Vec::new, |advisory| advisory.cves.clone()),
        solution_status: advisory.and_then(|advisory| line(advisory.solution_status.as_ref())),
        watch_list_ids: subject.watch_lists.clone(),
        ticket_status: ticket.and_then(|ticket| line(ticket.status.as_ref())),
        ticket_assignee: ticket.and_then(|ticket| line(ticket.assignee.as_ref())),
        severity_before: severity_before(subject),
        kev: advisory.and_then(|advisory| advisory.kev),
        kev_due: advisory.and_then(|advisory| advisory.kev_due),
        ransomware: advisory.and_then(|advisory| advisory.ransomware),
        epss: advisory.and_then(|advisory| advisory.epss),
        ..Alert::default()
    }
}

/// The severity before, if the version changed it. An advisory that joins or leaves a
/// list has no new version.
fn severity_before(subject: &Subject) -> Option<String> {
    let former = subject.former_severity?;
    let is_list = matches!(
        subject.what,
        ChangeKind::JoinedWatchList | ChangeKind::LeftWatchList
    );
    let is_other = subject.advisory.as_ref()?.severity != Some(former);
    (is_other && !is_list).then(|| former.name().to_owned())
}

/// One line cannot pass for another entry of a mail or log.
fn line(name: Option<&String>) -> Option<String> {
    name.map(|name| one_line(name))
}

/// One sentence: what happened, with the values before and after.
fn summary(subject: &Subject) -> String {
    let now = words(subject.advisory.as_ref().and_then(|of| of.severity));
    let before = words(subject.former_severity);
    match subject.what {
        ChangeKind::Appeared => format!("new advisory, {now}{}", solution(subject)),
        ChangeKind::JoinedWatchList => match subject.through {
            Some(list) => {
                let list = called(subject, list);
                format!("now in watch list {list}, {now}{}", solution(subject))
            }
            None => format!("now in another watch list, {now}{}", solution(subject)),
        },
        ChangeKind::LeftWatchList => match subject.through {
            Some(list) => {
                let list = called(subject, list);
                format!("no longer in watch list {list}, {now}")
            }
            None => format!("no longer in a watch list, {now}"),
        },
        ChangeKind::Revised => format!("revised, now version {}", subject.version),
        ChangeKind::Completed => format!("more details available, {now}{}", solution(subject)),
        ChangeKind::Escalated => format!("severity rose from {before} to {now}"),
        ChangeKind::Deescalated => format!("severity fell from {before} to {now}"),
        ChangeKind::BecameZeroDay => format!("exploited before a fix was available, {now}"),
        ChangeKind::SolutionAvailable => format!(
            "solution available: {} (before: {})",
            status(subject).unwrap_or("unknown"),
            subject.former_solution_status.as_deref().unwrap_or("none")
        ),
        ChangeKind::CvesAdded => cves(subject),
        ChangeKind::Rejected => format!("rejected by upstream, severity before: {before}"),
        ChangeKind::Reinstated => format!("no longer rejected, {now}"),
        ChangeKind::KevAdded => format!("known to be exploited (KEV){}, {now}", kev(subject)),
        ChangeKind::EpssCrossed => format!("EPSS score rose to {}, {now}", epss(subject)),
        ChangeKind::Corrected => "parsed again: stored values changed".to_owned(),
        ChangeKind::Drifted => "changed upstream without a new modification date".to_owned(),
        ChangeKind::TicketOpened => format!("new ticket{}", of_ticket(subject)),
        ChangeKind::TicketRevised => format!("ticket changed, now version {}", subject.version),
        ChangeKind::TicketStatus => from_to("status", subject, |ticket| &ticket.status),
        ChangeKind::TicketPriority => from_to("priority", subject, |ticket| &ticket.priority),
        ChangeKind::TicketAssigned => from_to("assignee", subject, |ticket| &ticket.assignee),
        ChangeKind::TicketGone => "ticket no longer exists upstream".to_owned(),
        ChangeKind::TicketReturned => "ticket exists upstream again".to_owned(),
    }
}

/// The name of a watch list, or its id if it has none.
fn called(subject: &Subject, list: i64) -> String {
    let name = subject.name_of_list(list);
    name.map_or_else(|| list.to_string(), str::to_owned)
}

/// What the KEV catalogue adds.
fn kev(subject: &Subject) -> String {
    let advisory = subject.advisory.as_ref();
    let due = advisory.and_then(|advisory| advisory.kev_due);
    let is_ransomware = advisory.and_then(|advisory| advisory.ransomware) == Some(true);
    let due = due.map_or_else(String::new, |due| format!(", due {due}"));
    let used = if is_ransomware {
        ", used in ransomware campaigns"
    } else {
        ""
    };
    format!("{due}{used}")
}

fn epss(subject: &Subject) -> String {
    let score = subject.advisory.as_ref().and_then(|advisory| advisory.epss);
    score.map_or_else(|| "unknown".to_owned(), |score| format!("{score:.3}"))
}

fn words(severity: Option<Severity>) -> String {
    severity.map_or_else(
        || "unknown severity".to_owned(),
        |severity| severity.name().replace('_', " "),
    )
}

fn status(subject: &Subject) -> Option<&str> {
    subject.advisory.as_ref()?.solution_status.as_deref()
}

fn solution(subject: &Subject) -> String {
    status(subject).map_or_else(String::new, |status| format!(", solution: {status}"))
}

fn cves(subject: &Subject) -> String {
    let new = subject
        .advisory
        .as_ref()
        .map_or(&[] as &[String], |advisory| &advisory.new_cves);
    let named: Vec<&str> = new.iter().take(NAMED_CVES).map(String::as_str).collect();
    let mut text = format!("CVEs added: {}", named.join(", "));
    if new.len() > NAMED_CVES {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {} more", new.len() - NAMED_CVES);
    }
    text
}

fn of_ticket(subject: &Subject) -> String {
    let Some(ticket) = &subject.ticket else {
        return String::new();
    };
    let parts = [
        ("status", &ticket.status),
        ("priority", &ticket.priority),
        ("assignee", &ticket.assignee),
    ];
    parts
        .into_iter()
        .filter_map(|(name, value)| Some(format!(", {name} {}", value.as_deref()?)))
        .collect()
}

fn from_to(name: &str, subject: &Subject, value: fn(&TicketSubject) -> &Option<String>) -> String {
    let shown = |ticket: &Option<TicketSubject>| {
        let named = ticket.as_ref().and_then(|ticket| value(ticket).clone());
        named.unwrap_or_else(|| "none".to_owned())
    };
    format!(
        "{name} changed from {} to {}",
        shown(&subject.former_ticket),
        shown(&subject.ticket)
    )
}

/// The id of a test message to a sink; each test has its own.
pub fn test_id(sink: &str, at: DateTime<Utc>) -> Uuid {
    Uuid::new_v5(
        &NAMESPACE,
        format!("test\n{sink}\n{}", at.to_rfc3339()).as_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::alert_id;
    use crate::model::{ChangeKind, Subject};

    fn subject(key: &str, version: i32, what: ChangeKind, through: Option<i64>) -> Subject {
        Subject {
            seq: None,
            what,
            is_ticket: false,
            key: key.to_owned(),
            version,
            at: DateTime::UNIX_EPOCH,
            through,
            is_baseline: false,
            is_new_in_source: false,
            is_followed: true,
            is_acknowledged: false,
            returns: 0,
            all_returns: 0,
            has_ticket: false,
            watch_lists: Vec::new(),
            watch_list_names: Vec::new(),
            title: None,
            advisory: None,
            former_severity: None,
            former_solution_status: None,
            ticket: None,
            former_ticket: None,
        }
    }

    /// As `python3` computes them:
    /// `ns = uuid.uuid5(uuid.NAMESPACE_DNS, 'advisoryd')`, then
    /// `uuid.uuid5(ns, 'soc\nSA1234\n3\nescalated\n4')` and
    /// `uuid.uuid5(ns, 'tickets\n37\n1\nticket_opened\n')`.
    #[test]
    fn ids_are_those_that_anybody_can_derive() {
        let escalated = subject("SA1234", 3, ChangeKind::Escalated, Some(4));
        let id = alert_id("soc", &escalated).to_string();
        assert_eq!(id, "3b5ea73a-b1e4-55cd-9f6e-843eded26453");
        let opened = subject("37", 1, ChangeKind::TicketOpened, None);
        let id = alert_id("tickets", &opened).to_string();
        assert_eq!(id, "ba58943c-f89f-5e84-9d45-f47b68bb6e24");
    }
}
