//! Answers for people.

use chrono::{DateTime, Utc};

use super::answer::Answer;
use crate::model::{AlertState, DeliveryState};
use crate::store::alerts::outcome::{AlertOutcome, CarryingMessage, Delivery};

/// The answer's name, for programs.
pub(crate) fn name(answer: &Answer) -> &'static str {
    match answer {
        Answer::NotFollowed => "not_followed",
        Answer::NotAsked { .. } => "not_asked",
        Answer::ClauseFalse { .. } => "clause_false",
        Answer::ValueMissing { .. } => "value_missing",
        Answer::Baseline { .. } => "baseline",
        Answer::BeforeRule => "before_rule",
        Answer::NotEvaluated => "not_evaluated",
        Answer::NoLongerKept => "no_longer_kept",
        Answer::Raised(told) => told
            .first()
            .map_or(AlertState::Delivered, |one| one.state)
            .name(),
    }
}

/// The answer, in a sentence.
pub(crate) fn text(answer: &Answer) -> String {
    match answer {
        Answer::NotFollowed => "not in a followed list then".to_owned(),
        Answer::NotAsked { what } => format!("changes of kind `{what}` are not asked for"),
        Answer::ClauseFalse {
            clause,
            asked,
            shown,
        } => {
            let clause = clause.name();
            format!("clause `{clause}` is false: it asks for {asked}, and was shown {shown}")
        }
        Answer::ValueMissing { clause } => format!(
            "the value for `{}` is missing, and the rule says to skip then",
            clause.name()
        ),
        Answer::Baseline { list: Some(list) } => {
            format!("baseline: it came with the first load of watch list {list}")
        }
        Answer::Baseline { list: None } => "baseline: it came with a first load".to_owned(),
        Answer::BeforeRule => "baseline: it happened while the rule was not there".to_owned(),
        Answer::NotEvaluated => "not looked at yet; the daemon does that within moments".to_owned(),
        Answer::NoLongerKept => "it matched; the alert is no longer kept".to_owned(),
        Answer::Raised(told) => raised(told),
    }
}

fn raised(told: &[AlertOutcome]) -> String {
    let Some(first) = told.first() else {
        return "it matched".to_owned();
    };
    match (first.state, &first.silence, &first.message) {
        (AlertState::Silenced, Some((until, reason)), _) => {
            format!("silenced until {}: {reason}", at(*until))
        }
        (AlertState::Shadow, ..) => "shadow: it matched, and the rule sends nothing".to_owned(),
        (AlertState::Recorded, ..) => "it matched, and the rule names no sink".to_owned(),
        (AlertState::Gathering, _, Some(message)) => {
            let sent = at(message.closes_at);
            format!(
                "grouped into message {}, which is sent at {sent}",
                message.id
            )
        }
        (
            AlertState::Silenced
            | AlertState::Gathering
            | AlertState::Waiting
            | AlertState::Delivered
            | AlertState::DeadLetter,
            _,
            message,
        ) => {
            let sinks = told.iter().filter_map(|one| one.delivery.as_ref());
            let sinks: Vec<String> = sinks.map(delivery).collect();
            format!("{}{}", sinks.join("; "), group(message.as_ref()))
        }
    }
}

fn group(message: Option<&CarryingMessage>) -> String {
    match message {
        Some(message) if message.alerts > 1 => format!(
            "; grouped into message {} with {} others",
            message.id,
            message.alerts - 1
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
    let error = error.as_deref().unwrap_or("no reason is known");
    match (state, settled_at) {
        (DeliveryState::Delivered, Some(settled_at)) => {
            let with = status.map_or_else(String::new, |status| format!(" with {status}"));
            format!("delivered to `{sink}` at {}{with}", at(*settled_at))
        }
        (DeliveryState::DeadLetter, Some(settled_at)) => {
            let given_up = at(*settled_at);
            format!(
                "dead letter: `{sink}` was given up at {given_up} after attempt {failures}: {error}"
            )
        }
        _ if *failures > 0 => format!(
            "waiting for attempt {} to tell `{sink}` at {}; the last one failed: {error}",
            failures + 1,
            at(*due_at)
        ),
        _ => format!("waiting for attempt 1 to tell `{sink}` at {}", at(*due_at)),
    }
}

fn at(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
