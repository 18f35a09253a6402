//! Explanations as text.

use chrono::{DateTime, Utc};

use super::answer::RuleAnswer;
use crate::model::{AlertState, DeliveryState, counted};
use crate::store::alerts::outcome::{AlertOutcome, CarryingMessage, Delivery};

/// The machine-readable name of an explanation.
pub(crate) fn name(answer: &RuleAnswer) -> &'static str {
    match answer {
        RuleAnswer::NotFollowed | RuleAnswer::NotStored(_) => "not_followed",
        RuleAnswer::Quarantined(_) => "quarantined",
        RuleAnswer::Pending(_) => "pending",
        RuleAnswer::NotAsked { .. } => "not_asked",
        RuleAnswer::ClauseFalse { .. } => "clause_false",
        RuleAnswer::ValueMissing { .. } => "value_missing",
        RuleAnswer::Baseline { .. } => "baseline",
        RuleAnswer::Reported => "already_reported",
        RuleAnswer::BeforeRule => "before_rule",
        RuleAnswer::NotEvaluated => "not_evaluated",
        RuleAnswer::NoLongerKept => "no_longer_kept",
        RuleAnswer::Raised(outcomes) => outcomes
            .first()
            .map_or(AlertState::Delivered, |one| one.state)
            .name(),
    }
}

/// The explanation as a sentence.
pub(crate) fn text(answer: &RuleAnswer) -> String {
    match answer {
        RuleAnswer::NotFollowed => "not in a followed list at that time".to_owned(),
        RuleAnswer::NotStored(reason) => reason.clone(),
        RuleAnswer::Quarantined(record) => record.sentence(),
        RuleAnswer::Pending(entry) => entry.sentence(),
        RuleAnswer::NotAsked { what } => format!("event type `{what}` is not in `on`"),
        RuleAnswer::ClauseFalse {
            clause,
            required,
            actual,
        } => {
            let clause = clause.name();
            format!("no match: `{clause}` requires {required}, got {actual}")
        }
        RuleAnswer::ValueMissing {
            clause,
            actual: Some(actual),
        } => {
            let clause = clause.name();
            format!("`{clause}` is unknown, and the rule skips such events: {actual}")
        }
        RuleAnswer::ValueMissing {
            clause,
            actual: None,
        } => format!(
            "no value for `{}`, and the rule has missing = \"skip\"",
            clause.name()
        ),
        RuleAnswer::Baseline { list: Some(list) } => {
            format!("baseline: part of the first load of watch list {list}")
        }
        RuleAnswer::Baseline { list: None } => "baseline: part of a first load".to_owned(),
        RuleAnswer::Reported => "matched; another alert of the rule reports it already".to_owned(),
        RuleAnswer::BeforeRule => {
            "baseline: the rule did not exist at the time of the change".to_owned()
        }
        RuleAnswer::NotEvaluated => {
            "not evaluated yet; the daemon does this within moments".to_owned()
        }
        RuleAnswer::NoLongerKept => "matched; the alert is no longer stored".to_owned(),
        RuleAnswer::Raised(outcomes) => raised(outcomes),
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
            let delay = delay(outcomes, message.as_ref());
            format!("{delay}{}{}", sinks.join("; "), group(message.as_ref()))
        }
    }
}

/// What a full message waits for before its first attempt.
fn delay(outcomes: &[AlertOutcome], message: Option<&CarryingMessage>) -> String {
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
        is_taken,
    } = delivery;
    let error = error.as_deref().unwrap_or("unknown error");
    match (state, settled_at) {
        (DeliveryState::Delivered, Some(settled_at)) => {
            let with = status.map_or_else(String::new, |status| format!(" (status {status})"));
            format!("delivered to `{sink}` at {}{with}", at(*settled_at))
        }
        (DeliveryState::DeadLetter | DeliveryState::Dismissed, Some(_)) if *is_taken => {
            format!("delivered to `{sink}`, which did not take all of the message: {error}")
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
