//! One alert on a page.

use std::fmt::Write as _;

use chrono::DateTime;
use serde_json::Value;

use super::table::limit;
use super::times::Times;
use crate::model::{one_line, outgoing_within};

/// Longest part of a receiver's answer.
const ANSWER_CHARS: usize = 200;

const FACTS: [&str; 11] = [
    "state",
    "rule",
    "what",
    "key",
    "version",
    "severity",
    "summary",
    "at",
    "raised_at",
    "watch_list_id",
    "message_id",
];

/// The page of a document as `outcome::alert` gives it.
pub(super) fn page(document: &Value, list: Option<&str>, times: Times) -> String {
    let mut page = String::new();
    let title = text(&document["title"]).unwrap_or_default();
    let id = text(&document["id"]).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{title}\n{id}\n");
    for fact in FACTS {
        if let Some(value) = text(&document[fact]) {
            let value = time(&value, times);
            // As the summary has it.
            let value = if fact == "severity" {
                value.replace('_', " ")
            } else {
                value
            };
            let (name, value) = match (fact, list) {
                ("watch_list_id", Some(list)) => {
                    ("watch list".to_owned(), format!("{list} ({value})"))
                }
                ("watch_list_id", None) => ("watch list".to_owned(), value),
                _ => (fact.replace('_', " "), value),
            };
            let _ = writeln!(page, "  {name:<14}{value}");
        }
    }
    for delivery in document["deliveries"].as_array().into_iter().flatten() {
        let sink = text(&delivery["sink"]).unwrap_or_default();
        let state = text(&delivery["state"]).unwrap_or_default();
        let due = text(&delivery["due_at"]).map(|due| time(&due, times));
        let due = due.map_or_else(String::new, |due| format!(", next attempt {due}"));
        let dismissed = dismissed(delivery, times);
        let _ = writeln!(page, "\nsink `{sink}`: {state}{due}{dismissed}");
        for one in delivery["passed_over"].as_array().into_iter().flatten() {
            let _ = writeln!(page, "  {}", passed_over(one, &id));
        }
        for attempt in delivery["attempts"].as_array().into_iter().flatten() {
            let _ = writeln!(page, "  {}", line(attempt, times));
        }
    }
    page
}

/// An alert of the message that the receiver did not take; `this` is the one that is shown.
fn passed_over(one: &Value, this: &str) -> String {
    let alert = text(&one["alert_id"]).unwrap_or_default();
    let key = text(&one["key"]).unwrap_or_default();
    let which = if alert == this {
        "this alert".to_owned()
    } else {
        format!("alert {alert} ({key}) of the same message")
    };
    let why = match one["reason"].as_str() {
        Some("too_large") => "too large, also abridged",
        Some("object_without_id") => "the id of its object is not known",
        other => other.unwrap_or_default(),
    };
    let status =
        text(&one["status"]).map_or_else(String::new, |status| format!(", status {status}"));
    format!("not taken: {which}: {why}{status}")
}

/// ` by NAME at TIME: NOTE`, of a dead letter that was dismissed.
fn dismissed(delivery: &Value, times: Times) -> String {
    let at = text(&delivery["dismissed_at"]).map(|at| time(&at, times));
    let (Some(at), Some(by)) = (at, text(&delivery["dismissed_by"])) else {
        return String::new();
    };
    let note = text(&delivery["dismissed_note"]).map(|note| one_line(&note));
    let note = note.map_or_else(String::new, |note| format!(": {note}"));
    format!(" by {by} at {at}{note}")
}

fn line(attempt: &Value, times: Times) -> String {
    let part = |name: &str| text(&attempt[name]).unwrap_or_default();
    let status = text(&attempt["status"]).unwrap_or_else(|| "-".to_owned());
    let reason = reason(text(&attempt["error"]), &part("answer"));
    format!(
        "attempt {}  {}  {}  {status}  {}  {reason}",
        part("attempt"),
        time(&part("at"), times),
        outcome(&part("outcome")),
        latency(&part("latency")),
    )
}

/// Why an attempt failed, and what the receiver answered: the reason is often only there.
fn reason(error: Option<String>, answer: &str) -> String {
    let answer = outgoing_within(answer, limit(ANSWER_CHARS));
    match error {
        None => answer,
        Some(error) if answer.is_empty() || error.contains(&answer) => error,
        Some(error) => format!("{error}; the receiver answered: {answer}"),
    }
}

/// The outcome of an attempt, in the words of the other pages.
fn outcome(name: &str) -> &str {
    match name {
        "abandoned" => "dead letter",
        other => other,
    }
}

/// A time as people or programs read it; other texts stay as they are.
fn time(text: &str, times: Times) -> String {
    DateTime::parse_from_rfc3339(text)
        .map_or_else(|_| text.to_owned(), |at| times.exact(at.to_utc()))
}

/// `00:00:00.002813`, as PostgreSQL writes an interval, in units that people read.
fn latency(interval: &str) -> String {
    let mut parts = interval.split(':').rev();
    let mut next = || parts.next()?.parse::<f64>().ok();
    let (Some(seconds), Some(minutes), Some(hours)) = (next(), next(), next()) else {
        return interval.to_owned();
    };
    let seconds = seconds + 60.0 * (minutes + 60.0 * hours);
    if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::latency;

    #[test]
    fn latencies_are_in_units_that_people_read() {
        for (interval, expected) in [
            ("00:00:00.002813", "2.8 ms"),
            ("00:00:15", "15.0 s"),
            ("01:01:01.5", "3661.5 s"),
            ("1 day 00:00:01", "1 day 00:00:01"),
            ("", ""),
        ] {
            assert_eq!(latency(interval), expected);
        }
    }
}
