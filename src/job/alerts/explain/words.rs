//! Explanations as text.

use chrono::{DateTime, Utc};

use super::answer::Answer;
use crate::model::{AlertState, DeliveryState, counted};
use crate::store::alerts::outcome::{AlertOutcome, CarryingMessage, Delivery};

/// The machine-readable name of an explanation.
pub(crate) fn name(answer: &Answer) -> &'static str {
    match answer {
        Answer::NotFollowed | Answer::NotStored(_) => "not_followed",
        Answer::Quarantined(_) => "quarantined",
        Answer::Pending(_) => "pending",
        Answer::NotAsked { .. } => "not_asked",
        Answer::ClauseFalse { .. } => "clause_false",
        Answer::ValueMissing { .. } => "value_missing",
        Answer::Baseline { .. } => "baseline",
        Answer::Reported => "already_reported",
        Answer::BeforeRule => "before_rule",
        Answer::NotEvaluated => "not_evaluated",
        Answer::NoLongerKept => "no_longer_kept",
        Answer::Raised(outcomes) => outcomes
            .first()
            .map_or(AlertState::Delivered, |one| one.state)
            .name(),
    }
}

/// The explanation as a sentence.
pub(crate) fn text(answer: &Answer) -> String {
    match answer {
        Answer::NotFollowed => "not in a followed list at that time".to_owned(),
        Answer::NotStored(reason) => reason.clone(),
        Answer::Quarantined(record) => record.sentence(),
        Answer::Pending(entry) => entry.sentence(),
        Answer::NotAsked { what } => format!("event type `{what}` is not in `on`"),
        Answer::ClauseFalse {
            clause,
            required,
            actual,
        } => {
            let clause = clause.name();
            format!("no match: `{clause}` requires {required}, got {actual}")
        }
        Answer::ValueMissing {
            clause,
            actual: Some(actual),
        } => {
            let clause = clause.name();
            format!("`{clause}` is unknown, and the rule skips such events: {actual}")
        }
        Answer::ValueMissing {
            clause,
            actual: None,
        } => format!(
            "no value for `{}`, and the rule skips events without it",
            clause.name()
        ),
        Answer::Baseline { list: Some(list) } => {
            format!("baseline: part of the first load of watch list {list}")
        }
        Answer::Baseline { list: None } => "baseline: part of a first load".to_owned(),
        Answer::Reported => "matched; another alert of the rule reports it already".to_owned(),
        Answer::BeforeRule => {
            "baseline: the rule did not exist at the time of the change".to_owned()
        }
        Answer::NotEvaluated => "not evaluated yet; the daemon does this within moments".to_owned(),
        Answer::NoLongerKept => "matched; the alert is no longer stored".to_owned(),
        Answer::Raised(outcomes) => raised(outcomes),
    }
}

fn raised(outcomes: &[AlertOutcome]) -> String {
    let Some(first) = outcomes.first() else {
        return "matched".to_owned();
    };
    match (first.state, &first.silence, &first.message) {
        (AlertState::Silenced, Some((until, reason)), _) => {
            format!("silenced until {}: {reason}", at(*until))
        }
        (AlertState::Shadow, ..) => "shadow: matched; a shadow rule sends nothing".to_owned(),
        (AlertState::Recorded, ..) => "matched; the rule has no sinks".to_owned(),
        (AlertState::Gathering, _, Some(message)) => {
            let sent = at(message.closes_at);
            match &message.held_by {
                Some(held_by) => format!(
                    "held back by {held_by} until {sent}, in message {}",
                    message.id
                ),
                None => format!("grouped into message {}, to be sent at {sent}", message.id),
            }
        }
        (
            AlertState::Silenced
            | AlertState::Gathering
            | AlertState::Waiting
            | AlertState::Delivered
            | AlertState::DeadLetter
            | AlertState::Dismissed,
            _,
            message,
        ) => {
            let sinks = outcomes.iter().filter_map(|one| one.delivery.as_ref());
            let sinks: Vec<String> = sinks.map(delivery).collect();
            let held = held(outcomes, message.as_ref());
            format!("{held}{}{}", sinks.join("; "), group(message.as_ref()))
        }
    }
}

/// What a full message waits for before its first attempt.
fn held(outcomes: &[AlertOutcome], message: Option<&CarryingMessage>) -> String {
    let mut deliveries = outcomes.iter().filter_map(|one| one.delivery.as_ref());
    let is_due_later = deliveries.any(|one| {
        let is_waiting = one.state == DeliveryState::Waiting && one.failures == 0;
        is_waiting && message.is_some_and(|message| one.due_at >= message.closes_at)
    });
    match message.and_then(|message| message.held_by.as_ref()) {
        Some(held_by) if is_due_later => format!("held back by {held_by}; "),
        _ => String::new(),
    }
}

fn group(message: Option<&CarryingMessage>) -> String {
    match message {
        Some(message) if message.alerts > 1 => format!(
            "; grouped into message {} with {}",
            message.id,
            counted(message.alerts - 1, "other alert")
        ),
        _ => String::new(),
    }
}

fn delivery(delivery: &Delivery) -> String {
    let Delivery {
        sink,
        state,
        failures,
        due_at,
        settled_at,
        status,
        error,
    } = delivery;
    let error = error.as_deref().unwrap_or("unknown error");
    match (state, settled_at) {
        (DeliveryState::Delivered, Some(settled_at)) => {
            let with = status.map_or_else(String::new, |status| format!(" (status {status})"));
            format!("delivered to `{sink}` at {}{with}", at(*settled_at))
        }
        (DeliveryState::DeadLetter | DeliveryState::Dismissed, Some(settled_at)) => {
            let gave_up = at(*settled_at);
            let dismissed = match state {
                DeliveryState::Dismissed => "dismissed ",
                _ => "",
            };
            format!(
                "{dismissed}dead letter: not delivered to `{sink}`; attempt {failures} at {gave_up} was the last: {error}"
            )
        }
        _ if *failures > 0 => format!(
            "waiting for attempt {} to notify `{sink}` at {}; the last one failed: {error}",
            failures + 1,
            at(*due_at)
        ),
        _ => format!(
            "waiting for attempt 1 to notify `{sink}` at {}",
            at(*due_at)
        ),
    }
}

fn at(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
